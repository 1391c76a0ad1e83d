"""What workers need, imported once: each is forked from a process that has imported this module.

All of the package is imported, so that an edit of its files while a sweep runs does not reach the sweep.
"""

import importlib
import pkgutil

import gan
from gan.base.imports import cheap_imports

with cheap_imports():
    for _module in pkgutil.walk_packages(gan.__path__, "gan."):
        if _module.name not in ("gan.__main__", __name__):
            importlib.import_module(_module.name)
