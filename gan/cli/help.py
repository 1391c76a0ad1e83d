"""The texts of `gan COMMAND --help`, for commands whose flags are keys of a configuration."""

FIT_HELP = """\
usage: gan fit [--config FILE|NAME]... [--model NAME] [--KEY=VALUE]... [--run DIR] [--resume]

Train a GAN. Later configs and flags win, key by key; null removes a key. Values are YAML.

  --config quickstart               a file, or a shipped config by name:
{configs}
  --model MLPGAN                    the variant, or an importable path:
{variants}
  --model.recipe.FIELD=VALUE        the recipe, e.g. --model.recipe.prior=uniform
                                    --model.recipe.discriminator_optimizer.lr=0.5
  --data.name=NAME                  the data set, or an importable path; keys: see gan data --help
{data_sets}
  --data.root=DIR                   where the images are; also .source, .split
  --trainer.max_steps=N             generator updates; any argument of Lightning's Trainer
  --evaluation.every_n_steps=N      also .num_samples; 0 turns evaluation off
  --checkpoints.every_n_steps=N     also .milestones=[1000,5000]
  --image_grid.every_n_steps=N      also .num_images
  --scalars.every_n_steps=N
  --seed_everything=N               default 1
  --seeds.SOURCE=N                  another seed for init, order, noise or dropout alone
  --threads=N                       CPU threads of each process; default: what fits the machine
  --run DIR                         default runs/<config>/<variant>/seed_<n>
  --copies N                        N seeds, from the run's on, as one program: runs DIR/seed_<n>
  --resume                          start the run, or go on with it, or leave it if it is finished;
                                    so the same line may be given again
  --overwrite                       empty a used run directory first
  --alone                           one process, whatever torchrun or srun put into the environment
  --allow-import PACKAGE            let a config name code outside gan and the working directory
  --print_config                    print the resolved configuration, every recipe field, and stop

Ctrl-C finishes the update, saves and exits; `gan resume RUN` goes on.
"""

RESUME_HELP = """\
usage: gan resume RUN... [--KEY=VALUE]... [--allow-import PACKAGE]...

Go on with a run from its last checkpoint, bit for bit where it stopped. Several runs, which differ
in their seeds alone, go on as one program.

  --trainer.max_steps=N      train longer; all keys of trainer, scalars, image_grid, evaluation and
                             checkpoints may change
  --threads=N                so may the number of threads, and then not bit for bit
  --data.root=DIR            and so may the place of the same files; recipe, data set, seed may not
  --allow-import PACKAGE     import the run's own code from this package outside gan
  --other-world-size         go on with another number of processes, which is not bit for bit
  --alone                    one process, whatever torchrun or srun put into the environment
"""

DATA_HELP = """\
usage: gan data NAME [--data.KEY=VALUE]...

Find, download if need be, read and verify a data set; print its origin and counts as JSON.

  NAME                  one of the list below, or an importable path
  --data.root=DIR       folder of its files; what is downloaded goes there, too. It must have them
                        or get them; the default, data, need not if a set has other images
  --data.source=SOURCE  where its images come from (default auto)
  --data.split=SPLIT    which images are trained on (default: the first)
  --data.KEY=VALUE      a key of its own, as for gan fit

{table}
"""

SWEEP_HELP = """\
usage: gan sweep MANIFEST [options]
       gan sweep --config NAME --grid KEY=A,B [KEY=A,B]... [--seeds 1-3] --name NAME [options]

Make the runs of an ablation, runs/NAME/ARM/seed_N. The same line goes on where it stopped.
"""
