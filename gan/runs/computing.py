"""What a run settles when it first starts, and keeps: its images, its threads and its precision."""

from dataclasses import replace
from typing import NamedTuple

from gan.data.datamodule import ImageDataModule
from gan.runs.plan import Plan
from gan.runs.precision import Precision
from gan.runs.threads import Threads


class Computing(NamedTuple):
    """How a run computes."""

    threads: Threads
    precision: Precision


def resolved(whole: Plan, data: ImageDataModule, computing: Computing) -> Plan:
    """Return the plan with the place of the images that were read, the threads and the precision, so that they stay."""
    trainer = whole.tree["trainer"] | {"precision": computing.precision.name}
    settled = {"data": data.pinned, "threads": computing.threads.number, "trainer": trainer}
    return replace(whole, tree=whole.tree | settled)
