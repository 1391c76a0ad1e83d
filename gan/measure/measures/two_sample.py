"""Two-sample tests: can real images and fakes be told apart? Accuracies of 0.5 are best, 1 is worst."""

from typing import Any, NamedTuple

import torch
from scipy.stats import binomtest
from torch import Generator, Tensor, nn

from gan.measure.measure import Measure, Seen
from gan.measure.measures.distances import nearest

STEPS, RATE, DECAY, HIDDEN = 400, 1e-2, 1e-3, 64  # of the classifier, full batches


class Accuracies(NamedTuple):
    """Shares of samples that are recognised as what they are."""

    accuracy: float
    real: float
    fake: float
    p: float  # two-sided, of the hypothesis that accuracy is 0.5


def nearest_neighbour_test(real: Tensor, fake: Tensor) -> Accuracies:
    """Return the leave-one-out accuracies of 1-nearest neighbour (Lopez-Paz & Oquab, 2017; Xu et al., 2018).

    Real (N, D) and fake features (N, D), as many of each: otherwise 0.5 would not be the best. Real accuracy near 0
    with fake accuracy near 0 means copies of the real images. Neighbours of several images make the outcomes dependent,
    so that `p` is somewhat too small.
    """
    if len(real) != len(fake):
        raise ValueError(f"as many real images as fakes, not {len(real)} and {len(fake)}")
    both = torch.cat([real, fake])
    of_real = nearest(both, both, themselves=True)[1][:, 0] < len(real)
    return _accuracies(of_real[: len(real)], ~of_real[len(real) :])


def classifier_test(real: Tensor, fake: Tensor, generator: Generator) -> Accuracies:
    """Return the accuracies of a small network on held-out halves (Lopez-Paz & Oquab, 2017, sec. 3).

    One hidden layer of 64 ReLUs learns on one half of the standardised real (N, D) and fake features (M, D) and is
    tested on the other. Initial weights and halves are drawn from `generator`.
    """
    count = min(len(real), len(fake))
    kinds = [part[torch.randperm(len(part), generator=generator)[:count]].detach().cpu() for part in (real, fake)]
    train, test = (
        torch.cat([part[half] for part in kinds]).double() for half in (slice(0, count // 2), slice(count // 2, None))
    )
    mean, scale = train.mean(dim=0), train.std(dim=0)
    train, test = ((part - mean) / scale.where(scale > 0, 1) for part in (train, test))
    wanted = (torch.arange(len(train)) < len(train) // 2).double()  # 1: real
    with torch.random.fork_rng(devices=[]):  # these weights are replaced
        network = nn.Sequential(nn.Linear(train.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            bound = parameter.shape[-1] ** -0.5
            parameter.copy_((2 * torch.rand(parameter.shape, generator=generator, dtype=torch.float64) - 1) * bound)
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=DECAY)
    with torch.enable_grad():
        for _ in range(STEPS):
            loss = nn.functional.binary_cross_entropy_with_logits(network(train)[:, 0], wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        says_real = network(test)[:, 0] > 0
    return _accuracies(says_real[: len(test) // 2], ~says_real[len(test) // 2 :])


def _accuracies(real: Tensor, fake: Tensor) -> Accuracies:
    right = int(real.sum()) + int(fake.sum())
    number = len(real) + len(fake)
    shares = (right / number, float(real.double().mean()), float(fake.double().mean()))
    return Accuracies(*shares, float(binomtest(right, number, 0.5).pvalue))


def nearest_neighbour() -> Measure:
    """Return `nn_accuracy`, how often the nearest neighbour tells real images from fakes, as many of each."""

    def measured(seen: Seen) -> dict[str, Any]:
        count = min(len(seen.real), len(seen.fake))
        found = nearest_neighbour_test(seen.real.features[:count], seen.fake.features[:count])
        return {f"nn_{name}": value for name, value in found._asdict().items()}

    values = {"nn_accuracy": 0.5, "nn_real": 0.5, "nn_fake": 0.5, "nn_p": None}
    return Measure("nearest_neighbour", 1, ("features",), values, measured)


def two_sample() -> Measure:
    """Return `c2st_accuracy`, how often a small network tells held-out real images from fakes."""

    def measured(seen: Seen) -> dict[str, Any]:
        found = classifier_test(seen.real.features, seen.fake.features, seen.noise)
        return {f"c2st_{name}": value for name, value in found._asdict().items()}

    values = {"c2st_accuracy": 0.5, "c2st_real": 0.5, "c2st_fake": 0.5, "c2st_p": None}
    return Measure("two_sample", 1, ("features",), values, measured)
