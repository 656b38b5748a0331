"""Trimming in packs, through a round as a compress job runs it."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.settings import PruningSettings
from mirtrim.training import state_of
from mirtrim.training.initialise import initialise
from mirtrim.utils.errors import ConfigError, RatioError

EXAMPLE = torch.zeros(1, 1, 8, 10)
CHOICES = PruningSettings("trim_fast")


def network() -> nn.Module:
    model = SpectralCNN(frames=10, mel_bins=8, channels=24, hidden=40)
    initialise(model, torch.Generator().manual_seed(0))
    return model


def batches() -> Iterator[tuple[Tensor, Tensor]]:
    yield torch.randn(8, 1, 8, 10, generator=torch.Generator().manual_seed(1)), torch.zeros(8)


DENSE = sum(p.numel() for p in network().parameters())


def current(ratio: float) -> Round:
    scoring: dict[str, Any] = {
        "batches": batches,
        "loss": None,
        "generator": torch.Generator().manual_seed(0),
    }
    return Round(ratio, {"parameters": DENSE, "macs": 1}, EXAMPLE, scoring)


def ticket() -> Ticket:
    model = network()
    return Ticket(model, {name: value + 1 for name, value in state_of(model).items()})


def widths(model: nn.Module) -> list[int]:
    convolutions = [model.conv1[0].out_channels, model.conv2[0].out_channels]
    return [*convolutions, model.linear1[0].out_features, model.linear2[0].out_features]


def test_every_layer_keeps_whole_packs_and_the_law_holds() -> None:
    small = get_method("trim_fast").prepare(ticket(), CHOICES, current(3))
    assert 3 <= DENSE / sum(p.numel() for p in small.network.parameters()) < 4.5
    assert all(width % 8 == 0 for width in widths(small.network))
    assert widths(small.network) != widths(network())
    assert 0 <= small.equivalence_difference <= 1e-5


def test_weights_are_rewound_with_the_same_cut() -> None:
    small = get_method("trim_fast").prepare(ticket(), CHOICES, current(3))
    state = small.network.state_dict()
    assert {n: v.shape for n, v in small.rewind.items()} == {n: v.shape for n, v in state.items()}
    assert all(torch.equal(state[name], value) for name, value in small.rewind.items())


def test_rounds_chain_down_to_the_ratio_of_plain_trimming() -> None:
    method = get_method("trim_fast")
    highest = method.highest_ratio(network(), EXAMPLE, CHOICES)
    assert highest == get_method("trim").highest_ratio(network(), EXAMPLE, PruningSettings("trim"))
    state = ticket()
    for ratio in (2.0, 4.0, 16.0, highest):
        state = method.prepare(state, CHOICES, current(ratio))
        assert DENSE / sum(p.numel() for p in state.network.parameters()) >= ratio
        assert all(width % 8 == 0 or width in (2, 4) for width in widths(state.network))
    assert widths(state.network) == [2, 2, 2, 2]
    with pytest.raises(RatioError, match="largest ratio from here"):
        method.prepare(state, CHOICES, current(2 * highest))


def test_the_order_can_be_shuffled_for_a_control() -> None:
    plain, drawn = (
        get_method("trim_fast").prepare(
            ticket(), PruningSettings("trim_fast", order=order), current(3)
        )
        for order in ("lowest_first", "shuffled")
    )
    assert widths(plain.network) == widths(drawn.network)
    first, other = (t.rewind["conv1.0.weight"] for t in (plain, drawn))
    assert not torch.equal(first, other)


def test_a_configuration_can_name_it() -> None:
    choices = settings_of({"method": "trim_fast", "ratios": [4, 16]})
    assert choices.name == "trim_fast_magnitude_local_rewind"
    with pytest.raises(ConfigError, match="trim_fast has no criterion 'beauty'"):
        settings_of({"method": "trim_fast", "criterion": "beauty"})
