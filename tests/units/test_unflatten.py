"""Sizes that `nn.Unflatten` keeps follow units, as those of other modules do."""

import pytest
import torch
from torch import Tensor, nn

import mirtrim


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape))).double()


class Decoder(nn.Module):
    """Channels and frames out of a code, as in the decoder of an autoencoder."""

    def __init__(self, dim=1, sizes=(12, 5)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.up, self.parts = nn.Linear(4, 60), nn.Unflatten(dim, sizes)
        self.first, self.last = nn.ConvTranspose1d(12, 6, 4, 2), nn.Conv1d(6, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.first(self.parts(self.up(x)).relu()).relu())


@pytest.mark.parametrize("dim", [1, -1])
@pytest.mark.parametrize("sizes", [(12, 5), (12, -1), (-1, 5), [12, 5]])
def test_channels_of_a_decoder_lose_units(dim, sizes, assert_cut_whole):
    def make():
        return Decoder(dim, sizes)

    graph = assert_cut_whole(make, noise(3, 4), [("up.weight", 0), ("first.weight", 0)])
    assert len({int(g) for g in graph.slices["up.weight"][0]} - {0}) == 12
    small = mirtrim.trim(make().double(), noise(3, 4), ratio=2)
    shape = (small.first.in_channels, 5)
    assert small.parts(small.up(noise(2, 4))).shape[1:] == shape
    told = zip(small.parts.unflattened_size, shape, strict=True)
    assert all(one in (-1, size) for one, size in told)
    assert small.first.in_channels < 12


def test_frames_stay_where_channels_are_none_of_the_units(assert_equivalence):
    """One channel, and what a convolution slides over has the code's size."""

    class Single(Decoder):
        def __init__(self) -> None:
            super().__init__(1, (1, 60))
            self.first = nn.Conv1d(1, 6, 5)

    graph = assert_equivalence(Single(), noise(3, 4))
    assert graph.slices["up.weight"][0] is None
    assert not any(width.module == "parts" for width in graph.widths)
