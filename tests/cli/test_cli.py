"""Help, version, and mistakes on the command line: one line, exit code 2, nothing written."""

import re
import subprocess
import sys

import pytest
from run_support import DATA, QUIET, SMALL, TINY, error_line, gan

import gan as package
from gan.base.errors import UserError

FIT = ("fit", *TINY["MLPGAN"], *SMALL, *DATA, *QUIET, "--trainer.max_steps=2", "--run=run")


SCREENS = [([], 24), (["--help"], 24), (["-h"], 24), (["fit", "--help"], 40), (["sweep", "--help"], 42)]


@pytest.mark.parametrize(("words", "most"), SCREENS)
def test_help_fits_a_screen(words, most, capsys):
    assert gan(*words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert 5 < len(lines) <= most
    assert max(map(len, lines)) <= 100


@pytest.mark.parametrize("command", ["resume", "sample", "evaluate", "export", "data"])
def test_each_command_explains_itself(command, capsys):
    assert gan(command, "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"gan {command}" in lines[0]
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 100


def test_help_names_every_command_shipped_config_and_section(capsys):
    from gan.cli.commands import COMMANDS
    from gan.runs.config import SECTIONS, shipped_configs

    gan("--help")
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in COMMANDS)
    gan("fit", "--help")
    text = capsys.readouterr().out
    assert all(f"--{section}." in text for section in SECTIONS)
    assert all(name in text for name in shipped_configs() if "/" not in name)


def test_version(capsys):
    assert gan("--version") == 0
    assert capsys.readouterr().out == f"gan {package.__version__}\n"


QUICK = """
import resource, sys
import gan
from gan.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    print(end.code, file=sys.stderr)
used = resource.getrusage(resource.RUSAGE_SELF)
assert used.ru_utime + used.ru_stime < 0.5, used
assert not {"torch", "numpy", "pytorch_lightning"} & sys.modules.keys()
"""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--help"], "0"),
        (["--version"], "0"),
        (["fits"], "did you mean 'fit'"),
        (["fit", "--config=quickstrat"], "did you mean 'quickstart'"),
        (["fit", "--modle=DCGAN"], "did you mean 'model'"),
        (["fit", "--config=top.yaml"], "unknown key 'modle'; did you mean 'model'"),
        (["fit", "--config=broken.yaml"], "not readable as YAML"),
        (["fit", "--config=twice.yaml"], "'max_steps' is given twice, in line 3 and in line 4"),
        (["fit", "--trainer.max_steps"], "needs a value"),
        (["fit", "--trainer.max_steps=["], "cannot read '['"),
        (["fit", "--run"], "needs a value"),
        (["resume", "nowhere"], "not a run"),
        (["resume", "nowhere", "--model.recipe.prior=uniform"], "may not change on resuming"),
        (["data", "mnist", "--data.root"], "needs a value"),
        (["sample", "nowhere", "--out=a.jpg"], "must end in .npz"),
        (["evaluate", "nowhere", "--num=1"], "--num must be a whole number from 2"),
        (["export", "nowhere", "--out=."], "is in use"),
    ],
)
def test_what_needs_no_torch_is_answered_before_it_is_imported(words, says, tmp_path):
    (tmp_path / "top.yaml").write_text("modle: MLPGAN\n")
    (tmp_path / "broken.yaml").write_text("model: [")
    (tmp_path / "twice.yaml").write_text("model: MLPGAN\ntrainer:\n  max_steps: 1\n  max_steps: 2\n")
    done = subprocess.run([sys.executable, "-c", QUICK, *words], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert says in done.stderr


@pytest.mark.parametrize(
    ("flags", "named", "near"),
    [
        (["--modle=DCGAN"], "modle", "'model'"),
        (["--traner.max_steps=3"], "traner", "'trainer'"),
        (["--overwrit"], "overwrit", "'overwrite'"),
        (["--trainer.max_step=3"], "trainer.max_step", "'max_steps'"),
        (["--trainer.max_epoch=3"], "trainer.max_epoch", "'max_epochs'"),
        (["--data.sorce=idx"], "data.sorce", "'source'"),
        (["--evaluation.every_n_step=3"], "evaluation.every_n_step", "'every_n_steps'"),
        (["--image_grid.num_image=3"], "image_grid.num_image", "'num_images'"),
        (["--checkpoints.milestone=[3]"], "checkpoints.milestone", "'milestones'"),
        (["--scalars.every=3"], "scalars.every", "'every_n_steps'"),
        (["--model.recipes.prior=uniform"], "model.recipes", "'recipe'"),
        (["--model.recipe.piror=uniform"], "piror", "'prior'"),
        (["--model.recipe.generator_optimiser.lr=0.1"], "generator_optimiser", "'generator_optimizer'"),
        (["--model.recipe.prior=unifrom"], "recipe.prior", "'uniform'"),
        (["--model.recipe.generator_optimizer.momentun=0.1"], "momentun", "'momentum'"),
        (["--model.recipe.generator.width=[3]"], "'width'", "'widths'"),
        (["--model.recipe.generator.activation.slop=0.1"], "'slop'", "'slope'"),
        (["--model.recipe.generator.activation=leaky_rely"], "activation", "'leaky_relu'"),
        (["--model.recipe.generator_schedules.momentum.finale=0.1"], "finale", "'final'"),
        (["--model.recipe.balance.hihg=0.1"], "hihg", "'high'"),
        (["--model=MLPGANN"], "MLPGANN", "'MLPGAN'"),
        (["--data.name=minst"], "data.name", "'mnist'"),
        (["--data.source=embeded"], "data.source", "'embedded'"),
        (["--config=systems/mlp_gann"], "systems/mlp_gann", "'systems/mlp_gan'"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_nearest_valid_one(flags, named, near, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gan(*FIT, *flags) == 2
    line = error_line(capsys.readouterr().err)
    assert named in line
    assert f"did you mean {near}?" in line
    assert len(line) < 250
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--trainer.max_steps=abc"], "trainer.max_steps"),
        (["--trainer.max_steps=true"], "trainer.max_steps"),
        (["--trainer.max_steps=1.5"], "trainer.max_steps"),
        (["--trainer.precision=7"], "trainer.precision"),
        (["--trainer.devices=[a]"], "trainer.devices"),
        (["--trainer.devices=abc"], "trainer"),
        (["--trainer.accelerator=abacus"], "abacus"),
        (["--trainer.logger=CSVLoger"], "trainer.logger"),
        (["--trainer.logger.class_path=CSVLogger", "--trainer.logger.init_args.save_dirr=x"], "save_dirr"),
        (["--trainer.callbacks=nonsense"], "trainer.callbacks"),
        (["--trainer.default_root_dir=elsewhere"], "--run"),
        (["--trainer.gradient_clip_val=1"], "gradient_clip_val"),
        (["--trainer.accumulate_grad_batches=2"], "accumulate_grad_batches"),
        *[
            ([f"--trainer.precision={name}"], "allowed: auto, 32-true")
            for name in ("bf16-true", "16-true", "64", "64-true")
        ],
        (["--trainer.precision=transformer-engine"], "allowed: auto, 32-true"),
        (["--trainer.log_every_n_steps=7"], "--scalars.every_n_steps"),
        (["--trainer.val_check_interval=5"], "--evaluation.every_n_steps"),
        (["--trainer.check_val_every_n_epoch=1"], "--evaluation.every_n_steps"),
        (["--trainer.limit_test_batches=0.5"], "limit_test_batches"),
        (["--trainer.limit_val_batches=5"], "limit_val_batches"),
        (["--trainer.limit_predict_batches=5"], "limit_predict_batches"),
        (["--trainer.num_sanity_val_steps=0"], "num_sanity_val_steps"),
        (["--trainer.overfit_batches=0.0"], "overfit_batches"),
        (["--trainer.strategy=fsdp"], "fsdp"),
        (["--trainer.strategy=deepspeed"], "deepspeed"),
        (["--trainer.strategy=ddp_spawn"], "ddp_spawn"),
        (["--evaluation.every_n_steps=abc"], "evaluation.every_n_steps"),
        (["--evaluation.every_n_steps=true"], "evaluation.every_n_steps"),
        (["--evaluation.every_n_steps=-5"], "evaluation.every_n_steps"),
        (["--evaluation.num_samples=1"], "evaluation.num_samples"),
        (["--evaluation.data=3"], "evaluation.data"),
        (["--scalars.every_n_steps=-1"], "scalars.every_n_steps"),
        (["--image_grid.num_images=0"], "image_grid.num_images"),
        (["--checkpoints.milestones=[a]"], "checkpoints.milestones"),
        (["--checkpoints.milestones=[0]"], "checkpoints.milestones"),
        (["--checkpoints.milestones=5"], "checkpoints.milestones"),
        (["--seed_everything=True"], "seed_everything"),
        (["--seed_everything=-1"], "seed_everything"),
        (["--seed_everything=one"], "seed_everything"),
        (["--model.recipe.batch_size=true"], "recipe.batch_size"),
        (["--model.recipe.batch_size=0"], "recipe.batch_size"),
        (["--model.recipe.d_steps=1.0"], "recipe.d_steps"),
        (["--model.recipe.latent=sometimes"], "recipe.latent"),
        (["--model.recipe.generator.widths=abc"], "widths"),
        (["--model.recipe.generator.output=relu"], "output"),
        (["--model.recipe.generator_optimizer.lr=true"], "lr"),
        (["--model.recipe.generator_optimizer.lr=fast"], "lr"),
        (["--model.recipe.generator_penalties.l2=much"], "l2"),
        (["--model.recipe.prior.name=5"], "recipe.prior"),
        (["--model.recipe.prior.name=nowhere.at_all"], "nowhere.at_all"),
        (["--model.recipe.prior=[normal]"], "recipe.prior"),
        (["--model.recipe=5"], "model.recipe"),
        (["--model.init_args=5"], "model.init_args"),
        (["--model.init_args.recipe=5"], "model.recipe"),
        (["--model.class_path=5"], "model.class_path"),
        (["--model=5"], "model"),
        (["--model=os.path.join"], "os.path.join"),
        (["--data=mnist"], "data"),
        (["--trainer=5"], "trainer"),
        (["--trainer.max_steps={"], "--trainer.max_steps"),
        (["--config"], "--config"),
        (["--run"], "--run"),
        (["--overwrite=yes"], "--overwrite"),
        (["stray"], "'stray'"),
        (["--"], "'--'"),
        (["--evaluation..num_samples=3"], "evaluation."),
        (["--run=a::b"], "--run 'a::b'"),
        (["--run=file:x"], "./NAME"),
        (["--run=$HOME/x"], "not expanded"),
        (["--run=a\0b"], "control character"),
        (["--run=\udcff"], "UTF-8"),
        (["--run="], "empty"),
        (["--data.root=$HOME/x"], "not expanded"),
        (["--config=s3://bucket/c.yaml"], "--config"),
        (["--seed=3"], "did you mean 'seed_everything'"),
        (["--epochs=3"], "did you mean 'trainer.max_epochs'"),
        (["--lr=3"], "did you mean 'model.recipe.generator_optimizer.lr'"),
        (["--model.recipe.lr=3"], "did you mean 'generator_optimizer.lr'"),
        (["--data.name=cifar10"], "did you mean 'folder'"),
        (["--data.name={name: [1]}"], "data.name"),
        (["--data." + "a." * 1500 + "b=3"], "more than 50 parts"),
        (["--trainer.max_steps=0x" + "f" * 5000], "20000 bits"),
        (["--trainer.max_steps=2024-01-01"], "stands in quotes"),
        (["--trainer.logger={class_path: TensorBoardLogger, init_args: {name: 5}}"], "name must be"),
        (["--image_grid.num_images=1000000000"], "from 1 to 10000"),
        (["--evaluation.num_samples=1000000000"], "from 2 to 1000000"),
    ],
)
def test_a_wrong_value_is_refused_in_one_line(flags, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gan(*FIT, *flags) == 2
    line = error_line(capsys.readouterr().err)
    assert named in line
    assert len(line) < 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "named"),
    [
        ("generator_optimizer.lr=-1", "generator_optimizer"),
        ("generator_weights.bound=-1", "generator_weights"),
        ("generator.widths=[-5]", "widths"),
        ("latent_dim=1000000000000", "latent_dim"),
        ("generator_schedules.lr.factor=0", "generator_schedules.lr"),
        ("prior=torch.randn", "prior"),
        ("loss=torch.relu", "loss"),
        ("generator_penalties.l2=.nan", "l2"),
        ("generator_optimizer.lr=.nan", "generator_optimizer: lr must be a finite number"),
        ("batch_size=1000000000000", "batch_size must be a whole number from 1 to 1048576"),
        (f"generator.widths={[1] * 20_000}", "widths has 20,000 numbers; allowed: 200"),
        (f"discriminator.widths={[1] * 20_000}", "widths has 20,000 numbers; allowed: 200"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_refused_in_one_line(flag, named, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert gan(*FIT, f"--model.recipe.{flag}") == 2
    line = error_line(capsys.readouterr().err)
    assert named in line
    assert len(line) < 400
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "flag",
    [
        "generator_weights=normal",
        "discriminator_biases=constant",
        "generator_optimizer=adam",
        "generator_optimizer=momentum_sgd",
        "discriminator_schedules.lr=exponential_decay",
        "schedules.ema_decay=linear_ramp",
        "generator={name: mlp}",
    ],
)
def test_the_flags_of_an_error_line_can_be_pasted_and_work(flag):
    """They are added until nothing is refused any more."""
    from run_support import resolved

    words = ["--model=MLPGAN", f"--model.recipe.{flag}"]
    for _ in range(3):
        try:
            assert resolved(*words)
            return
        except UserError as error:
            (flag, value), *_ = re.findall(r"(--model\.\S+=)(\"[^\"]*\"|\S+)", str(error))
            words.append(flag + value.strip('"'))
    raise AssertionError(words)


@pytest.mark.parametrize("precision", ["32", "32-true", "16", "16-mixed", "bf16", "bf16-mixed"])
def test_precisions_of_autocast_are_allowed(precision):
    from gan.runs.trainer import TRAINER_DEFAULTS, check_trainer

    for value in (precision, int(precision) if precision.isdigit() else precision):
        check_trainer(TRAINER_DEFAULTS | {"precision": value})


def test_an_unknown_command_gets_the_nearest(capsys):
    assert gan("fits") == 2
    assert "did you mean 'fit'?" in error_line(capsys.readouterr().err)


def test_fit_without_a_variant_says_what_there_is(capsys):
    assert gan("fit") == 2
    assert "MLPGAN" in error_line(capsys.readouterr().err)


@pytest.mark.parametrize("command", ["sample", "evaluate", "export", "data"])
def test_other_commands_refuse_unknown_and_abbreviated_options(command, capsys):
    rest = {"sample": ["--out", "x.png"], "export": ["--out", "x"]}.get(command, [])
    for option in ("--allow=x", "--data.r=x", "--nonsense"):
        assert gan(command, "mnist", *rest, option) == 2
        line = error_line(capsys.readouterr().err)
        assert option.split("=")[0].removeprefix("--") in line
        assert f"gan {command} --help" in line


def test_the_data_command_prints_what_it_verified(capsys, mnist_root):
    import json

    assert gan("data", "mnist", "--data.root", mnist_root, "--data.source", "idx") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["official"] is True
    assert found["counts"]["test"] == 10_000
