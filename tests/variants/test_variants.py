"""The variants are found in their files without an import."""

import importlib

from gan.engine.game import AdversarialModule
from gan.variants import VARIANT_MODULES, VARIANTS


def test_the_files_text_names_every_variant():
    found = {}
    for module in map(importlib.import_module, set(VARIANT_MODULES.values())):
        found |= {
            name: value
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, AdversarialModule) and value.__module__ == module.__name__
        }
    assert found == VARIANTS
    assert VARIANT_MODULES["MLPGAN"] == "gan.variants.mlp_gan"
