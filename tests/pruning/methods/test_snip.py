"""SNIP: connection sensitivity at initialisation, literal numbers."""

import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.training import state_of

CHOICES = settings_of({"method": "snip", "scope": "global"})


def half_square(outputs: Tensor, targets: Tensor) -> Tensor:
    return outputs.square().sum() / 2


def current(network: nn.Module, inputs: Tensor, ratio: float) -> Round:
    return Round(
        ratio,
        {"parameters": sum(p.numel() for p in network.parameters()), "macs": 1},
        inputs[:1],
        {
            "generator": torch.Generator(),
            "batches": lambda: iter([(inputs, inputs)]),
            "loss": half_square,
        },
    )


def test_the_weight_with_the_largest_product_with_its_gradient_stays() -> None:
    """w = (1.5, 1), x = (1, 2): y = 3.5, g = (3.5, 7), |w·g| = (5.25, 7)."""
    network = nn.Sequential(nn.Linear(2, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[1.5, 1.0]]))
    inputs = torch.tensor([[1.0, 2.0]])
    ticket = get_method("snip").prepare(Ticket(network, {}), CHOICES, current(network, inputs, 2))
    assert ticket.masks["0.weight"].tolist() == [[False, True]]
    assert network[0].weight.tolist() == [[0.0, 1.0]]


def test_scoring_sees_normalised_activations_and_leaves_the_initial_network() -> None:
    """With fresh statistics the first column (scale 1000) would win every place."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.BatchNorm1d(2), nn.Linear(2, 4, bias=False))
    with torch.no_grad():
        network[1].weight.copy_(torch.tensor([[1.0, 2.0]] * 4))
    inputs = torch.randn(64, 2) * torch.tensor([1000.0, 1.0])
    before = state_of(network)
    method = get_method("snip")
    ticket = method.prepare(Ticket(network, {}), CHOICES, current(network, inputs, 1.5))
    assert ticket.masks["1.weight"].tolist() == [[False, True]] * 4
    for name, value in network.state_dict().items():
        if name != "1.weight":
            assert torch.equal(value, before[name])


def test_nothing_dense_is_trained() -> None:
    assert get_method("snip").start == "initial"
    assert (CHOICES.criterion, CHOICES.scope, CHOICES.reset) == ("-", "global", "-")
