"""What a worker needs, imported once: workers are forked from the process that imports this module."""

from gan.base.imports import cheap_imports

with cheap_imports():
    import gan.ablations.worker
    import gan.measure.measurement
    import gan.runs.packed
    import gan.runs.training  # noqa: F401
