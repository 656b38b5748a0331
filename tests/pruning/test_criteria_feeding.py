"""Batches for criteria: networks with several inputs, and what is no batch."""

import pytest
import torch
from torch import Tensor, nn

import mirtrim
from mirtrim.utils.errors import ConfigError


def noise(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


class Conditioned(nn.Module):
    """A layer whose outputs a second input scales."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.last = nn.Linear(4, 12), nn.Linear(12, 2)

    def forward(self, x: Tensor, gain: Tensor) -> Tensor:
        return self.last(torch.relu(self.first(x)) * gain)


class Joined(Conditioned):
    """The same network with both inputs in one tensor."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[:, :4], x[:, 4:])


X, GAIN, TARGETS = noise(6, 4), noise(6, 1), noise(6, 2)
GIVEN = {
    "tuple": (X, GAIN),
    "list": [X, GAIN],
    "dict": {"gain": GAIN, "x": X},
}
CRITERIA = ("activation", "information", "target_information", "gradient", "loss_preservation")


def mean_square(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().mean()


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize(
    "criterion",
    ["activation", "information", "target_information", "gradient", "loss_preservation"],
)
def test_several_inputs_score_as_one_that_holds_them(criterion, given):
    def trimmed(network, example, inputs):
        batches = [(inputs, TARGETS), (inputs, TARGETS)]
        return mirtrim.trim(
            network, example, 2, criterion, batches=lambda: batches, loss=mean_square
        )

    joined = torch.cat([X, GAIN], 1)
    expected = trimmed(Joined(), joined, joined)
    found = trimmed(Conditioned(), (X, GAIN), GIVEN[given])
    assert torch.equal(found.first.weight, expected.first.weight)
    assert len(found.first.weight) < 12


def test_a_network_of_one_argument_gets_a_list_as_it_is():
    class Listed(Conditioned):
        def forward(self, both: list[Tensor]) -> Tensor:
            return super().forward(*both)

    small = mirtrim.trim(
        Listed(), ([X, GAIN],), 2, "activation", batches=lambda: [([X, GAIN], None)]
    )
    assert small.first.out_features < 12


@pytest.mark.parametrize("batch", [X, X[:2], (X, GAIN, TARGETS), {"x": X}])
def test_what_is_no_pair_is_refused_in_one_line(batch):
    with pytest.raises(ConfigError, match=r"\(inputs, targets\) is needed"):
        mirtrim.trim(Conditioned(), (X, GAIN), 2, "activation", batches=lambda: [batch])


def test_inputs_without_examples_are_refused():
    with pytest.raises(ConfigError, match="no tensor with an axis of examples"):
        mirtrim.trim(Conditioned(), (X, GAIN), 2, "activation", batches=lambda: [((3, 4), TARGETS)])
