"""Checks that every test of the trimming engine shares."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mirtrim.units.cutting import cut
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.units.graph import UnitGraph


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
    check_equivalence(model, trimmed, graph, keep, inputs)
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
