"""CrAM: the gradient after a step uphill and a compression, literal numbers."""

import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.cram import CramHook

INPUT = torch.tensor([[1.0, 2.0]])


def line() -> nn.Linear:
    """y = 3·x0 + 2.9·x1."""
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 2.9]]))
    return layer


def closure_of(network: nn.Module) -> Tensor:
    network.zero_grad()
    loss = network(INPUT).square().sum() / 2
    loss.backward()
    return loss.detach()


def hook_of(network: nn.Linear, rho: float) -> CramHook:
    """C keeps the larger of the two weights."""

    def masks_for() -> dict[str, Tensor]:
        sizes = network.weight.detach().abs()
        return {"weight": sizes == sizes.max()}

    return CramHook(network, masks_for, rho)


def test_gradient_is_taken_at_the_compressed_ascended_weights() -> None:
    """y = 8.8, g = (8.8, 17.6), θ + 0.1·g = (3.88, 4.66), C = (0, 4.66): y = 9.32,
    g = (9.32, 18.64), θ' = θ − 0.01·g = (2.9068, 2.7136).
    """
    network = line()
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    loss = hook_of(network, 0.1).gradients(0, lambda: closure_of(network))
    assert torch.isclose(loss, torch.tensor(9.32**2 / 2))
    assert torch.equal(network.weight, torch.tensor([[3.0, 2.9]]))  # dense again, to the bit
    optimizer.step()
    assert torch.allclose(network.weight, torch.tensor([[2.9068, 2.7136]]))


def test_without_a_step_uphill_another_weight_is_kept() -> None:
    """ρ = 0: C(θ) = (3, 0), y = 3, g = (3, 6)."""
    network = line()
    hook = hook_of(network, 0.0)
    hook.gradients(0, lambda: closure_of(network))
    assert network.weight.grad is not None
    assert network.weight.grad.tolist() == [[3.0, 6.0]]
    with hook.evaluating():
        assert network.weight.tolist() == [[3.0, 0.0]]
    assert torch.equal(network.weight, torch.tensor([[3.0, 2.9]]))


def test_running_statistics_see_the_compressed_network_once() -> None:
    network = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1)).train()
    with torch.no_grad():
        network[0].weight.fill_(2.0)
    inputs = torch.tensor([[1.0], [3.0]])

    def closure() -> Tensor:
        network.zero_grad()
        loss = network(inputs).sum()
        loss.backward()
        return loss.detach()

    CramHook(network, lambda: {"0.weight": torch.tensor([[True]])}, 0.0).gradients(0, closure)
    assert torch.allclose(network[1].running_mean, torch.tensor([0.4]))  # 0.1 · mean(2, 6)
    assert network[1].momentum == 0.1


def test_the_published_radius_is_the_default() -> None:
    """y = 8.8, g = (8.8, 17.6), θ + 0.05·g = (3.44, 3.78), C = (0, 3.78): y = 7.56."""
    network = line()
    current = Round(2.0, {"parameters": 2, "macs": 2}, INPUT, {})
    hook = get_method("cram").hook(Ticket(network, {}), settings_of({"method": "cram"}), current)
    loss = hook.gradients(0, lambda: closure_of(network))
    assert torch.isclose(loss, torch.tensor(7.56**2 / 2))
    assert network.weight.grad is not None
    torch.testing.assert_close(network.weight.grad, torch.tensor([[7.56, 15.12]]))
