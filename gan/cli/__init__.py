"""The command line: `gan fit | sweep | resume | runs | …`. This file only dispatches."""

import sys
from collections.abc import Sequence
from pathlib import Path

import gan
from gan.base.errors import UserError
from gan.cli.output import make_lasting

HELP = """\
usage: gan COMMAND [options]

Train, measure and compare small-image GANs.

commands:
  fit        train a GAN             gan fit --config quickstart
  sweep      runs of an ablation     gan sweep priors --data.root DIR
  resume     go on with a run        gan resume RUN --trainer.max_steps 20000
  runs       list runs               gan runs DIR
  diff       compare two runs        gan diff RUN RUN
  report     compare many runs       gan report DIR --by recipe.prior
  bundle     archive for reports     gan bundle DIR
  sample     draw images             gan sample RUN --num 100 --out grid.png
  evaluate   measure a generator     gan evaluate RUN
  evaluator  train what measures     gan evaluator folder --data.root DIR
  export     ONNX, a model card      gan export RUN --out DIR
  data       prepare and verify      gan data mnist --data.root DIR
  new        a method of your own    gan new MyGAN

options: --help (`gan COMMAND --help` for a command's), --version

Wherever a command takes a checkpoint it takes a run. Exit codes: 0 done, 1 failed, 2 a mistake of
yours, 3 stopped by its time, 4 by the disk, 6 by the watchdog, 128 + n by signal n; 5 diverged.
"""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code, or with 2 after a user's mistake."""
    make_lasting()
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Console scripts do not import from the working directory, where the user's own priors and variants are. It comes
    # last in the path, so that no file there hides a library. Commands that read somebody's run get it only with
    # --allow-import.
    own_code = words[:1] in (["fit"], ["sweep"], ["data"], ["evaluator"])
    if (own_code or "--allow-import" in " ".join(words)) and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))
    try:
        sys.exit(_dispatch(words))
    except UserError as error:
        print(f"gan: error: {error}", file=sys.stderr)
        sys.exit(error.code)
    except KeyboardInterrupt:
        print("gan: interrupted", file=sys.stderr)
        sys.exit(130)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if words[0] == "--version":
        print(f"gan {gan.__version__}")
        return 0
    from gan.cli import commands

    return commands.run(words[0], words[1:])


if __name__ == "__main__":
    main()
