"""Top-KAST: forward set, backward set and penalty, literal numbers."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import Round, Ticket, get_method, settings_of
from mirtrim.pruning.methods.top_kast import TopKastHook

INPUT = torch.ones(1, 3)


def line() -> nn.Linear:
    """y = 3·x0 + 2·x1 + 1·x2."""
    layer = nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 2.0, 1.0]]))
    return layer


def closure_of(network: nn.Module) -> Tensor:
    network.zero_grad()
    loss = network(INPUT).square().sum() / 2
    loss.backward()
    return loss.detach()


def one_and_two() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return (
        {"weight": torch.tensor([[True, False, False]])},
        {"weight": torch.tensor([[True, True, False]])},
    )


def test_forward_in_a_update_in_b_and_a_harder_penalty_between() -> None:
    """A = {0}, B = {0, 1}, D = 1/3, λ = 0.1: y = 3, g = (3, 3, 3), r = (3, 2 / D, 0).

    w' = (3 − 0.1·(3 + 0.3), 2 − 0.1·(3 + 0.6), 1) = (2.67, 1.64, 1).
    """
    network = line()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    hook = TopKastHook(network, one_and_two, density=1 / 3, period=16, penalty=0.1)
    assert hook.gradients(0, lambda: closure_of(network)) == 4.5
    assert network.weight.tolist() == [[3.0, 2.0, 1.0]]
    optimizer.step()
    hook.after_step(0)
    assert torch.allclose(network.weight, torch.tensor([[2.67, 1.64, 1.0]]))
    with hook.evaluating():
        assert torch.allclose(network.weight, torch.tensor([[2.67, 0.0, 0.0]]))
    assert hook.eligible(1)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_no_optimiser_moves_a_weight_outside_b(kind: type[torch.optim.Optimizer]) -> None:
    network = line()
    optimizer = kind(network.parameters(), lr=0.1, weight_decay=0.1)  # type: ignore[call-arg]
    hook = TopKastHook(network, one_and_two, density=1 / 3, period=16, penalty=1e-4)
    for step in range(3):
        hook.gradients(step, lambda: closure_of(network))
        optimizer.step()
        hook.after_step(step)
    assert network.weight[0, 2].item() == 1.0
    assert network.weight[0, 1].item() != 2.0


def test_sets_are_drawn_every_period() -> None:
    network, drawn = line(), []

    def sets() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        drawn.append(step)
        return one_and_two()

    hook = TopKastHook(network, sets, density=1 / 3, period=3, penalty=1e-4)
    for step in range(8):
        hook.gradients(step, lambda: closure_of(network))
    assert drawn == [0, 3, 6]


def test_changes_of_a_are_counted_from_the_second_choice_on() -> None:
    """A is the first weight, then the second, and stays so: 2 entries in 2 choices."""
    chosen = iter([[True, False, False], [False, True, False], [False, True, False]])

    def sets() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        forward = torch.tensor([next(chosen)])
        return {"weight": forward}, {"weight": forward | torch.tensor([[True, True, False]])}

    network = line()
    hook = TopKastHook(network, sets, density=1 / 3, period=1, penalty=1e-4)
    found = [hook.diagnostics()["flips_per_refresh"]]
    for step in range(3):
        hook.gradients(step, lambda: closure_of(network))
        found.append(hook.diagnostics()["flips_per_refresh"])
    assert found == [0, 0, 2, 1]
    again = TopKastHook(line(), sets, density=1 / 3, period=1, penalty=1e-4)
    again.load_state(hook.state())
    assert again.diagnostics() == hook.diagnostics()
    assert again.forward_masks["weight"].tolist() == [[False, True, False]]
    assert again.backward_masks["weight"].tolist() == [[True, True, False]]


def test_b_is_twice_as_large_and_contains_a() -> None:
    network = nn.Sequential(nn.Linear(8, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.arange(1.0, 9.0)[None])
    current = Round(4.0, {"parameters": 8, "macs": 8}, torch.ones(1, 8), {}, steps=32)
    choices = settings_of({"method": "top_kast"})
    hook = get_method("top_kast").hook(Ticket(network, {}), choices, current)
    assert isinstance(hook, TopKastHook)
    hook._refresh()
    assert hook.forward_masks["0.weight"].tolist() == [[False] * 6 + [True] * 2]
    assert hook.backward_masks["0.weight"].tolist() == [[False] * 4 + [True] * 4]
