"""Prints how a run ended, for `gan fit` and `gan resume`."""

from gan.runs.fit import Outcome


def say(outcome: Outcome) -> int:
    """Return the exit code. The first process also prints where everything is."""
    if outcome.is_global_zero:
        _print(outcome)
    return 128 + outcome.signal if outcome.signal else 0


def _print(outcome: Outcome) -> None:
    directory = outcome.directory
    checkpoint = sorted((directory / "checkpoints").glob("last_step_*.ckpt"))[-1:]
    newest = sorted((directory / "samples").glob("step_*.png"))[-1:]
    print(f"run         {directory}")
    print(f"checkpoint  {checkpoint[0] if checkpoint else 'none yet'}")
    print(f"samples     {newest[0] if newest else 'none'}")
    if outcome.report:
        row = outcome.report
        floor = f"(floor, real against real: {row['fid_floor']:.2f})"
        real = f"{row['num_real']} {row['data_set']} test images, {row['source']}"
        print(f"FID         {row['fid']:.2f} on {real} {floor}")
        share, confidence = row["min_class_share"], row["median_confidence"]
        print(f"classes     rarest {share:.1%} of {row['num_fake']}, median confidence {confidence:.3f}")
    print(f"curves      tensorboard --logdir {directory}")
    if outcome.signal:
        print(f"stopped by a signal at step {outcome.step}; go on with: gan resume {directory}")
