"""What a person most likely meant by a word that is not known."""

import difflib
from collections.abc import Iterable

MANY = 8  # names that an error line does not list

# A word of other programs -> what it may be called here, the likeliest first.
SYNONYMS = {
    "seed": ("seed_everything",),
    "seeds": ("seed_everything",),
    "randomseed": ("seed_everything",),
    "epochs": ("trainer.max_epochs", "max_epochs"),
    "numepochs": ("trainer.max_epochs", "max_epochs"),
    "maxepochs": ("trainer.max_epochs",),
    "steps": ("trainer.max_steps", "max_steps"),
    "maxsteps": ("trainer.max_steps",),
    "iterations": ("trainer.max_steps", "max_steps"),
    "gpus": ("trainer.devices", "devices"),
    "devices": ("trainer.devices",),
    "device": ("trainer.accelerator", "accelerator"),
    "accelerator": ("trainer.accelerator",),
    "precision": ("trainer.precision",),
    "lr": ("model.recipe.generator_optimizer.lr", "generator_optimizer.lr"),
    "learningrate": ("model.recipe.generator_optimizer.lr", "generator_optimizer.lr", "lr"),
    "batchsize": ("model.recipe.batch_size", "batch_size"),
    "latentdim": ("model.recipe.latent_dim",),
    "zdim": ("model.recipe.latent_dim", "latent_dim"),
    "nz": ("model.recipe.latent_dim", "latent_dim"),
    "prior": ("model.recipe.prior",),
    "loss": ("model.recipe.loss",),
    "recipe": ("model.recipe",),
    "optimizer": ("model.recipe.generator_optimizer", "generator_optimizer"),
    "ema": ("model.recipe.ema_decay", "ema_decay"),
    "dataset": ("data.name", "data"),
    "dataroot": ("data.root",),
    "datadir": ("data.root",),
    "root": ("data.root",),
    "output": ("run",),
    "out": ("run",),
    "outputdir": ("run",),
    "outdir": ("run",),
    "logdir": ("run",),
    "savedir": ("run",),
    "gaussian": ("normal",),
    "xavier": ("glorot_uniform",),
    "xavieruniform": ("glorot_uniform",),
    "xaviernormal": ("glorot_normal",),
    "kaiming": ("he_normal",),
    "kaimingnormal": ("he_normal",),
    "he": ("he_normal",),
    "sgd": ("momentum_sgd",),
    "bce": ("non_saturating",),
    "vanilla": ("non_saturating",),
    "gan": ("MLPGAN",),
    "cgan": ("ConditionalGAN",),
    "fashion": ("fashion_mnist",),
    "kuzushiji": ("kmnist",),
    "kuzushijimnist": ("kmnist",),
    "cifar": ("folder",),
    "cifar10": ("folder",),
    "cifar100": ("folder",),
    "celeba": ("folder",),
    "imagefolder": ("folder",),
}


def nearest(name: object, known: Iterable[str]) -> str:
    """The end of an error line: `did you mean 'x'? (allowed: …)`. A long list is given only where no name is near.

    A synonym counts first, then a name that differs only in its case or its underscores, then the nearest spelling.
    """
    known = sorted(known)
    allowed = f"allowed: {', '.join(known) or 'none'}"
    meant = meaning(name, known) or next(iter(difflib.get_close_matches(str(name)[:100], known, n=1, cutoff=0.5)), None)
    if meant is None:
        return allowed
    return f"did you mean {meant!r}?" + (f" ({allowed})" if len(known) <= MANY else "")


def meaning(name: object, known: Iterable[str]) -> str | None:
    """The known name that a word stands for elsewhere, or that differs from it in case and underscores alone.

    A synonym may be a dotted path whose first part is known.
    """
    known, word = set(known), _bare(name)
    for candidate in SYNONYMS.get(word, ()):
        if candidate.split(".")[0] in known and candidate != name:
            return candidate
    return next((other for other in sorted(known) if _bare(other) == word and other != name), None)


def _bare(name: object) -> str:
    return "".join(letter for letter in str(name).casefold() if letter.isalnum())
