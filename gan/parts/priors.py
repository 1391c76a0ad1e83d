"""Noise priors: functions of (shape, generator) that return a latent of that shape, (N, latent_dim), float32.

Every number comes from the generator handed in, on its device; the global random state is never used. Parameters are
keyword-only; values that make no distribution raise ValueError, one line.

A prior's rule of interpolation, `prior.interpolation`, is a function of (start, end, t) and the prior's parameters. It
*matches* its prior: for independent start and end drawn from the prior, the latents at any t between 0 and 1 are
distributed as the prior, so that G is only ever shown latents such as it was trained on. Linear interpolation matches
none of the priors here: halfway between two normal latents the variance is 1/2 (White, 2016). Call a rule through
`interpolate`, which hands it the prior's parameters and gives the ends as they are.
"""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Generator, Tensor
from torch.nn.functional import normalize, one_hot

Rule = Callable[..., Tensor]
Prior = TypeVar("Prior", bound=Callable[..., Tensor])


def interpolated_by(rule: Rule) -> Callable[[Prior], Prior]:
    """Give a prior its rule: a function of (start (N, d), end (N, d), t) and every parameter that the prior has."""

    def attach(prior: Prior) -> Prior:
        prior.interpolation = rule  # type: ignore[attr-defined]
        return prior

    return attach


def interpolate(prior: Callable[..., Tensor], start: Tensor, end: Tensor, t: float) -> Tensor:
    """Latents (N, d) at t in [0, 1] of the way from start (N, d) to end (N, d): exactly start at 0, exactly end at 1.

    `prior` is a prior, or a functools.partial that binds its parameters. A prior without a rule is interpolated
    linearly, which narrows every prior of finite variance. Raises ValueError for another t and for unequal shapes.
    """
    if not 0 <= t <= 1:
        raise ValueError(f"interpolate: t must be between 0 and 1, not {t}")
    if start.shape != end.shape:
        raise ValueError(f"interpolate: start {tuple(start.shape)} and end {tuple(end.shape)} must have one shape")
    if t in (0, 1):  # a way there and back through the normal distribution would round
        return (start, end)[int(t)].clone()
    function = getattr(prior, "func", prior)  # of a partial
    rule = getattr(function, "interpolation", None)
    if rule is None:
        return torch.lerp(start, end, t)
    parameters: dict[str, Any] = getattr(function, "__kwdefaults__", None) or {}
    return rule(start, end, t, **parameters | getattr(prior, "keywords", {}))


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:  # NaN fails, too
        raise ValueError(f"{name} must be a positive number, not {value}")


def _nearer(start: Tensor, end: Tensor, t: float) -> Tensor:
    return start if t < 0.5 else end


def interpolate_normal(start: Tensor, end: Tensor, t: float) -> Tensor:
    """((1 - t) start + t end) / sqrt((1 - t)² + t²): a sum of independent normals, at their own variance, any."""
    return ((1 - t) * start + t * end) / math.hypot(1 - t, t)


@interpolated_by(interpolate_normal)
def normal(shape: tuple[int, int], generator: Generator) -> Tensor:
    """N(0, 1)."""
    return torch.randn(shape, generator=generator, device=generator.device)


def interpolate_uniform(start: Tensor, end: Tensor, t: float, *, bound: float) -> Tensor:
    """As normal latents, through the inverse distribution function and back: erf of a N(0, 1/2) is U(-1, 1)."""
    limit = 1 - 2**-53  # the double next to 1: erfinv is infinite at the bounds, where opposite ends would give NaN
    start_score, end_score = (torch.erfinv((latent.double() / bound).clamp(-limit, limit)) for latent in (start, end))
    return (bound * torch.erf(interpolate_normal(start_score, end_score, t))).to(start.dtype)


@interpolated_by(interpolate_uniform)
def uniform(shape: tuple[int, int], generator: Generator, *, bound: float = 1.0) -> Tensor:
    """U(-bound, bound); U(-1, 1) is DCGAN's (Radford et al., 2016, sec. 4)."""
    _check_positive("uniform: bound", bound)
    return torch.rand(shape, generator=generator, device=generator.device).mul_(2 * bound).sub_(bound)


def _to_truncated(uniform_latent: Tensor, bound: float) -> Tensor:
    """U(-1, 1) -> N(0, 1) within ±bound, by the inverse of its distribution function; float64."""
    within = math.erf(bound / math.sqrt(2))  # the probability of |z| <= bound
    return torch.erfinv(within * uniform_latent).mul(math.sqrt(2)).clamp(-bound, bound)  # erfinv(±1) is infinite


def interpolate_truncated_normal(start: Tensor, end: Tensor, t: float, *, bound: float) -> Tensor:
    """As uniform latents, through the distribution function of the truncated normal and back."""
    within = math.erf(bound / math.sqrt(2))
    start_flat, end_flat = (torch.erf(latent.double() / math.sqrt(2)) / within for latent in (start, end))
    return _to_truncated(interpolate_uniform(start_flat, end_flat, t, bound=1.0), bound).to(start.dtype)


@interpolated_by(interpolate_truncated_normal)
def truncated_normal(shape: tuple[int, int], generator: Generator, *, bound: float = 2.0) -> Tensor:
    """N(0, 1) given |z| <= bound, of variance 0.77 at 2; BigGAN's at sampling (Brock et al., 2019, sec. 3.1)."""
    _check_positive("truncated_normal: bound", bound)
    noise = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)  # float32 has no tails
    return _to_truncated(2 * noise - 1, bound).float()


def interpolate_spherical(start: Tensor, end: Tensor, t: float) -> Tensor:
    """Along the great circle, at constant speed (Shoemake, 1985); between opposite latents along one of them."""
    a, b = (normalize(latent.double(), dim=1) for latent in (start, end))
    cosine = (a * b).sum(dim=1, keepdim=True)  # (N, 1)
    across = b - cosine * a  # (N, d), perpendicular to a, of length sin(angle)
    angle = torch.atan2(across.norm(dim=1, keepdim=True), cosine)
    # Where b = -a every perpendicular leads to it: take that of a's smallest coordinate. In one dimension there is
    # none, the point stays on the line, and the last division makes it ±1. Where b = a the angle is 0.
    axis = one_hot(a.abs().argmin(dim=1), a.shape[1]).to(a)
    across = torch.where(angle < math.pi - 1e-12, across, axis - (axis * a).sum(dim=1, keepdim=True) * a)
    point = torch.cos(t * angle) * a + torch.sin(t * angle) * normalize(across, dim=1)
    return (math.sqrt(a.shape[1]) * point / point.norm(dim=1, keepdim=True)).to(start.dtype)


@interpolated_by(interpolate_spherical)
def spherical(shape: tuple[int, int], generator: Generator) -> Tensor:
    """Uniform on the sphere of radius sqrt(latent_dim), so that each number has variance 1."""
    # float64: a float32 normal is exactly 0 once in 2^24, which has no direction in one dimension
    noise = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return (math.sqrt(shape[1]) * normalize(noise, dim=1)).float()


def interpolate_bernoulli(start: Tensor, end: Tensor, t: float, *, probability: float) -> Tensor:
    """The first t d numbers, rounded, from end, the others from start, at any probability."""
    switched = round(t * start.shape[1])
    return torch.cat([end[:, :switched], start[:, switched:]], dim=1)


@interpolated_by(interpolate_bernoulli)
def bernoulli(shape: tuple[int, int], generator: Generator, *, probability: float = 0.5) -> Tensor:
    """Independent numbers, +1 with this probability, else -1."""
    if not 0 <= probability <= 1:
        raise ValueError(f"bernoulli: probability must be between 0 and 1, not {probability}")
    return (torch.rand(shape, generator=generator, device=generator.device) < probability).float().mul_(2).sub_(1)


def _centres(component: Tensor, latent_dim: int, distance: float) -> Tensor:
    """Component numbers (N,) -> centres (N, latent_dim): `distance` along axis k, or against axis k - latent_dim."""
    sign = 1 - 2 * (component >= latent_dim).float()
    return distance * sign[:, None] * one_hot(component % latent_dim, latent_dim)


def interpolate_mixture(
    start: Tensor, end: Tensor, t: float, *, components: int, distance: float, std: float
) -> Tensor:
    """The nearer end's centre, with the two residuals interpolated as normal latents, at any std.

    A latent's component is taken to be that of the nearest centre. Where components overlap this is not always the
    one that drew it; of the defaults' latents it misses about one in 10,000, and the rule is exact up to those.
    """
    dim = start.shape[1]
    # All centres are equally long: the nearest has the largest inner product, ± one coordinate.
    nearest = (torch.cat([latent, -latent], dim=1)[:, :components].argmax(dim=1) for latent in (start, end))
    start_centre, end_centre = (_centres(component, dim, distance) for component in nearest)
    return _nearer(start_centre, end_centre, t) + interpolate_normal(start - start_centre, end - end_centre, t)


@interpolated_by(interpolate_mixture)
def mixture(
    shape: tuple[int, int], generator: Generator, *, components: int = 10, distance: float = 3.0, std: float = 0.5
) -> Tensor:
    """Equal mixture of isotropic Gaussians of this std, centred `distance` from the origin on the axes.

    Centre k lies along axis k, or against axis k - latent_dim from k = latent_dim on. ValueError for more components
    than the 2 latent_dim half-axes.
    """
    if not 1 <= components <= 2 * shape[1]:
        raise ValueError(f"mixture: components must be 1 to 2 latent_dim = {2 * shape[1]}, not {components}")
    if not 0 <= distance < math.inf:
        raise ValueError(f"mixture: distance must be 0 or a positive number, not {distance}")
    _check_positive("mixture: std", std)
    component = torch.randint(components, shape[:1], generator=generator, device=generator.device)
    noise = torch.randn(shape, generator=generator, device=generator.device)
    return _centres(component, shape[1], distance) + std * noise


def interpolate_coded(start: Tensor, end: Tensor, t: float, *, categories: int, continuous: int) -> Tensor:
    """The nearer end's category; continuous codes as uniform latents, noise as normal ones."""
    sizes = [categories, continuous, start.shape[1] - categories - continuous]
    (start_category, start_code, start_noise), (end_category, end_code, end_noise) = (
        start.split(sizes, 1),
        end.split(sizes, 1),
    )
    return torch.cat(
        [
            _nearer(start_category, end_category, t),
            interpolate_uniform(start_code, end_code, t, bound=1.0),
            interpolate_normal(start_noise, end_noise, t),
        ],
        dim=1,
    )


@interpolated_by(interpolate_coded)
def coded(shape: tuple[int, int], generator: Generator, *, categories: int = 10, continuous: int = 2) -> Tensor:
    """InfoGAN's latent: a one-hot category, then codes of U(-1, 1), then noise of N(0, 1), at least one number.

    Its MNIST network has 10 categories, 2 codes and 62 numbers of noise (Chen et al., 2016, sec. 7.2, appendix C.1).
    """
    if categories < 1:
        raise ValueError(f"coded: categories must be at least 1, not {categories}")
    if continuous < 0:
        raise ValueError(f"coded: continuous must be at least 0, not {continuous}")
    num, latent_dim = shape
    if latent_dim < categories + continuous + 1:
        raise ValueError(
            f"coded: latent_dim must be at least categories + continuous + 1 = {categories + continuous + 1}, "
            f"not {latent_dim}"
        )
    device = generator.device
    category = one_hot(torch.randint(categories, (num,), generator=generator, device=device), categories)
    code = torch.rand((num, continuous), generator=generator, device=device).mul_(2).sub_(1)
    noise = torch.randn((num, latent_dim - categories - continuous), generator=generator, device=device)
    return torch.cat([category, code, noise], dim=1)


PRIORS = {
    "normal": normal,
    "uniform": uniform,
    "truncated_normal": truncated_normal,
    "spherical": spherical,
    "bernoulli": bernoulli,
    "mixture": mixture,
    "coded": coded,
}
