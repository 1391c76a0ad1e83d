"""Imports of Lightning that cost less time."""

import gc
import importlib
import importlib.util
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType

NAME = "torchmetrics"
NEEDED = ("__about__", "utilities", "metric", "collections")  # of torchmetrics, by Lightning
PLOT = f"{NAME}.utilities.plot"


@contextmanager
def cheap_imports() -> Iterator[None]:
    """Within it Lightning is imported without most of torchmetrics, and garbage is not collected.

    Lightning needs two classes of torchmetrics, whose own import reads all metrics, with scipy, torchvision and more.
    Here only the files of these classes are imported, without matplotlib. At the exit torchmetrics counts as not
    imported, so that whoever imports it later gets all of it, with the same two classes. Where torchmetrics is of
    another make, it is imported whole. The objects that imports make live on, and are no garbage.
    """
    collects = gc.isenabled()
    gc.disable()
    prepared = None if {NAME, "pytorch_lightning"} & sys.modules.keys() else _prepared()
    try:
        yield
    finally:
        if prepared and sys.modules.get(NAME) is prepared:
            del sys.modules[NAME]
            sys.meta_path.insert(0, _Later(prepared))
        if collects:
            gc.enable()


def _prepared() -> ModuleType | None:
    """Return torchmetrics with a few of its files, as Lightning will find it. None where this does not work."""
    spec = importlib.util.find_spec(NAME)
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        return None
    before = set(sys.modules)
    package = sys.modules[NAME] = importlib.util.module_from_spec(spec)
    package._logger = logging.getLogger(NAME)  # type: ignore[attr-defined]
    sys.modules[PLOT] = _plotting()
    try:
        about, _, metric, collections = (importlib.import_module(f"{NAME}.{name}") for name in NEEDED)
        package.__version__ = about.__version__  # type: ignore[attr-defined]
        package.Metric = metric.Metric  # type: ignore[attr-defined]
        package.MetricCollection = collections.MetricCollection  # type: ignore[attr-defined]
    except (ImportError, AttributeError):
        for name in set(sys.modules) - before:
            if name.split(".")[0] == NAME:
                del sys.modules[name]
        return None
    finally:
        sys.modules.pop(PLOT, None)
    return package


def _plotting() -> ModuleType:
    """Return what the two classes import for their pictures. Matplotlib is imported when a picture is made."""

    def plot(*arguments: object, **named: object) -> object:
        return importlib.import_module(PLOT).plot_single_or_multi_val(*arguments, **named)

    module = ModuleType(PLOT)
    vars(module).update(plot_single_or_multi_val=plot, _AX_TYPE=object, _PLOT_OUT_TYPE=object)
    return module


class _Later(SourceFileLoader):
    """Finds torchmetrics once: in the module that has been prepared, its own import is now done."""

    def __init__(self, prepared: ModuleType) -> None:
        assert prepared.__file__ is not None
        super().__init__(NAME, prepared.__file__)
        self.prepared = prepared

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """Return where torchmetrics is, and nothing for any other module."""
        if name != NAME:
            return None
        sys.meta_path.remove(self)
        return importlib.util.spec_from_file_location(
            NAME, self.path, loader=self, submodule_search_locations=list(self.prepared.__path__)
        )

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the prepared module, whose files are bound to it already."""
        return self.prepared
