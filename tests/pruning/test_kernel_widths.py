"""Widths in packs: literal widths, literal cuts, and equivalence for random networks."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mirtrim.pruning.kernel_widths import allowed_widths, choose_packs
from mirtrim.pruning.selection import blocks, choose_units, smallest_cut
from mirtrim.units.cutting import cut
from mirtrim.units.equivalence import check_equivalence
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError, RatioError


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((32, 8, 2), [2, 4, 8, 16, 24, 32]),
        ((20, 8, 2), [2, 4, 8, 16, 20]),
        ((20, 8, 5), [5, 8, 16, 20]),
        ((6, 8, 2), [2, 4, 6]),
        ((3, 8, 4), [3]),
        ((7, 1, 3), [3, 4, 5, 6, 7]),
        ((30, 12, 1), [1, 3, 6, 12, 24, 30]),
    ],
)
def test_allowed_widths(arguments: tuple[int, int, int], expected: list[int]) -> None:
    assert allowed_widths(*arguments) == expected


def chain() -> nn.Module:
    """Parameters with a and b units: 4a + b(a + 1) + b + 1."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 32), nn.Linear(32, 1))


GRAPH = discover(chain(), torch.zeros(1, 3))
FIRST, SECOND = (layer.groups for layer in GRAPH.layers[:2])


def scores(first: list[float], second: list[float]) -> np.ndarray:
    values = np.full(GRAPH.group_count, np.inf)
    values[FIRST], values[SECOND] = first, second
    return values


RISING = scores(list(np.arange(16.0)), list(np.arange(32.0)))


def kept(keep: np.ndarray) -> tuple[list[int], list[int]]:
    return np.flatnonzero(keep[FIRST]).tolist(), np.flatnonzero(keep[SECOND]).tolist()


def test_local_scope_keeps_the_best_units_of_whole_packs() -> None:
    """8 of 16 and 16 of 32 units take 32 + 144 + 17 = 193 parameters, one pack more too many."""
    assert GRAPH.parameters(GRAPH.all_kept()) == 64 + 32 * 17 + 33
    keep = choose_packs(GRAPH, RISING, 200)
    assert kept(keep) == (list(range(8, 16)), list(range(16, 32)))
    assert GRAPH.parameters(keep) == 193
    # Plain trimming ends between kernels' widths.
    plain = choose_units(GRAPH, RISING, 200)
    assert [len(units) for units in kept(plain)] == [8, 16]
    plain = choose_units(GRAPH, RISING, 260)
    assert [len(units) for units in kept(plain)] == [9, 19]


def test_what_is_left_of_the_target_is_filled_with_one_more_pack_per_block() -> None:
    """273 parameters hold 8 and 24 units; 16 and 16 would be 64 + 272 + 17 = 353."""
    assert [len(units) for units in kept(choose_packs(GRAPH, RISING, 273))] == [8, 24]
    assert [len(units) for units in kept(choose_packs(GRAPH, RISING, 272))] == [8, 16]
    assert [len(units) for units in kept(choose_packs(GRAPH, RISING, 353))] == [8, 32]


def test_global_scope_ranks_packs_by_their_mean_score() -> None:
    values = scores([10.0] * 16, [1.0] * 16 + [20.0] * 8 + [11.0, 8.0] * 4)
    # Packs of the second block: 20s as 2, 2, 4, then 11s and 8s of mean 9.5, below the tens.
    keep = choose_packs(GRAPH, values, 300, scope="global")
    assert [len(units) for units in kept(keep)] == [16, 8]
    assert kept(keep)[1] == list(range(16, 24))


def test_the_smallest_network_is_that_of_plain_trimming_and_no_smaller() -> None:
    least = GRAPH.parameters(smallest_cut(GRAPH, 3))
    assert [len(units) for units in kept(choose_packs(GRAPH, RISING, least, minimum_units=3))] == [
        3,
        3,
    ]
    with pytest.raises(RatioError, match=rf"cannot get below {least} .*largest ratio from here"):
        choose_packs(GRAPH, RISING, least - 1, minimum_units=3)


def test_a_target_above_the_network_keeps_everything() -> None:
    assert choose_packs(GRAPH, RISING, 1000).all()


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigError, match="unknown scope 'both'"):
        choose_packs(GRAPH, RISING, 300, scope="both")
    with pytest.raises(ConfigError, match="multiple_of"):
        choose_packs(GRAPH, RISING, 300, multiple_of=0)


class Tied(nn.Module):
    """A residual sum ties two layers; a gated one has units that go in pairs."""

    def __init__(self, width: int, gate: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(5, width), nn.Linear(width, width)
        self.gate, self.last = nn.Linear(width, 2 * gate), nn.Linear(gate, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.first(x).relu()
        return self.last(nn.functional.glu(self.gate(y + self.second(y)), dim=-1))


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    width=st.integers(2, 40),
    gate=st.integers(2, 40),
    multiple=st.sampled_from([1, 4, 8, 16]),
    minimum_units=st.integers(1, 4),
    share=st.floats(0.15, 1),
    scope=st.sampled_from(["local", "global"]),
)
def test_any_cut_obeys_law_target_minimum_units_and_packs(
    width: int, gate: int, multiple: int, minimum_units: int, share: float, scope: str
) -> None:
    torch.manual_seed(width)
    model, inputs = Tied(width, gate), torch.randn(2, 5)
    graph = discover(model, inputs)
    values = np.random.default_rng(gate).random(graph.group_count)
    values[0] = np.inf
    least = graph.parameters(smallest_cut(graph, minimum_units))
    target = max(least, share * graph.parameters(graph.all_kept()))
    keep = choose_packs(
        graph, values, target, multiple_of=multiple, scope=scope, minimum_units=minimum_units
    )
    assert graph.parameters(keep) <= target
    for block in blocks(graph):
        assert int(keep[block].sum()) in allowed_widths(len(block), multiple, minimum_units)
        if not keep[block].all():  # the best stay
            assert values[block][keep[block]].min() >= values[block][~keep[block]].max()
    layers = {layer.name: keep[layer.groups] for layer in graph.layers}
    assert (layers["first"] == layers["second"]).all()
    assert (layers["gate"][:gate] == layers["gate"][gate:]).all()
    small = cut(model, graph, keep)
    assert check_equivalence(model, small, graph, keep, inputs) <= 1e-5
