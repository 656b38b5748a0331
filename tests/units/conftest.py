"""Checks that every test of the trimming engine shares."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mirtrim
from mirtrim.units.cutting import cut
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.units.graph import UnitGraph
from mirtrim.utils.errors import TraceError


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def _scramble(model: nn.Module, seed: int) -> nn.Module:
    """Random affine parameters and statistics, so that a wrong slice cannot go unnoticed."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats:
                module.running_mean.normal_(generator=generator)
                module.running_var.uniform_(0.5, 2.0, generator=generator)
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.double()


def _random_keep(graph: UnitGraph, seed: int, share: float = 0.6) -> np.ndarray:
    """A mask that drops groups at random but leaves something of every tensor."""
    generator = np.random.default_rng(seed)
    keep = generator.random(graph.group_count) < share
    keep[0] = True
    for slices in graph.slices.values():
        for groups in slices:
            if groups is not None and not keep[groups].any():
                keep[generator.choice(groups)] = True
    return keep


def _assert_equivalence(
    model: nn.Module, inputs: Any, seed: int = 0, share: float = 0.6
) -> UnitGraph:
    """Gated == trimmed, and parameters and MACs equal a recount on the trimmed network."""
    _scramble(model, seed)
    graph = discover(model, inputs)
    keep = _random_keep(graph, seed, share)
    trimmed = cut(model, graph, keep)
    assert check_equivalence(model, trimmed, graph, keep, inputs) < 1e-6
    again = discover(trimmed, inputs)
    assert graph.parameters(keep) == sum(p.numel() for p in trimmed.parameters())
    assert again.parameters(again.all_kept()) == graph.parameters(keep)
    assert again.macs(again.all_kept()) == graph.macs(keep)
    return graph


@pytest.fixture
def scramble() -> Callable[..., nn.Module]:
    return _scramble


@pytest.fixture
def random_keep() -> Callable[..., np.ndarray]:
    return _random_keep


@pytest.fixture
def assert_equivalence() -> Callable[..., UnitGraph]:
    return _assert_equivalence


def _assert_cut_whole(
    make: Callable[[], nn.Module],
    inputs: Any,
    folder: Path,
    planted: Sequence[tuple[str, int]],
    ratio: float = 1.5,
) -> UnitGraph:
    """Equivalence, a cut of what was cut already, and back from disk; errors are caught.

    Args:
        planted: (tensor, dimension) along which other positions are cut than belong there.
    """
    for seed in (1, 2):
        _assert_equivalence(make(), inputs, seed, share=0.4 * seed)
    model = make()
    graph = _assert_equivalence(model, inputs)
    small = mirtrim.trim(model, inputs, ratio=ratio)
    again = mirtrim.trim(small, inputs, ratio=1.1)
    mirtrim.save(again, folder / "again")
    loaded = mirtrim.load(folder / "again", lambda: make().double())
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    assert torch.allclose(loaded.eval()(*given), again.eval()(*given), atol=1e-12)
    for name, dim in planted:
        _assert_caught(model, graph, inputs, name, dim)
    return graph


def _assert_caught(model: nn.Module, graph: UnitGraph, inputs: Any, name: str, dim: int) -> None:
    """A cut that takes the right number of positions of one tensor, but others, is refused."""
    groups = graph.slices[name][dim]
    assert groups is not None
    keep = graph.all_kept()
    keep[np.unique(groups[groups > 0])[1]] = False
    wrong = np.roll(groups, 1)
    assert (keep[wrong] != keep[groups]).any()
    slices = tuple(wrong if d == dim else one for d, one in enumerate(graph.slices[name]))
    right = graph.slices
    check_equivalence(model, cut(model, graph, keep), graph, keep, inputs, 1e-6)
    graph.slices = {**right, name: slices}
    small = cut(model, graph, keep)
    graph.slices = right
    with pytest.raises(TraceError, match="differ by"):
        check_equivalence(model, small, graph, keep, inputs)


@pytest.fixture
def assert_cut_whole(tmp_path: Path) -> Callable[..., UnitGraph]:
    return lambda make, inputs, planted=(), ratio=1.5: _assert_cut_whole(
        make, inputs, tmp_path, planted, ratio
    )
