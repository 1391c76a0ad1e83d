"""Laws of the data order: one stream, whatever the ranks, the interruptions and the batch sizes."""

import itertools

import pytest
import torch

from gan.data import batches
from gan.data.batches import DeviceBatches
from gan.data.split import Split

SIZE = 23


@pytest.fixture
def split():
    """Images that say which they are: image i is filled with i, and so is its label."""
    numbers = torch.arange(SIZE)
    return Split(numbers.to(torch.uint8)[:, None, None, None].expand(SIZE, 3, 4, 5).contiguous(), numbers)


def draw(loader, count):
    """The labels of the next `count` batches, checked against their images; epochs follow one another."""
    labels = []
    for images, batch_labels in itertools.islice(itertools.chain.from_iterable(itertools.repeat(loader)), count):
        assert images.shape[1:] == (3, 4, 5)
        assert images.dtype == torch.uint8
        assert (images == batch_labels[:, None, None, None]).all()
        labels.append(batch_labels.tolist())
    return labels


def stream(loader, count):
    return list(itertools.chain.from_iterable(draw(loader, count)))


def test_with_replacement_each_image_is_drawn_from_the_whole_set(split):
    """In SIZE draws an image comes up Poisson(1) times about; a stream is the same for one rank and for two."""
    loader = DeviceBatches(split, 8, seed=1, device="cpu", replacement=True)
    seen = torch.tensor(stream(loader, 2000))
    counts = seen.bincount(minlength=SIZE)
    assert (counts - 16_000 / SIZE).abs().max() < 5 * (16_000 / SIZE) ** 0.5
    missing = [1 - len(set(some.tolist())) / SIZE for some in seen[: SIZE * 600].split(SIZE)]
    assert 0.34 < sum(missing) / 600 < 0.38  # (1 - 1/23)^23 = 0.36; a permutation misses none
    ranks = [draw(DeviceBatches(split, 8, 1, "cpu", rank, 2, replacement=True), 20) for rank in range(2)]
    assert torch.tensor(ranks).movedim(0, -1).flatten().tolist() == seen[:160].tolist()


@pytest.mark.parametrize("batch_size", [1, 4, 23, 24, 60])
def test_every_epoch_of_the_stream_covers_each_image_once(split, batch_size):
    seen = stream(DeviceBatches(split, batch_size, seed=1, device="cpu"), SIZE * 3)
    epochs = [seen[start : start + SIZE] for start in range(0, 3 * SIZE, SIZE)]
    assert all(sorted(epoch) == list(range(SIZE)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2]


@pytest.mark.parametrize("batch_size", [1, 6, 23, 60])
def test_the_stream_does_not_depend_on_the_batch_size(split, batch_size):
    whole = stream(DeviceBatches(split, 1, seed=1, device="cpu"), 180)
    assert stream(DeviceBatches(split, batch_size, seed=1, device="cpu"), 180 // batch_size + 1)[:180] == whole


@pytest.mark.parametrize(("batch_size", "world_size"), [(6, 2), (6, 3), (48, 2), (60, 4), (4, 4)])
def test_ranks_together_see_what_one_process_sees(split, batch_size, world_size):
    one = draw(DeviceBatches(split, batch_size, seed=1, device="cpu"), 12)
    ranks = [draw(DeviceBatches(split, batch_size, 1, "cpu", rank, world_size), 12) for rank in range(world_size)]
    for whole, *parts in zip(one, *ranks, strict=True):
        assert [whole[rank::world_size] for rank in range(world_size)] == parts


def test_seeds(split):
    def order(seed):
        return draw(DeviceBatches(split, 5, seed, "cpu"), 10)

    assert order(1) == order(1)
    assert order(1) != order(2)


@pytest.mark.parametrize("drawn", [1, 3, 4, 9])
def test_resuming_equals_going_on(split, drawn):
    uninterrupted = draw(DeviceBatches(split, 6, seed=1, device="cpu"), 20)
    first = DeviceBatches(split, 6, seed=1, device="cpu")
    draw(first, drawn)
    assert first.position == 6 * drawn
    second = DeviceBatches(split, 6, seed=1, device="cpu")
    second.position = first.position
    assert draw(second, 20 - drawn) == uninterrupted[drawn:]


def test_position_moves_before_the_batch_is_out(split):
    loader = DeviceBatches(split, 6, seed=1, device="cpu")
    for number, _ in enumerate(loader, start=1):
        assert loader.position == 6 * number


@pytest.mark.parametrize(("batch_size", "length"), [(1, 23), (6, 3), (23, 1), (60, 1)])
def test_length_is_the_number_of_batches(split, batch_size, length):
    loader = DeviceBatches(split, batch_size, seed=1, device="cpu")
    assert len(loader) == len(list(loader)) == length


def test_the_global_random_state_is_left_alone(split):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    draw(DeviceBatches(split, 6, seed=1, device="cpu"), 20)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_order_is_pinned(split):
    """Recorded runs lean on it; a change here means that no old run can be repeated."""
    assert draw(DeviceBatches(split, 6, seed=0, device="cpu"), 1) == [[16, 18, 13, 17, 22, 5]]


@pytest.mark.parametrize("size", [0, -2, 7])
def test_batches_that_do_not_divide(split, size):
    with pytest.raises(AssertionError, match=f"batch_size {size} on 2 devices"):
        DeviceBatches(split, size, seed=1, device="cpu", rank=0, world_size=2)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("resident_bytes", [0, 2**30])
def test_on_a_gpu_resident_or_not(split, resident_bytes, monkeypatch):
    expected = draw(DeviceBatches(split, 6, seed=1, device="cpu"), 20)
    monkeypatch.setattr(batches, "RESIDENT_BYTES", resident_bytes)
    loader = DeviceBatches(split, 6, seed=1, device="cuda")
    assert loader.home.type == ("cuda" if resident_bytes else "cpu")
    drawn = [(images.clone(), labels) for _ in range(7) for images, labels in loader][:20]
    assert [labels.tolist() for _, labels in drawn] == expected
    assert all((images == labels[:, None, None, None]).all() for images, labels in drawn)
    assert drawn[0][0].device.type == "cuda"


def test_sets_beyond_the_bound_stay_on_the_host(split, monkeypatch):
    """Without a GPU: the copying path, from the CPU to a device that holds no data."""
    monkeypatch.setattr(batches, "RESIDENT_BYTES", split.images.nbytes - 1)
    loader = DeviceBatches(split, 6, seed=1, device="meta")
    images, labels = next(iter(loader))
    assert (loader.images.device.type, images.device.type, labels.device.type) == ("cpu", "meta", "meta")
    assert images.shape == (6, 3, 4, 5)
