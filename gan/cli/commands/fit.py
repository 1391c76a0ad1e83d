"""`gan fit` trains a GAN."""

import textwrap
from typing import Any

from gan.base import cores
from gan.cli.flags import parse_flags
from gan.cli.help import FIT_HELP
from gan.cli.outcome import say
from gan.runs import fit as runs
from gan.runs.config import shipped_configs
from gan.runs.yaml_files import parse_value, to_yaml


def run(words: list[str]) -> int:
    """Run the command on its words and return the exit code."""
    if "--help" in words or "-h" in words:
        _help()
        return 0
    cores.look()
    switches = ("overwrite", "resume", "alone", "print_config")
    flags = parse_flags(words, words=("config", "allow-import", "copies"), switches=switches)
    configs = flags.words["config"]
    if "print_config" in flags.switches:
        tree = runs.configuration(configs, **flags.tree, allow_import=flags.words["allow-import"])
        print(to_yaml(tree), end="")
        return 0
    copies = flags.words["copies"]
    chosen: dict[str, Any] = {"copies": parse_value(copies[-1], "--copies") if copies else None}
    chosen |= {name: name in flags.switches for name in ("overwrite", "resume", "alone")}
    cores.wait_briefly()
    return say(runs.fit(configs, **flags.tree, **chosen, allow_import=flags.words["allow-import"]))


def _help() -> None:
    from gan.data.dataset import DATASETS
    from gan.variants import VARIANT_MODULES

    lists = {"configs": [name for name in shipped_configs() if "/" not in name]}
    lists |= {"variants": list(VARIANT_MODULES), "data_sets": list(DATASETS)}
    fill = textwrap.TextWrapper(96, " " * 36, " " * 36, break_on_hyphens=False).fill
    print(FIT_HELP.format(**{key: fill(", ".join(names)) for key, names in lists.items()}), end="")
