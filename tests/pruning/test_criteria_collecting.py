"""What hooks bring home, for every kind of layer; and what they refuse."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import mirtrim
from mirtrim.pruning.criteria import Scoring, score_units
from mirtrim.pruning.criteria.collecting import find_taps, reduced_outputs
from mirtrim.units.finding import discover
from mirtrim.utils.errors import ConfigError


class Recurrent(nn.Module):
    """A recurrent layer over (batch, time, 3) and a linear one over its states."""

    def __init__(self, kind: Callable[..., nn.RNNBase], **settings: object) -> None:
        super().__init__()
        self.layer = kind(3, 4, **settings)
        self.output = nn.Linear(8 if self.layer.bidirectional else 4, 2)

    def forward(self, x: Tensor) -> Tensor:
        if self.layer.batch_first:
            return self.output(self.layer(x)[0])
        return self.output(self.layer(x.transpose(0, 1))[0]).transpose(0, 1)


class Stepwise(nn.Module):
    """A cell that is called once per step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(3, 4)
        self.output = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        state = self.cell(x[:, 0])
        for step in range(1, x.shape[1]):
            state = self.cell(x[:, step], state)
        return self.output(state)


class Folded(nn.Module):
    """Time folded into the batch, as for a layer that is applied to every frame."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 4)
        self.output = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        frames = functional.relu(self.layer(x.reshape(-1, 3)))
        return self.output(frames).reshape(x.shape[0], -1, 2)


class Bare(nn.Module):
    """A weight that belongs to no layer."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3))
        self.output = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(functional.relu(functional.linear(x, self.weight)))


# As many steps as examples: only the layer itself knows which is which.
INPUTS = torch.randn(5, 5, 3, generator=torch.Generator().manual_seed(0))


def scoring(network: nn.Module, inputs: Tensor = INPUTS) -> Scoring:
    network.eval()
    graph = discover(network, inputs)
    return Scoring(
        network,
        graph,
        torch.Generator().manual_seed(0),
        lambda: [(inputs, torch.zeros(len(inputs)))],
        lambda outputs, _: outputs.square().mean(),
    )


def outputs_of(network: nn.Module) -> list[Tensor]:
    """What is collected of the only layer that can lose units, (examples, units, *positions)."""
    context = scoring(network)
    taps = find_taps(network, context.graph, context.removable(), after_norm=False)
    (found, _), *_ = reduced_outputs(network, taps, context.data(), lambda values, _: values)
    (values,) = found.values()
    return values


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
@pytest.mark.parametrize("batch_first", [True, False])
def test_hidden_states_of_recurrent_layers(kind: type[nn.RNNBase], batch_first: bool) -> None:
    network = Recurrent(kind, batch_first=batch_first)
    (values,) = outputs_of(network)
    states = network.layer(INPUTS if batch_first else INPUTS.transpose(0, 1))[0]
    states = states if batch_first else states.transpose(0, 1)
    # On some processors one pass over a sequence rounds otherwise than the next.
    torch.testing.assert_close(values.reshape(5, 4, 5), states.transpose(1, 2).detach())


def test_directions_are_positions_of_one_unit() -> None:
    network = Recurrent(nn.GRU, batch_first=True, bidirectional=True, num_layers=2)
    states = network.layer(INPUTS)[0].detach()
    both = (states[..., :4].abs().mean((0, 1)) + states[..., 4:].abs().mean((0, 1))) / 2
    scores = score_units("activation", scoring(network))["layer"]
    torch.testing.assert_close(scores, both.double(), rtol=1e-5, atol=0)


def test_every_call_of_a_module_counts() -> None:
    values = outputs_of(Stepwise())
    assert [tuple(v.shape) for v in values] == [(5, 4)] * 5


def test_positions_folded_into_the_batch_are_unfolded() -> None:
    network = Folded()
    (values,) = outputs_of(network)
    torch.testing.assert_close(values, network.layer(INPUTS).transpose(1, 2))


@pytest.mark.parametrize("kind", [nn.GRU, nn.LSTM, nn.RNN])
def test_recurrent_units_that_nobody_listens_to_have_no_gradient(kind: type[nn.RNNBase]) -> None:
    network = Recurrent(kind, batch_first=True, num_layers=2, bidirectional=True)
    with torch.no_grad():
        network.output.weight[:, [1, 5]] = 0
        for name, weight in network.layer.named_parameters():
            if name.startswith("weight_hh"):
                weight[:, 1] = 0
            if name.startswith("weight_ih_l1"):
                weight[:, [1, 5]] = 0
    scores = score_units("gradient", scoring(network))["layer"]
    assert scores[1] == 0
    assert (scores > 0).sum() == 3


def test_every_criterion_scores_recurrent_networks() -> None:
    for network in (Recurrent(nn.LSTM, batch_first=True), Stepwise()):
        context = scoring(network)
        for name in ("activation", "information", "target_information", "gradient_min"):
            values = score_units(name, context)[context.graph.layers[0].name]
            assert values.shape == (4,)
            assert torch.isfinite(values).all()


def test_a_bare_weight_is_named() -> None:
    with pytest.raises(ConfigError, match="layer weight is a bare parameter"):
        score_units("activation", scoring(Bare()))


def test_a_module_that_is_bypassed_is_named() -> None:
    network = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    context = scoring(network)
    network.forward = lambda x: network[2](functional.linear(x, network[0].weight))
    for name in ("activation", "gradient"):
        with pytest.raises(ConfigError, match="layer 0 runs without its module"):
            score_units(name, context)


def test_hidden_states_behind_a_projection_cannot_be_read():
    class Projecting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.LSTM(3, 6, proj_size=2, batch_first=True)

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x)[0]

    inputs = torch.ones(2, 4, 3)
    with pytest.raises(ConfigError, match="gives projections of its hidden states, not these"):
        mirtrim.trim(
            Projecting(),
            inputs,
            ratio=1.2,
            criterion="activation",
            batches=lambda: iter([(inputs, inputs)]),
        )
