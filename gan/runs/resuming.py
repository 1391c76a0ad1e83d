"""What a resumption may not change, and whether there is anything to go on with. Nothing is written here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan.base.errors import UserError
from gan.base.seeds import Seeds
from gan.engine.formats import recorded_format, recorded_recipe, upgraded_state
from gan.engine.recipe import Recipe
from gan.engine.saving import KEY
from gan.runs.differences import differences
from gan.runs.directory import CONFIG
from gan.runs.fit import CODES, Outcome, may_change
from gan.runs.reader import Run


def refuse_other(run: Run, recorded: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Raise UserError if a run's configuration is not the one that is given.

    A run records the place of its images. A configuration that leaves it open may be that of any place.
    """
    data, was = given["data"], recorded["data"]
    given = {
        **given,
        "threads": given["threads"] or recorded.get("threads"),
        "data": {key: was.get(key) if data[key] in (None, "auto") else data[key] for key in data},
    }
    for key, (was, now) in differences([recorded, given]).items():
        mend = f"gan resume {run.directory} --{key}=VALUE changes it" if may_change(key) else "give another --run"
        values = f"has {key} {_short(was)}, and {_short(now)} is given"
        raise UserError(f"{run.directory}: {values}; give the same, or {mend}")


def ended(run: Run, is_global_zero: bool) -> Outcome:
    """Return the outcome of a run that had ended before, and stays as it is."""
    return Outcome(
        run.directory,
        step=run.step or 0,
        is_global_zero=is_global_zero,
        state=run.state,
        reason=run.record.reason if run.record else None,
        code=CODES[run.state],
        report=run.report,
        trained=False,
    )


def fixed(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a run's data may not change on resuming. The checkpoints keep it, as they keep the recipe."""
    return {key: value for key, value in tree["data"].items() if may_change(f"data.{key}") is False}


def refuse_edited(content: Mapping[str, Any], tree: Mapping[str, Any], recipe: Recipe, where: Path) -> None:
    """Raise UserError if the run's configuration is not what its checkpoint was trained with."""
    state = upgraded_state(content[KEY], content["global_step"])
    seed = tree["seed_everything"]
    before = {
        "model.class_path": state["variant"],
        "seed_everything": state["run_seed"],
        "seeds": state["seeds"],
        "data": content.get("callbacks", {}).get("Recording", {}).get("data"),
    }
    now = {
        "model.class_path": tree["model"]["class_path"],
        "seed_everything": seed,
        "seeds": Seeds.of(seed, tree["seeds"]).to_dict(),
        "data": fixed(tree) if before["data"] else None,  # checkpoints of older versions lack it
    }
    trained = content["hyper_parameters"].get("recipe")
    if isinstance(trained, Mapping):
        number = recorded_format(content[KEY], str(where))
        before["model.recipe"] = Recipe.from_dict(recorded_recipe(trained, number)).to_dict()
        now["model.recipe"] = recipe.to_dict()
    for key, (was, is_now) in differences([before, now]).items():
        raise UserError(
            f"{where}: was trained with {key} {_short(was)}, {CONFIG} now says {_short(is_now)}; restore that file"
        )


def done_already(content: Mapping[str, Any], trainer: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return what a run has done, such as (3, "epochs"), if its checkpoint is that of its end. Otherwise None."""
    epochs = content.get("loops", {}).get("fit_loop", {}).get("epoch_progress", {}).get("current", {}).get("processed")
    for kind, done in (("steps", content["global_step"]), ("epochs", epochs)):
        last = trainer.get(f"max_{kind}")
        if isinstance(last, int) and isinstance(done, int) and done >= last > -1:
            return done, kind
    return None


def lacks_report(run: Run, step: int) -> bool:
    """Return whether a run was killed, or failed, after its last step and before its report."""
    return run.state in ("killed", "failed") and all(row["step"] != step for row in run.report_rows)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
