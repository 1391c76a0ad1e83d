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
  --logger=csv|tensorboard|wandb    where the curves go, for --trainer.logger (default tensorboard)
  --evaluation.every_n_steps=N      also .num_samples; 0 turns evaluation off
  --watchdog.every_n_steps=N        also .stop=true, to stop at an alarm; 0 turns it off
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

  --trainer.max_steps=N      train longer; all keys of trainer, scalars, image_grid, evaluation,
                             watchdog and checkpoints may change
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
       gan sweep --config NAME --grid KEY=A,B [KEY=A,B]... [--seeds 1-3] [--budget N] --name NAME

Make the runs of an ablation, runs/NAME/ARM/seed_N. The same line goes on where it stopped.

  MANIFEST                   a file, a shipped manifest by name, or the directory of a sweep
{manifests}
  --grid KEY=A,B             make a manifest: an arm for each combination; KEY is a field of the
                             recipe (prior, generator_optimizer.lr) or a key of gan fit
  --name NAME                of the sweep; default: the manifest's, with its budget if not full
  --seeds 1-5                or 1,2,7; of a sweep that has begun, more seeds
  --budget full|short|N      a budget of the manifest, or generator updates; default full
  --config, --KEY=VALUE      as for gan fit, laid over the base of all arms: --data.root=DIR
  --runs DIR                 default runs

  --dry-run                  check all, and say what it shows, how long it takes, what it keeps
  --print-commands           a line of gan fit for each run that is left
  --status                   how many runs are finished, running, failed
  --shard 3/8                make only the third of eight shares
  --retry-failed             try failed runs again

  --executor local           workers on this machine (default), slurm (submitit) or ray
  --workers N                runs at a time; default: one on each core, or GPU
  --threads N                CPU threads of a run; default: the cores, shared out
  --per-gpu N                runs that share a GPU
  --packed                   the seeds of an arm as one program (gan fit --copies)
  --hangs-after SECONDS      kill a run that has not moved for so long; default 1800
  --set KEY=VALUE            slurm: of submitit, as in slurm_partition=gpu, timeout_min=90
                             ray: of ray.init, as in address=auto
  --allow-import PACKAGE     let the manifest name code outside gan and the working directory

Ctrl-C finishes the updates, saves and exits. Exit codes: 0 all runs ended, 1 some failed, 3 some
are left, 128 + n stopped by signal n.
"""
