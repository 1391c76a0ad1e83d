"""Does a generator copy its training images? Compare its distances from them with those of held-out images."""

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.cluster.vq import kmeans2
from scipy.stats import rankdata
from torch import Generator, Tensor

from gan.measure.measure import Measure, Seen
from gan.measure.measures.distances import nearest

CELLS = 10
RARE = 20  # fakes, and held-out images, that a cell needs to count


class Copying(NamedTuple):
    """How near fakes are to training images."""

    c_t: float  # standard deviations: below -3 fakes are too near (copies), above 3 too far (underfit)
    closer: float  # share of pairs of a fake and a held-out image whose fake is the nearer one; 0.5 is best
    distances: Tensor  # (M,) of the fakes from their nearest training images
    neighbours: Tensor  # (M,) indices of these


def copying(train: Tensor, held_out: Tensor, fake: Tensor, generator: Generator) -> Copying:
    """Return the test of Meehan et al. (2020), sec. 3.2, of features or pixels (N, D), (H, D) and (M, D).

    The space is cut into ten cells around means of training images. In each, a Mann-Whitney test compares the distances
    of fakes and of held-out images from their nearest training images; C_T is the mean of its z over cells, weighted by
    the held-out images in them. Cells with fewer than 20 of either are left out. It is NaN if that leaves none.
    """
    of_fakes, neighbours = nearest(fake, train)
    of_held_out, _ = nearest(held_out, train)
    fakes, others = of_fakes[:, 0].numpy(), of_held_out[:, 0].numpy()
    cells = min(CELLS, len(train))
    seed = int(torch.randint(2**31, (), generator=generator))
    rows = train.detach().flatten(1).double().cpu()
    centres = torch.from_numpy(kmeans2(rows.numpy(), cells, minit="++", seed=np.random.default_rng(seed))[0])
    cell_of_fakes, cell_of_others = (nearest(part, centres)[1][:, 0].numpy() for part in (fake, held_out))
    scores, weights = [], []
    for cell in range(cells):
        a, b = fakes[cell_of_fakes == cell], others[cell_of_others == cell]
        if min(len(a), len(b)) >= RARE:
            scores.append(_z(a, b))
            weights.append(len(b))
    c_t = float(np.average(scores, weights=weights)) if weights else float("nan")
    return Copying(c_t, 1 - _larger(fakes, others) / (len(fakes) * len(others)), of_fakes[:, 0], neighbours[:, 0])


def _larger(a: np.ndarray, b: np.ndarray) -> float:
    """Return U: the number of pairs with a > b, ties counted half."""
    return float(rankdata(np.concatenate([a, b]))[: len(a)].sum() - len(a) * (len(a) + 1) / 2)


def _z(a: np.ndarray, b: np.ndarray) -> float:
    """Return the standardised U, with the variance that ties leave."""
    n, m = len(a), len(b)
    counts = np.unique(np.concatenate([a, b]), return_counts=True)[1].astype(float)
    ties = (counts**3 - counts).sum() / ((n + m) * (n + m - 1))
    variance = n * m / 12 * (n + m + 1 - ties)
    return (_larger(a, b) - n * m / 2) / variance**0.5 if variance > 0 else 0.0


def memorisation(*, pairs: int = 16) -> Measure:
    """Return `c_t`, whether fakes are nearer to training images than unseen real images are, and `closer`.

    `closest_pairs` are [fake, training image, distance], numbered from 0, of the fakes that are nearest to one.
    """
    if pairs < 0:
        raise ValueError(f"pairs must be at least 0, got {pairs}")

    def measured(seen: Seen) -> dict[str, Any]:
        assert seen.train is not None, "the measure needs them"
        found = copying(seen.train.features, seen.real.features, seen.fake.features, seen.noise)
        nearest_fakes = found.distances.argsort(stable=True)[:pairs].tolist()
        closest = [[n, int(found.neighbours[n]), float(found.distances[n])] for n in nearest_fakes]
        return {"c_t": found.c_t, "closer": found.closer, "closest_pairs": closest}

    return Measure(
        "memorisation",
        1,
        ("features", "train"),
        {"c_t": 0.0, "closer": 0.5},
        measured,
        units={"c_t": "standard deviations"},
    )
