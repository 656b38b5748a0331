"""Powerpropagation: the gradient of φ, literal numbers."""

import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import Round, Ticket, get_method
from mirtrim.pruning.methods.powerpropagation import PowerpropagationHook, power
from mirtrim.pruning.settings import PruningSettings

INPUT = torch.tensor([[1.0, 2.0]])


def line(*weights: float) -> nn.Linear:
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([weights]))
    return layer


def closure_of(network: nn.Module) -> Tensor:
    network.zero_grad()
    loss = network(INPUT).square().sum() / 2
    loss.backward()
    return loss.detach()


def first_of_two() -> dict[str, Tensor]:
    return {"weight": torch.tensor([[True, False]])}


def test_initial_phi_gives_the_usual_initialisation() -> None:
    """√4 = 2, −√0.25 = −0.5."""
    network = line(4.0, -0.25)
    current = Round(2.0, {"parameters": 2}, INPUT, {}, steps=100)
    get_method("powerpropagation").prepare(
        Ticket(network, {}), PruningSettings("powerpropagation"), current
    )
    assert network.weight.tolist() == [[2.0, -0.5]]
    assert power(network.weight.detach(), 2.0).tolist() == [[4.0, -0.25]]
    assert power(torch.tensor([2.0, -2.0]), 3.0).tolist() == [8.0, -8.0]


def test_gradient_of_phi_is_that_of_theta_times_its_slope() -> None:
    """θ = (4, −0.25): y = 3.5, ∂L/∂θ = (3.5, 7), times 2·|φ| = (4, 1): (14, 7); rate 0.01."""
    network = line(2.0, -0.5)
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    hook = PowerpropagationHook(network, prune_at=100, masks_for=first_of_two, alpha=2.0)
    assert hook.gradients(0, lambda: closure_of(network)) == 3.5**2 / 2
    optimizer.step()
    hook.after_step(0)
    assert torch.allclose(network.weight, torch.tensor([[1.86, -0.57]]))


def test_weight_decay_is_that_of_theta() -> None:
    """No gradient: θ' = θ − 0.1·0.5·θ, so φ moves by 2·|φ|·(−0.05·θ) = (4·−0.2, 1·0.0125)."""
    network = line(2.0, -0.5)
    optimizer = torch.optim.SGD(network.parameters(), 0.1, weight_decay=0.5)
    hook = PowerpropagationHook(network, prune_at=100, masks_for=first_of_two, alpha=2.0)

    def nothing() -> Tensor:
        network.weight.grad = torch.zeros(1, 2)
        return torch.zeros(())

    hook.gradients(0, nothing)
    optimizer.step()
    hook.after_step(0)
    assert torch.allclose(network.weight, torch.tensor([[1.2, -0.4875]]))


def test_what_is_evaluated_is_theta() -> None:
    network = line(2.0, -0.5)
    hook = PowerpropagationHook(network, prune_at=100, masks_for=first_of_two, alpha=2.0)
    with hook.evaluating():
        assert network.weight.tolist() == [[4.0, -0.25]]
    assert network.weight.tolist() == [[2.0, -0.5]]


def test_pruned_once_and_for_good() -> None:
    network = line(2.0, -0.5)
    optimizer = torch.optim.Adam(network.parameters(), 0.01, weight_decay=0.1)
    hook = PowerpropagationHook(network, prune_at=2, masks_for=first_of_two, alpha=2.0)
    for step in range(4):
        hook.gradients(step, lambda: closure_of(network))
        optimizer.step()
        hook.after_step(step)
        assert (network.weight[0, 1].item() == 0.0) == (step >= 2)
    assert [hook.eligible(step) for step in (2, 3)] == [False, True]
