"""The measures by name. A user's own needs no entry: it goes by its importable path."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from gan.base.choices import completed, nearest, resolve
from gan.base.errors import UserError, usable, whole
from gan.base.paths import absolute
from gan.measure.extractors.registry import EXTRACTORS
from gan.measure.extractors.registry import KIND as EXTRACTOR
from gan.measure.measure import Measure
from gan.measure.measures.classes import classes, confidence
from gan.measure.measures.discriminator import discriminator
from gan.measure.measures.diversity import variety
from gan.measure.measures.frechet import frechet, frechet_limit
from gan.measure.measures.kernel import kernel
from gan.measure.measures.memorisation import memorisation
from gan.measure.measures.modes import modes
from gan.measure.measures.neighbours import neighbours
from gan.measure.measures.parzen import parzen
from gan.measure.measures.two_sample import nearest_neighbour, two_sample
from gan.measure.measures.wasserstein import patches
from gan.measure.protocol import Protocol

MEASURES: dict[str, Callable[..., Measure]] = {
    "frechet": frechet,
    "frechet_limit": frechet_limit,
    "kernel": kernel,
    "neighbours": neighbours,
    "nearest_neighbour": nearest_neighbour,
    "two_sample": two_sample,
    "confidence": confidence,
    "classes": classes,
    "variety": variety,
    "modes": modes,
    "memorisation": memorisation,
    "patches": patches,
    "parzen": parzen,
    "discriminator": discriminator,
}
KIND = "evaluation.measures"
PROTOCOL = {"protocol", *Protocol.__dataclass_fields__}
FILES = {"file", "weights"}  # parameters of extractors that are paths
NAMES = {  # value -> measure, so that `--metrics fid,kid` works; of the package's own
    value: key for key, make in MEASURES.items() for value in make().values
}


class Chosen(NamedTuple):
    """A measure with the parameters that it was made with."""

    key: str  # its name in a configuration
    measure: Measure
    parameters: Mapping[str, Any]
    every_n_steps: int | None = None  # generator updates between its measurements; None for those of all


def chosen(choices: Mapping[str, Any], where: str = KIND) -> list[Chosen]:
    """Return the measures of a section {name: {parameter: …, every_n_steps: …}}, the one that scores first.

    UserError for an unknown name or parameter, for what is no measure, and for two that give values of one name.
    """
    found: list[Chosen] = []
    for key, given in choices.items():
        if not isinstance(given, Mapping | None):
            raise UserError(f"{where}.{key} must be a mapping of its parameters, such as {{}}, got {given!r}")
        parameters = dict(given or {})
        every = parameters.pop("every_n_steps", None)
        if every is not None:
            every = whole(every, f"{where}.{key}.every_n_steps", least=1)
        make, parameters = resolve({"name": key, **parameters}, MEASURES, where)
        with usable(f"{where} {key!r}"):
            measure = make(**parameters)
        if not isinstance(measure, Measure):
            raise UserError(f"{where} {key!r}: gave {type(measure).__name__}, not a gan.measure.measure.Measure")
        if taken := measure.values.keys() & PROTOCOL:
            raise UserError(
                f"{where} {key!r}: gives {', '.join(sorted(taken))}, which rows say of the protocol; rename it"
            )
        for other in found:
            if shared := measure.values.keys() & other.measure.values.keys():
                raise UserError(f"{where}: {other.key} and {key} both give {', '.join(sorted(shared))}; take one")
        found.append(Chosen(key, measure, parameters, every))
    return found


def completed_section(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return the section `evaluation` with all parameters of its measures and of its extractor, and whole paths."""
    whole_section = dict(section)
    if section.get("measures") is not None:
        whole_section["measures"] = {
            one.key: {**one.parameters, **({} if one.every_n_steps is None else {"every_n_steps": one.every_n_steps})}
            for one in chosen(section["measures"])
        }
    if section.get("extractor") is not None:
        extractor = completed(section["extractor"], EXTRACTORS, EXTRACTOR)
        for key in FILES & extractor.keys():
            extractor[key] = str(absolute(extractor[key], f"{EXTRACTOR}.{key}"))
        whole_section["extractor"] = extractor
    return whole_section


def named(words: Sequence[str], where: str = "--metrics") -> dict[str, dict[str, Any]]:
    """Return the section of measures that words name: measures, or values of them. `all` are all of the package."""
    section: dict[str, dict[str, Any]] = {}
    for word in words:
        if word == "all":
            section |= {key: {} for key in MEASURES}
        elif word in NAMES:
            section[NAMES[word]] = {}
        elif word in MEASURES or "." in word:
            section[word] = {}
        else:
            raise UserError(f"{where}: unknown {word!r}; {nearest(word, ['all', *MEASURES, *NAMES])}")
    return section
