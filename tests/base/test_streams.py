"""Streams: distinct by name and parts, and the same for ever."""

import torch

from gan.base.streams import stream, stream_seed


def test_seeds_are_stable_and_distinct():
    assert stream_seed("training noise", 1, 0) == 5414482024822908610  # a change here changes every run's numbers
    seeds = {stream_seed(name, seed, rank) for name in ("a", "b") for seed in range(20) for rank in range(20)}
    assert len(seeds) == 800
    assert stream_seed("a", 12) != stream_seed("a", 1, 2)


def test_streams_do_not_touch_the_global_state():
    before = torch.get_rng_state()
    torch.randn(3, generator=stream("a", 1))
    assert torch.equal(before, torch.get_rng_state())
