"""The model card of an export: README.md, with the metadata that the Hugging Face hub reads at its top."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gan.base.choices import is_number
from gan.data.dataset import DATASETS
from gan.measure.protocol import Protocol
from gan.runs.differences import differences
from gan.runs.exported import CONFIG, GRID, ONNX
from gan.runs.onnx_model import MAX_SHARE
from gan.runs.yaml_files import to_yaml
from gan.variants import variant_class

# Numbers of a row that are no scores.
NO_SCORES = {field.name for field in dataclasses.fields(Protocol)} | {
    *("step", "images_seen", "seed", "real_in_training", "better", "copies"),
}
FLOOR = "_floor"  # end of the name of what real images get
NUM = 64  # images of the examples
MAX_FILES = 20  # that the card names
# How NumPy draws a latent of a prior.
IN_NUMPY = {
    "normal": "rng.standard_normal({shape})",
    "uniform": "rng.uniform(-{bound}, {bound}, {shape})",
}
OFFICIAL: dict[Any, str] = {
    True: "The files are those that the set's author published.",
    False: "These are not the files that the set's author published.",
}


def card(config: Mapping[str, Any], has_onnx: bool) -> str:
    """Return the text of README.md. `config` are the values of config.json."""
    metadata = to_yaml(_metadata(config, has_onnx))
    sections = {
        f"# {_title(config)}": _about(config),
        "## Use": _use(config, has_onnx),
        "## Recipe": _recipe(config),
        "## Data": _data(config["data"]),
        "## Measurements": _measurements(config),
        "## Limits": _limits(config),
    }
    return f"---\n{metadata}---\n\n" + "\n\n".join(f"{title}\n\n{text}" for title, text in sections.items()) + "\n"


def _metadata(config: Mapping[str, Any], has_onnx: bool) -> dict[str, Any]:
    """Return what the hub reads. No licence stands there: it is for whoever publishes the weights to give one."""
    task = "image-generation" if config["reads_labels"] else "unconditional-image-generation"
    metadata: dict[str, Any] = {"library_name": config["library_name"]}
    if not config["reads_labels"]:  # the hub has no word for the others
        metadata["pipeline_tag"] = task
    metadata["tags"] = ["gan", task, *(["onnx"] if has_onnx else [])]
    data = config["data"] or {}
    if data.get("name") in DATASETS.keys() - {"folder"}:  # others are images of one's own
        metadata["datasets"] = [data["name"]]
    results = [_result(row, task) for row in config["rows"] if _is_of(row, config) and _scores(row)]
    if results:
        metadata["model-index"] = [{"name": _title(config), "results": results}]
    return metadata


def _result(row: Mapping[str, Any], task: str) -> dict[str, Any]:
    """Return a row as an entry of the hub's model index."""
    protocol = row.get("protocol")
    how = f"features of {row.get('extractor')}, protocol {protocol}"
    return {
        "task": {"type": task},
        "dataset": {"type": str(row.get("data_set")), "name": _real(row), "split": str(row.get("split"))},
        "metrics": [
            # `fid` alone is Inception's on the hub.
            {"type": f"gan_{name}", "name": f"{name} ({how})", "value": value, "args": {"protocol": protocol}}
            for name, value in _scores(row).items()
            if not name.endswith(FLOOR)
        ],
    }


def _title(config: Mapping[str, Any]) -> str:
    variant = str(config["variant"]).rpartition(".")[2]
    return f"{variant} on {config['data']['name']}" if config["data"] else variant


def _about(config: Mapping[str, Any]) -> str:
    channels, height, width = config["hyper_parameters"]["image_shape"]
    colour = {1: "grey", 3: "RGB"}.get(channels, f"{channels}-channel")
    weights = {"raw": "the generator's own weights (`raw`)", "ema": "the running average of its weights (`ema`)"}
    facts = [f"{config['step']:,} generator updates", weights[config["weights"]]]
    if config["seed"] is not None:
        facts.insert(1, f"seed {config['seed']}")
    if config["commit"]:
        facts.append(f"trained at commit `{config['commit']}` of `gan`")
    kind = "class-conditional generator" if config["reads_labels"] else "generator"
    text = (
        f"A {kind} of {height}×{width} {colour} images: `{config['variant']}`, {', '.join(facts)}. "
        f"Exported by `gan` {config['library_version']}.\n\n![samples]({GRID})\n\nSamples of seed 0, not chosen."
    )
    names = (config["data"] or {}).get("class_names")
    if config["reads_labels"] and names:
        text += f" The classes in their order: {', '.join(map(_cell, names))}."
    return text


def _use(config: Mapping[str, Any], has_onnx: bool) -> str:
    num = config["batch"] or NUM
    shape = ", ".join(map(str, [num, *config["hyper_parameters"]["image_shape"]]))
    parts = [
        "In this directory, with `gan` installed:",
        "```sh\ngan sample . --num 100 --out samples.png\n```",
        f'```python\nimport gan\n\nimages = gan.load(".").sample({num}, seed=3)  # uint8, ({shape})\n```',
    ]
    if has_onnx:
        parts += [_onnx(config, num, shape)]
    return "\n\n".join(parts)


def _onnx(config: Mapping[str, Any], num: int, shape: str) -> str:
    """Return how the ONNX model is run."""
    recipe = config["hyper_parameters"]["recipe"]
    size, prior = f"({num}, {recipe['latent_dim']})", recipe["prior"]
    if prior["name"] in IN_NUMPY:
        text = f"`{ONNX}` needs neither `gan` nor PyTorch:"
        imports = ["numpy", "onnxruntime"]
        drawn = IN_NUMPY[prior["name"]].format(**prior, shape=size)
        lines = ["rng = numpy.random.default_rng(0)", f'latent = {drawn}.astype("float32")']
    else:
        text = (
            f"The network of `{ONNX}` runs without PyTorch. Here `gan` draws the latents, from the prior of training:"
        )
        imports = ["gan", "numpy", "onnxruntime", "torch"]
        lines = [f'latent = gan.load(".").prior({size}, torch.Generator().manual_seed(0)).numpy()']
    feed = '{"latent": latent}'
    if config["reads_labels"]:
        lines.append(f"labels = numpy.arange({num}) % {config['hyper_parameters']['num_classes']}  # int64")
        feed = '{"latent": latent, "labels": labels}'
    lines += [
        f'session = onnxruntime.InferenceSession("{ONNX}")',
        f'(images,) = session.run(["images"], {feed})  # float32 in [0, 1], ({shape})',
        'pixels = (255 * images).round().astype("uint8")',
    ]
    code = "\n".join([*(f"import {name}" for name in imports if name in "\n".join(lines)), "", *lines])
    text += (
        f"\n\n```python\n{code}\n```\n\nThese pixels are those that `gan` draws from the same latents, but for at most "
        f"{MAX_SHARE:.1%} of them, which may be one grey level apart. The export checked it."
    )
    if config["batch"]:
        text += f" An image depends on the others of its batch, so a batch has {num} latents, as in training."
    return text


def _recipe(config: Mapping[str, Any]) -> str:
    variant = config["variant"]
    own = variant_class(variant).defaults.to_dict()
    changed = differences([own, config["hyper_parameters"]["recipe"]])
    if not changed:
        return f"All values are those of `{variant}`. They stand in `{CONFIG}`."
    lines = [(f"`{key}`", _code(value), _code(default)) for key, (default, value) in changed.items()]
    about = f"What differs from the values of `{variant}`. All values stand in `{CONFIG}`."
    return f"{about}\n\n{_table(('field', 'value', 'the value of the variant'), lines)}"


def _data(data: Mapping[str, Any] | None) -> str:
    if not data:
        return "The file that was exported does not say which images it was trained on."
    counts, files = data.get("counts") or {}, list((data.get("files") or {}).items())
    facts = [f"data set `{data['name']}`, source `{data.get('source')}`, split `{data.get('split')}`"]
    if counts:
        parts = ", ".join(f"{number:,} {part.replace('_', '-')}" for part, number in counts.items())
        facts.append(f"images: {parts}")
    if data.get("held_out_is_trained_on"):
        facts.append("the held-out images were trained on, too")
    facts.append(f"sha256 of the data: `{data.get('data_sha256')}`")
    facts += [f"sha256 of `{_cell(name)}`: `{digest}`" for name, digest in files[:MAX_FILES]]
    if len(files) > MAX_FILES:
        facts.append(f"{len(files) - MAX_FILES} further files, in `{CONFIG}`")
    unknown = "Whether these are the files that the set's author published is not known."
    return "\n".join(f"- {fact}" for fact in facts) + f"\n\n{OFFICIAL.get(data.get('official'), unknown)}"


def _measurements(config: Mapping[str, Any]) -> str:
    if not config["rows"]:
        return "None is recorded."
    lines = [
        (
            f"`{row.get('protocol')}`",
            f"{row['step']:,}, {row.get('weights')}" + ("" if _is_of(row, config) else " (not these weights)"),
            f"{row.get('num_fake')} against {_real(row)}",
            "; ".join(f"{name} {value:.4g}" for name, value in _scores(row).items()),
        )
        for row in config["rows"]
    ]
    return (
        f"{_table(('protocol', 'step, weights', 'images', 'values'), lines)}\n\n"
        "Numbers compare with those of the same protocol, and with no others, such as FIDs of other features. The rows "
        f"stand in full, each with its protocol, in `{CONFIG}`. A name that ends in `{FLOOR}` is of real images in "
        "place of the fakes."
    )


def _limits(config: Mapping[str, Any]) -> str:
    limits = ["Nothing is known of these images but what was measured above. Look at the samples before you use them."]
    if config["state"] not in (None, "finished"):
        limits.append(f"The run that it comes from had not come to its end: it is `{config['state']}`.")
    if any(not _is_of(row, config) for row in config["rows"]):
        limits.append("Some of the measurements are of other weights of the same run, as their lines say.")
    limits.append("No licence is given here. Whoever publishes the weights adds `license: …` to the lines at the top.")
    return "\n".join(f"- {limit}" for limit in limits)


def _is_of(row: Mapping[str, Any], config: Mapping[str, Any]) -> bool:
    """Return whether a row measured these very weights."""
    return (row["step"], row.get("weights")) == (config["step"], config["weights"])


def _scores(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a row that are scores."""
    return {name: value for name, value in row.items() if is_number(value) and name not in NO_SCORES}


def _real(row: Mapping[str, Any]) -> str:
    return f"{row.get('num_real')} {row.get('split')} images of {row.get('data_set')} ({row.get('source')})"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(value: Any) -> str:
    return f"`{_cell(json.dumps(value))}`"


def _cell(text: str) -> str:
    """Return text without what would end a cell or a line."""
    return re.sub(r"[|`<\s]+", " ", str(text))
