"""Controls and resets: which weights a network has when its training begins, to the bit."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import METHODS, Round, Ticket, get_method, settings_of
from mirtrim.pruning.selection import shuffled_weights

EXAMPLE = torch.zeros(1, 2)
UNITS = 8
PARAMETERS = UNITS * (2 + 1) + UNITS + 1


def network(scale: float) -> nn.Sequential:
    """2 → 8 → 1, weights scale·(1, 2, 3, …): unit 0 is the smallest and unit 7 the largest."""
    model = nn.Sequential(nn.Linear(2, UNITS), nn.ReLU(), nn.Linear(UNITS, 1))
    with torch.no_grad():
        for parameter in model.parameters():
            values = torch.arange(1, parameter.numel() + 1, dtype=torch.float32)
            parameter.copy_(scale * values.view_as(parameter))
    return model


TRAINED, REWOUND, INITIAL = 1.0, 100.0, 10_000.0


def ticket() -> Ticket:
    """Trained, rewind and initial weights that differ by powers of 100."""
    states = (copy.deepcopy(network(scale).state_dict()) for scale in (REWOUND, INITIAL))
    return Ticket(network(TRAINED), *map(dict, states))


def current(ratio: float = 2.0, number: int = 1, **more: Any) -> Round:
    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        yield torch.ones(4, 2), torch.zeros(4, 1)

    scoring: dict[str, Any] = {
        "batches": batches,
        "loss": None,
        "generator": torch.Generator().manual_seed(0),
    }
    dense = {"parameters": PARAMETERS, "macs": 24}
    return Round(ratio, dense, EXAMPLE, scoring, number=number, **more)


def fill_with_seven(model: nn.Module, generator: torch.Generator) -> None:
    for parameter in model.parameters():
        nn.init.constant_(parameter, 7.0)


def weights(model: nn.Module) -> list[Tensor]:
    return [p.detach() for p in model.parameters()]


def test_nothing_removed_is_the_whole_rewound_network() -> None:
    prepared = get_method("nothing_removed").prepare(
        ticket(), settings_of({"method": "nothing_removed"}), current()
    )
    for found, expected in zip(weights(prepared.network), weights(network(REWOUND)), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize(
    ("reset", "scale"), [("rewind", REWOUND), ("finetune", TRAINED), ("reinit", None)]
)
@pytest.mark.parametrize("method", ["trim", "trim_fast", "trim_briefly"])
def test_a_trimmed_network_has_the_weights_of_its_reset(
    method: str, reset: str, scale: float | None
) -> None:
    """Of 33 parameters at most 16 are left: 3 of 8 units (4 · 3 + 1 = 13), the largest three."""
    given = {"pack": 1} if method == "trim_fast" else {}
    settings = settings_of({"method": method, "reset": reset, **given})
    prepared = get_method(method).prepare(ticket(), settings, current(initialise=fill_with_seven))
    first, bias, second, last = weights(prepared.network)
    assert first.shape == (3, 2)
    if scale is None:
        assert all((w == 7).all() for w in (first, bias, second, last))
        return
    assert torch.equal(first, scale * torch.tensor([[11.0, 12], [13, 14], [15, 16]]))
    assert torch.equal(bias, scale * torch.tensor([6.0, 7, 8]))
    assert torch.equal(second, scale * torch.tensor([[6.0, 7, 8]]))
    assert torch.equal(last, scale * torch.tensor([1.0]))


def test_a_second_round_rewinds_what_is_left_of_the_rewind_weights() -> None:
    """At ratio 4, of 33 parameters at most 8 are left: 1 unit, the last one."""
    settings = settings_of({"method": "trim", "minimum_units": 1})
    first = get_method("trim").prepare(ticket(), settings, current())
    with torch.no_grad():
        for parameter in first.network.parameters():
            parameter.mul_(0.01)  # trained again
    second = get_method("trim").prepare(first, settings, current(4.0, 2))
    assert [w.flatten().tolist() for w in weights(second.network)] == [
        [1500.0, 1600.0],
        [800.0],
        [800.0],
        [100.0],
    ]


def test_a_round_that_cuts_nothing_says_so_by_a_difference_of_minus_one() -> None:
    masked = get_method("mask").prepare(ticket(), settings_of({"method": "mask"}), current())
    assert masked.equivalence_difference == -1
    trimmed = get_method("trim").prepare(
        ticket(), settings_of({"method": "trim", "minimum_units": 1}), current()
    )
    assert 0 <= trimmed.equivalence_difference < 1e-3


@pytest.mark.parametrize(
    ("reset", "scale"), [("rewind", REWOUND), ("finetune", TRAINED), ("reinit", None)]
)
def test_a_masked_network_has_the_weights_of_its_reset(reset: str, scale: float | None) -> None:
    """16 of 33 may be left, 9 are biases: 7 of 24 weights, by layer 16 · 7 / 24 and 8 · 7 / 24."""
    settings = settings_of({"method": "mask", "reset": reset})
    prepared = get_method("mask").prepare(ticket(), settings, current(initialise=fill_with_seven))
    first, bias, second, last = weights(prepared.network)
    assert int(first.count_nonzero() + second.count_nonzero()) == 7
    assert first.count_nonzero() in (4, 5)
    kept = first[first != 0].tolist(), second[second != 0].tolist()
    if scale is None:
        assert set(kept[0]) == set(kept[1]) == set(bias.tolist()) == set(last.tolist()) == {7.0}
        return
    assert kept[0] == [scale * n for n in range(17 - len(kept[0]), 17)]
    assert kept[1] == [scale * n for n in range(9 - len(kept[1]), 9)]
    assert bias.tolist() == [scale * n for n in range(1, 9)]


def test_same_shape_has_the_shape_and_no_weight_of_its_reference() -> None:
    reference = network(TRAINED)
    reference[0], reference[2] = nn.Linear(2, 3), nn.Linear(3, 1)
    settings = settings_of({"method": "same_shape", "reference": "trim_magnitude_local_rewind"})
    prepared = get_method("same_shape").prepare(
        ticket(), settings, current(reference=lambda: reference, initialise=fill_with_seven)
    )
    assert [tuple(w.shape) for w in weights(prepared.network)] == [(3, 2), (3,), (1, 3), (1,)]
    assert all((w == 7).all() for w in weights(prepared.network))


def test_narrower_has_fewer_units_and_no_weight_of_the_network() -> None:
    settings = settings_of({"method": "narrower"})
    prepared = get_method("narrower").prepare(
        ticket(), settings, current(initialise=fill_with_seven)
    )
    assert [tuple(w.shape) for w in weights(prepared.network)] == [(3, 2), (3,), (1, 3), (1,)]
    assert all((w == 7).all() for w in weights(prepared.network))


def test_dense_longer_trains_as_long_as_the_chain() -> None:
    """At the third ratio a chain has the dense training and three more."""
    method = get_method("dense_longer")
    assert [method.epochs_factor(current(number=n)) for n in (1, 2, 3)] == [2, 3, 4]
    others = [get_method(name) for name in METHODS if name != "dense_longer"]
    assert {other.epochs_factor(current(number=3)) for other in others} == {1}


def test_shuffled_masks_never_revive_a_weight() -> None:
    """8 weights, 4 alive, 2 chosen: over 200 draws each of the 4 about 100 times, no other."""
    alive = {"w": torch.tensor([[True, False, True, False], [False, True, False, True]])}
    chosen = {"w": torch.tensor([[True, False, True, False], [False, False, False, False]])}
    generator, counts = torch.Generator().manual_seed(1), torch.zeros(2, 4)
    for _ in range(200):
        drawn = shuffled_weights(alive, chosen, generator)["w"]
        assert drawn.sum() == 2
        counts += drawn
    assert not counts[~alive["w"]].any()
    assert counts[alive["w"]].min() > 70


def test_rounds_of_shuffled_masks_only_lose_weights() -> None:
    settings = settings_of({"method": "mask", "order": "shuffled"})
    method, made = get_method("mask"), ticket()
    plain = get_method("mask").prepare(ticket(), settings_of({"method": "mask"}), current())
    before = {name: torch.ones_like(mask) for name, mask in plain.masks.items()}
    for number, ratio in enumerate((1.3, 1.7, 2.2), start=1):
        made = method.prepare(made, settings, current(ratio, number))
        assert all(not (mask & ~before[name]).any() for name, mask in made.masks.items())
        before = made.masks
    shuffled = method.prepare(ticket(), settings, current())
    assert {n: int(m.sum()) for n, m in shuffled.masks.items()} == {
        n: int(m.sum()) for n, m in plain.masks.items()
    }
    assert any(not torch.equal(m, plain.masks[n]) for n, m in shuffled.masks.items())


def test_highest_first_takes_the_largest() -> None:
    settings = settings_of({"method": "trim", "order": "highest_first", "reset": "finetune"})
    prepared = get_method("trim").prepare(ticket(), settings, current())
    assert weights(prepared.network)[1].tolist() == [1.0, 2.0, 3.0]
