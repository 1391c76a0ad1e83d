"""Noise priors: functions of (shape, generator) that return a latent of that shape, (N, latent_dim), in float32.

All random numbers come from the generator that is handed in, on its device; the global random state is never used.
Parameters are keyword-only. Values that make no distribution raise ValueError with a message of one line.

A prior may have a rule of interpolation, `prior.interpolation`. The rule is a function of (start, end, t) and of the
prior's parameters that returns the latents at t. A rule *matches* its prior if the latents at every t between 0 and 1
are distributed as the prior, for independent start and end that were drawn from the prior. G is then only shown latents
like those it was trained on. Linear interpolation matches none of the priors here: halfway between two normal latents
the variance is 1/2 (White, 2016).

Call a rule through `interpolate`. It hands the prior's parameters to the rule, and it returns the ends exactly.
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
    """A decorator that gives a prior its rule of interpolation.

    The rule is a function of start (N, d), end (N, d), t, and every parameter that the prior has.
    """

    def attach(prior: Prior) -> Prior:
        prior.interpolation = rule  # type: ignore[attr-defined]
        return prior

    return attach


def interpolate(prior: Callable[..., Tensor], start: Tensor, end: Tensor, t: float) -> Tensor:
    """Latents (N, d) at the share t in [0, 1] of the way from start (N, d) to end (N, d).

    They are exactly start at 0 and exactly end at 1. `prior` is a prior, or a functools.partial that binds its
    parameters. A prior without a rule is interpolated linearly, which narrows every prior of finite variance. Raises
    ValueError for another t and for unequal shapes.
    """
    if not 0 <= t <= 1:
        raise ValueError(f"interpolate: t must be between 0 and 1, not {t}")
    if start.shape != end.shape:
        raise ValueError(f"interpolate: start {tuple(start.shape)} and end {tuple(end.shape)} must have one shape")
    if t in (0, 1):  # a rule would round, on its way through the normal distribution and back
        return (start, end)[int(t)].clone()
    function = getattr(prior, "func", prior)  # the function inside a partial
    rule = getattr(function, "interpolation", None)
    if rule is None:
        return torch.lerp(start, end, t)
    parameters: dict[str, Any] = getattr(function, "__kwdefaults__", None) or {}
    return rule(start, end, t, **parameters | getattr(prior, "keywords", {}))


def _check_positive(name: str, value: float) -> None:
    if not 0 < value < math.inf:  # NaN fails this test, too
        raise ValueError(f"{name} must be a positive number, not {value}")


def _nearer(start: Tensor, end: Tensor, t: float) -> Tensor:
    """The end that is nearer to t."""
    return start if t < 0.5 else end


def interpolate_normal(start: Tensor, end: Tensor, t: float) -> Tensor:
    """The latents ((1 - t) start + t end) / sqrt((1 - t)² + t²).

    This sum of two independent normal latents has their own variance, whatever that is.
    """
    return ((1 - t) * start + t * end) / math.hypot(1 - t, t)


@interpolated_by(interpolate_normal)
def normal(shape: tuple[int, int], generator: Generator) -> Tensor:
    """Independent numbers from N(0, 1)."""
    return torch.randn(shape, generator=generator, device=generator.device)


def interpolate_uniform(start: Tensor, end: Tensor, t: float, *, bound: float) -> Tensor:
    """Latents that are interpolated as normal ones and mapped back to the uniform distribution.

    The maps are the inverse distribution function and the distribution function: erf of N(0, 1/2) is U(-1, 1).
    """
    limit = 1 - 2**-53  # the double next to 1: at ±1 erfinv is infinite, and opposite ends would give NaN
    start_score, end_score = (torch.erfinv((latent.double() / bound).clamp(-limit, limit)) for latent in (start, end))
    return (bound * torch.erf(interpolate_normal(start_score, end_score, t))).to(start.dtype)


@interpolated_by(interpolate_uniform)
def uniform(shape: tuple[int, int], generator: Generator, *, bound: float = 1.0) -> Tensor:
    """Independent numbers from U(-bound, bound). DCGAN uses U(-1, 1) (Radford et al., 2016, sec. 4)."""
    _check_positive("uniform: bound", bound)
    return torch.rand(shape, generator=generator, device=generator.device).mul_(2 * bound).sub_(bound)


def _to_truncated(uniform_latent: Tensor, bound: float) -> Tensor:
    """N(0, 1) within ±bound from U(-1, 1), by the inverse of its distribution function; in float64."""
    within = math.erf(bound / math.sqrt(2))  # the probability of |z| <= bound
    return torch.erfinv(within * uniform_latent).mul(math.sqrt(2)).clamp(-bound, bound)  # erfinv(±1) is infinite


def interpolate_truncated_normal(start: Tensor, end: Tensor, t: float, *, bound: float) -> Tensor:
    """Latents that are interpolated as uniform ones and mapped back to the truncated normal distribution."""
    within = math.erf(bound / math.sqrt(2))
    start_flat, end_flat = (torch.erf(latent.double() / math.sqrt(2)) / within for latent in (start, end))
    return _to_truncated(interpolate_uniform(start_flat, end_flat, t, bound=1.0), bound).to(start.dtype)


@interpolated_by(interpolate_truncated_normal)
def truncated_normal(shape: tuple[int, int], generator: Generator, *, bound: float = 2.0) -> Tensor:
    """Independent numbers from N(0, 1) given |z| <= bound; the variance is 0.77 at bound 2.

    BigGAN draws samples with this prior (Brock et al., 2019, sec. 3.1).
    """
    _check_positive("truncated_normal: bound", bound)
    # In float64, because float32 would miss the tails.
    noise = torch.rand(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return _to_truncated(2 * noise - 1, bound).float()


def interpolate_spherical(start: Tensor, end: Tensor, t: float) -> Tensor:
    """Latents on the great circle through start and end, at constant speed in t (Shoemake, 1985).

    Between opposite latents there are many great circles; one of them is taken.
    """
    a, b = (normalize(latent.double(), dim=1) for latent in (start, end))
    cosine = (a * b).sum(dim=1, keepdim=True)  # (N, 1)
    across = b - cosine * a  # (N, d), perpendicular to a, of length sin(angle)
    angle = torch.atan2(across.norm(dim=1, keepdim=True), cosine)
    # If b = -a, every perpendicular of a leads to b. The one made from the axis of a's smallest coordinate is taken. In
    # one dimension there is no perpendicular: the point stays on the line, and the last division makes it ±1. If b = a,
    # the angle is 0.
    axis = one_hot(a.abs().argmin(dim=1), a.shape[1]).to(a)
    across = torch.where(angle < math.pi - 1e-12, across, axis - (axis * a).sum(dim=1, keepdim=True) * a)
    point = torch.cos(t * angle) * a + torch.sin(t * angle) * normalize(across, dim=1)
    return (math.sqrt(a.shape[1]) * point / point.norm(dim=1, keepdim=True)).to(start.dtype)


@interpolated_by(interpolate_spherical)
def spherical(shape: tuple[int, int], generator: Generator) -> Tensor:
    """Points that are uniform on the sphere of radius sqrt(latent_dim), so that each number has variance 1."""
    # In float64, because a float32 normal is exactly 0 once in 2^24. In one dimension 0 has no direction.
    noise = torch.randn(shape, generator=generator, device=generator.device, dtype=torch.float64)
    return (math.sqrt(shape[1]) * normalize(noise, dim=1)).float()


def interpolate_bernoulli(start: Tensor, end: Tensor, t: float, *, probability: float) -> Tensor:
    """Latents with their first t · d numbers (rounded) from end and the others from start.

    They match the prior at any probability.
    """
    switched = round(t * start.shape[1])
    return torch.cat([end[:, :switched], start[:, switched:]], dim=1)


@interpolated_by(interpolate_bernoulli)
def bernoulli(shape: tuple[int, int], generator: Generator, *, probability: float = 0.5) -> Tensor:
    """Independent numbers that are +1 with this probability and -1 otherwise."""
    if not 0 <= probability <= 1:
        raise ValueError(f"bernoulli: probability must be between 0 and 1, not {probability}")
    return (torch.rand(shape, generator=generator, device=generator.device) < probability).float().mul_(2).sub_(1)


def _centres(component: Tensor, latent_dim: int, distance: float) -> Tensor:
    """Centres (N, latent_dim) of the components with these numbers (N,).

    Centre k is `distance` along axis k, or, from k = latent_dim on, against axis k - latent_dim.
    """
    sign = 1 - 2 * (component >= latent_dim).float()
    return distance * sign[:, None] * one_hot(component % latent_dim, latent_dim)


def interpolate_mixture(
    start: Tensor, end: Tensor, t: float, *, components: int, distance: float, std: float
) -> Tensor:
    """Latents around the centre of the nearer end. The residuals of both ends are interpolated as normal latents.

    A latent is taken to belong to the component with the nearest centre. Where components overlap this is not always
    the component that drew it. With the default parameters it is wrong for about one latent in 10,000, and the rule is
    exact up to those. It holds at any std.
    """
    dim = start.shape[1]
    # All centres are equally long, so the nearest has the largest inner product. This product is ± one coordinate.
    nearest = (torch.cat([latent, -latent], dim=1)[:, :components].argmax(dim=1) for latent in (start, end))
    start_centre, end_centre = (_centres(component, dim, distance) for component in nearest)
    return _nearer(start_centre, end_centre, t) + interpolate_normal(start - start_centre, end - end_centre, t)


@interpolated_by(interpolate_mixture)
def mixture(
    shape: tuple[int, int], generator: Generator, *, components: int = 10, distance: float = 3.0, std: float = 0.5
) -> Tensor:
    """Latents from an equal mixture of isotropic Gaussians of this std.

    Their centres lie on the axes, `distance` from the origin. Centre k lies along axis k, or, from k = latent_dim on,
    against axis k - latent_dim. ValueError for more components than there are half-axes, 2 latent_dim.
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
    """Latents with the category of the nearer end, codes interpolated as uniform latents, and noise as normal ones."""
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
    """InfoGAN's latent: a one-hot category, then codes from U(-1, 1), then noise from N(0, 1).

    There is at least one number of noise. InfoGAN's MNIST network has 10 categories, 2 codes and 62 numbers of noise
    (Chen et al., 2016, sec. 7.2, appendix C.1).
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
