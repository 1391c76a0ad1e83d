"""Penalties in closed form."""

import math

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from gan.base.streams import stream
from gan.parts.penalties import PENALTIES, l2

IMAGES = sorted(PENALTIES.keys() - {"l2"})  # penalties that look at images
SHAPE = (2, 3, 4)  # C, H, W
PIXELS = math.prod(SHAPE)


def batch(num=6, seed=0, dtype=torch.float64):
    """Real images and fakes."""
    noise = stream("images", seed)
    return tuple(torch.rand((num, *SHAPE), generator=noise, dtype=dtype) * 2 - 1 for _ in range(2))


def value(name, network, real=None, fake=None, labels=None, seed=1, **parameters):
    real, fake = (real, fake) if real is not None else batch()
    return PENALTIES[name](network, real, fake, labels, stream("noise", seed), 0, **parameters)


class Linear(nn.Module):
    """<w, x>, with a head beside it if asked for; remembers its inputs."""

    def __init__(self, norm=3.0, head=False):
        super().__init__()
        weight = torch.linspace(-1, 2, PIXELS, dtype=torch.float64)
        self.weight = nn.Parameter(weight * norm / weight.norm())
        self.head = head
        self.seen = []

    def forward(self, images, labels=None):
        self.seen.append((images.detach().clone(), labels))
        logits = images.flatten(1) @ self.weight.to(images)
        return torch.stack([logits, 7 * logits, images.flatten(1).square().sum(1)], 1) if self.head else logits[:, None]


class Quadratic(nn.Module):
    """½ x^T A x with a symmetric A."""

    def __init__(self):
        super().__init__()
        matrix = torch.randn(PIXELS, PIXELS, generator=stream("matrix"), dtype=torch.float64)
        self.weight = nn.Parameter(matrix + matrix.T)

    def forward(self, images, labels=None):
        flat = images.flatten(1)
        return (flat @ self.weight * flat).sum(1, keepdim=True) / 2


class Smooth(nn.Module):
    """Two layers and labels, tiny."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.label = nn.Linear(PIXELS, 3), nn.Embedding(4, 3)
        self.last = nn.Linear(3, 1)

    def forward(self, images, labels=None):
        hidden = self.first(images.flatten(1))
        return self.last(torch.tanh(hidden if labels is None else hidden + self.label(labels)))


# L2 -------------------------------------------------------------------------------------------------------------------


def test_l2_is_half_the_sum_of_squared_weights_without_biases():
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1)).double()
    images, noise = torch.zeros(1, 2), torch.Generator()
    expected = (network[0].weight.square().sum() + network[2].weight.square().sum()) / 2
    torch.testing.assert_close(l2(network, images, images, None, noise, 0), expected)
    (gradient,) = torch.autograd.grad(l2(network, images, images, None, noise, 0), network[0].weight)
    torch.testing.assert_close(gradient, network[0].weight)


def test_l2_sees_the_free_weight_under_spectral_norm():
    layer = spectral_norm(nn.Linear(4, 4))
    expected = layer.parametrizations.weight.original.square().sum() / 2
    torch.testing.assert_close(l2(layer, None, None, None, torch.Generator(), 0), expected)


# Values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        ("gradient_penalty", {}, (3 - 1) ** 2),
        ("gradient_penalty", {"target": 0.0}, 9),
        ("gradient_penalty", {"target": 5.0}, (3 - 5) ** 2),
        ("dragan", {}, (3 - 1) ** 2),
        ("dragan", {"spread": 2.0}, (3 - 1) ** 2),
        ("r1", {}, 9 / 2),
        ("r2", {}, 9 / 2),
        ("zero_centred", {}, 9),
    ],
)
def test_gradients_of_a_linear_critic(name, parameters, expected):
    """The gradient is w everywhere, |w| = 3; the penalty's own gradient is that of a function of |w|."""
    critic = Linear(norm=3.0)
    penalty = value(name, critic, **parameters)
    assert penalty.shape == ()
    assert penalty.dtype == torch.float64
    assert penalty.item() == pytest.approx(expected, rel=1e-12)
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    target = {"gradient_penalty": 1.0, "dragan": 1.0, **parameters}.get("target", 1.0)
    slope = {"r1": 3.0, "r2": 3.0, "zero_centred": 6.0}.get(name, 2 * (3 - target))
    torch.testing.assert_close(gradient, slope * critic.weight.detach() / 3)


def test_gradients_of_a_quadratic_critic():
    """∇D = A x: R1 is ½ E|A x|², R2 the same of the fakes."""
    critic, (real, fake) = Quadratic(), batch()
    r1, r2 = (
        sum((critic.weight.detach() @ image.flatten()).square().sum() for image in images) / len(images) / 2
        for images in (real, fake)
    )
    assert not torch.isclose(r1, r2)
    torch.testing.assert_close(value("r1", critic, real, fake).detach(), r1)
    torch.testing.assert_close(value("r2", critic, real, fake).detach(), r2)
    torch.testing.assert_close(value("zero_centred", critic, real, fake).detach(), r1 + r2)


def test_a_norm_is_taken_of_each_image():
    """E(|A x̂| - 1)² at the x̂ that the critic was shown."""
    critic, seen = Quadratic(), []
    critic.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0].detach()))
    for name in ("gradient_penalty", "dragan"):
        penalty = value(name, critic)
        norms = torch.stack([(critic.weight.detach() @ image.flatten()).norm() for image in seen.pop()])
        torch.testing.assert_close(penalty.detach(), (norms - 1).square().mean())


def test_consistency_compares_an_image_with_its_shifted_copy():
    critic, (real, fake) = Linear(), batch()
    shifts = set()
    for seed in range(250):
        critic.seen.clear()
        penalty = value("consistency", critic, real, fake, seed=seed)
        shown = [images for images, _ in critic.seen]
        assert torch.equal(shown[0], real)
        assert torch.equal(shown[2], fake)
        found = [
            (down, right)
            for down in range(-1, 2)
            for right in range(-1, 3)
            if torch.equal(torch.roll(real, (down, right), (2, 3)), shown[1])
        ]  # of 3 rows and 4 columns: a shift by 2 is one by -1, or by -2
        assert len(found) == 1
        assert torch.equal(torch.roll(fake, found[0], (2, 3)), shown[3])
        shifts.add(found[0])
        changes = [((a - b).flatten(1) @ critic.weight.detach()).square().mean() for a, b in (shown[:2], shown[2:])]
        torch.testing.assert_close(penalty.detach(), sum(changes))
    assert len(shifts) == 12


@pytest.mark.parametrize("pixels", [1, 3])
def test_consistency_shifts_as_far_as_it_may(pixels):
    """Both ways, in both directions, and no further: a single bright pixel in a large dark image tells."""
    image, critic, found = torch.zeros(1, 1, 20, 20), Linear(), set()
    image[0, 0, 10, 10] = 1
    critic.weight = nn.Parameter(torch.ones(400))
    for seed in range(400):
        critic.seen.clear()
        value("consistency", critic, image, image, seed=seed, pixels=pixels)
        found.add(tuple(position - 10 for position in critic.seen[1][0].nonzero()[0, 2:].tolist()))
    allowed = range(-pixels, pixels + 1)
    assert found == {(down, right) for down in allowed for right in allowed}


# Where gradients are taken --------------------------------------------------------------------------------------------


def test_interpolates_lie_between_real_images_and_fakes():
    """α is one number an image, differs between images, is U(0, 1) and is the real image's share."""
    critic, (real, fake) = Linear(), batch(num=4000)
    value("gradient_penalty", critic, real, fake)
    shares = ((critic.seen[0][0] - fake) / (real - fake)).flatten(1)
    share = shares.median(dim=1, keepdim=True).values
    torch.testing.assert_close(shares * (real - fake).flatten(1), share * (real - fake).flatten(1))
    assert share.min() >= 0
    assert share.max() <= 1
    grid = torch.arange(4000, dtype=torch.float64)[:, None] / 4000
    assert (share.sort(dim=0).values - grid).abs().max() < 0.04  # Kolmogorov-Smirnov: exceeded once in 2e5


@pytest.mark.parametrize("spread", [0.5, 2.0])
def test_dragan_s_points_lie_around_real_images(spread):
    """x̂ - x = α · spread · std · u: never below 0, of mean spread · std / 4, larger on some images than on others."""
    critic, (real, fake) = Linear(), batch(num=4000)
    parameters = {} if spread == 0.5 else {"spread": spread}
    value("dragan", critic, real, fake, **parameters)
    step = ((critic.seen[0][0] - real) / (spread * real.std(correction=0))).flatten(1)
    assert step.min() >= 0
    assert 0.98 < step.max() <= 1
    assert step.mean().item() == pytest.approx(1 / 4, abs=0.01)
    assert step.var(dim=1).mean().item() == pytest.approx(1 / 36, rel=0.05)  # E α² · var u
    assert (2 * step.mean(dim=1)).var().item() == pytest.approx(1 / 12 + 4 / 36 / PIXELS, rel=0.05)  # α, and 2 α ū's
    assert len(critic.seen) == 1


def test_dragan_s_deviation_is_the_batch_s_own():
    """Divided by N, as numpy's: 1 for pixels 0 and 2, where N - 1 would give sqrt(2). So no step is above spread."""
    critic, real = Linear(), torch.tensor([0.0, 2.0]).view(2, 1, 1, 1)
    critic.weight = nn.Parameter(torch.ones(1))
    for seed in range(200):
        value("dragan", critic, real, real, seed=seed)
    largest = max(float((images - real).max()) for images, _ in critic.seen)
    assert 0.4 < largest <= 0.5


@pytest.mark.parametrize(("name", "passes"), [("r1", ["real"]), ("r2", ["fake"]), ("zero_centred", ["real", "fake"])])
def test_zero_centred_penalties_are_taken_at_the_images(name, passes):
    """In separate passes: D may have batch statistics."""
    critic, (real, fake) = Linear(), batch()
    value(name, critic, real, fake)
    assert len(critic.seen) == len(passes)
    for (images, _), which in zip(critic.seen, passes, strict=True):
        assert torch.equal(images, {"real": real, "fake": fake}[which])


# Laws of all ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("labelled", [False, True])
def test_derivatives_with_respect_to_the_parameters(name, labelled):
    """Against finite differences."""
    network, labels = Smooth().double(), torch.tensor([0, 3]) if labelled else None
    real, fake = batch(num=2)
    names, parameters = zip(*network.named_parameters(), strict=True)
    used = [name != "label.weight" or labelled for name in names]

    class Functional(nn.Module):
        def forward(self, images, labels=None):
            return torch.func.functional_call(network, self.parameters_now, (images, labels))

    functional = Functional()

    def penalty(*values):
        functional.parameters_now = dict(zip(names, values, strict=True))
        return value(name, functional, real, fake, labels)

    parameters = [p.detach().requires_grad_(u) for p, u in zip(parameters, used, strict=True)]
    assert torch.autograd.gradcheck(penalty, parameters, atol=1e-7)


@pytest.mark.parametrize("name", IMAGES)
def test_an_auxiliary_head_does_not_matter(name):
    assert torch.equal(value(name, Linear(head=True)), value(name, Linear()))


@pytest.mark.parametrize("name", IMAGES)
def test_labels_reach_the_network(name):
    critic, labels = Linear(), torch.arange(6)
    value(name, critic, labels=labels)
    assert all(seen is labels for _, seen in critic.seen)
    critic.seen.clear()
    value(name, critic)
    assert all(seen is None for _, seen in critic.seen)


@pytest.mark.parametrize("name", sorted(PENALTIES))
def test_random_numbers_come_from_the_generator_alone(name):
    before, network = torch.get_rng_state(), Quadratic()
    first, again, other = (value(name, network, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(first, again)
    drawn = name in ("gradient_penalty", "dragan", "consistency")
    assert torch.equal(first, other) != drawn
    noise = stream("noise", 1)
    PENALTIES[name](network, *batch(), None, noise, 0)
    assert torch.equal(noise.get_state(), stream("noise", 1).get_state()) != drawn


@pytest.mark.parametrize("name", IMAGES)
def test_a_dead_network_has_finite_gradients(name):
    """All its ReLUs off: the gradient's norm is 0, where a square root has no derivative."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(PIXELS, 5), nn.ReLU(), nn.Linear(5, 1)).double()
    network[1].bias.data.fill_(-1000)

    class Critic(nn.Module):
        def forward(self, images, labels=None):
            return network(images)

    penalty = value(name, Critic())
    penalty.backward()
    assert penalty.item() == (1.0 if name in ("gradient_penalty", "dragan") else 0.0)
    for parameter in network.parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all()
    assert network[1].weight.grad is not None


@pytest.mark.parametrize("name", IMAGES)
def test_autocast_does_not_round(name):
    """To the last bit, in value and gradient, although the network computes in bfloat16 elsewhere."""
    real, fake = batch(dtype=torch.float32)
    results = []
    for enabled in (False, True):
        network = Smooth()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled):
            assert network(real).dtype == (torch.bfloat16 if enabled else torch.float32)
            penalty = value(name, network, real, fake)
        penalty.backward()
        results.append((penalty.detach(), network.first.weight.grad))
    assert results[0][0].dtype == torch.float32
    assert all(map(torch.equal, *results))


@pytest.mark.parametrize("name", IMAGES)
def test_fakes_made_in_bfloat16_are_judged_in_float32(name):
    critic, (real, fake) = Smooth(), batch(dtype=torch.float32)
    fake = fake.bfloat16()
    expected = value(name, critic, real, fake.float())
    assert expected.dtype == torch.float32
    torch.testing.assert_close(value(name, critic, real, fake), expected)


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_left_as_they_were(name):
    real, fake = batch()
    copies = real.clone(), fake.clone()
    value(name, Quadratic(), real, fake).backward()
    for images, copy in zip((real, fake), copies, strict=True):
        assert torch.equal(images, copy)
        assert not images.requires_grad
        assert images.grad is None


@pytest.mark.parametrize("parameters", [{"spread": 0.0}, {"spread": -1.0}, {"spread": math.nan}])
def test_dragan_needs_a_spread(parameters):
    with pytest.raises(ValueError, match="spread must be above 0, got"):
        value("dragan", Linear(), **parameters)


@pytest.mark.parametrize("pixels", [0, -2])
def test_consistency_needs_a_shift(pixels):
    with pytest.raises(ValueError, match="pixels must be at least 1, got"):
        value("consistency", Linear(), pixels=pixels)
