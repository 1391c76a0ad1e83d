"""Prints how a run ended, for `gan fit` and `gan resume`."""

from pathlib import Path

from gan.runs.fit import Outcome
from gan.runs.rows import title_of
from gan.runs.status import read_status


def say(outcome: Outcome) -> int:
    """Return the exit code. The first process also prints where everything is."""
    if outcome.is_global_zero:
        for one in outcome.copies or (outcome,):
            _print(one)
    return outcome.code


def _print(outcome: Outcome) -> None:
    directory = outcome.directory
    checkpoint = sorted((directory / "checkpoints").glob("last_step_*.ckpt"))[-1:]
    newest = sorted((directory / "samples").glob("step_*.png"))[-1:]
    print(f"run         {directory}")
    print(f"checkpoint  {checkpoint[0] if checkpoint else 'none yet'}")
    print(f"samples     {newest[0] if newest else 'none'}")
    if outcome.report:
        row = outcome.report
        name = row["score"]
        floor = f" (floor, real against real: {row[f'{name}_floor']:.2f})" if f"{name}_floor" in row else ""
        real = f"{row['num_real']} {row['data_set']} test images, {row['source']}"
        print(f"{title_of(name):11} {row[name]:.2f} on {real}{floor}")
        if "min_class_share" in row:
            share, confidence = row["min_class_share"], row["median_confidence"]
            print(f"classes     rarest {share:.1%} of {row['num_fake']}, median confidence {confidence:.3f}")
    print(f"curves      {_curves(directory)}")
    status = read_status(directory)
    if status and status.alarms:
        print(f"watchdog    {', '.join(map(str, status.alarms))}")
    for report in sorted(directory.glob("fit-profile*.txt")):
        print(f"profile     {report}")
    how, step = outcome.reason or "", outcome.step
    if outcome.state == "diverged":
        print(f"diverged by step {step}: {how}")
    elif outcome.state == "stopped":
        by = {"time": "trainer.max_time", "callback": "a callback"}.get(how, "a signal")
        on = ""
        if how.startswith("watchdog"):
            by, on = "the watchdog", " --watchdog.stop=false"
        print(f"stopped by {by} at step {step}; go on with: gan resume {directory}{on}")
    elif not outcome.trained:
        print(f"done        it had finished its {step} steps before")


def _curves(directory: Path) -> str:
    """Return where the curves are: what the loggers of the run wrote."""
    if any(directory.rglob("events.out.tfevents.*")):
        return f"tensorboard --logdir {directory}"
    tables = sorted(directory.rglob("metrics.csv"), key=lambda file: file.stat().st_mtime)
    return str(tables[-1]) if tables else "none: trainer.logger writes no files here"
