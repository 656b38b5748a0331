"""Feedback on weights: the published equation with literal numbers, and what must not happen."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods.feedback import FeedbackHook
from mirtrim.pruning.methods.within_training import magnitude_masks
from mirtrim.pruning.schedule import Ramp

INPUT = torch.tensor([[1.0, 2.0]])
FROM_THE_START = Ramp(final=0.5, begin=-16, end=1000)


def line() -> nn.Linear:
    """y = 3·x0 + 1·x1."""
    layer = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 1.0]]))
    return layer


def closure_of(network: nn.Module) -> Tensor:
    network.zero_grad()
    loss = network(INPUT).square().sum() / 2
    loss.backward()
    return loss.detach()


def masks_of_one(sparsity: float) -> dict[str, Tensor]:
    return {"weight": torch.tensor([[True, False]])}


def test_gradient_at_the_masked_weights_moves_all_dense_weights() -> None:
    """w = (3, 1), m = (1, 0): y = 3, g = y·x = (3, 6), w' = w − 0.1·g = (2.7, 0.4)."""
    network = line()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    hook = FeedbackHook(network, Ramp(0.5, 0, 1000), masks_of_one)
    loss = hook.gradients(0, lambda: closure_of(network))
    assert loss == 4.5
    assert network.weight.tolist() == [[3.0, 1.0]]  # dense again before the optimiser acts
    optimizer.step()
    assert torch.allclose(network.weight, torch.tensor([[2.7, 0.4]]))


@pytest.mark.parametrize("kind", ["sgd", "adam"])
def test_a_masked_weight_moves_with_any_optimiser(kind: str) -> None:
    network = line()
    optimizer = (
        torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, nesterov=True)
        if kind == "sgd"
        else torch.optim.Adam(network.parameters(), 0.01)
    )
    hook = FeedbackHook(network, Ramp(0.5, 0, 1000), masks_of_one)
    for step in range(3):
        hook.gradients(step, lambda: closure_of(network))
        optimizer.step()
    assert abs(network.weight[0, 1].item() - 1.0) > 0.01


def test_evaluation_is_masked_and_leaves_the_dense_weights_to_the_bit() -> None:
    network = line()
    hook = FeedbackHook(network, Ramp(0.5, 0, 1000), masks_of_one)
    hook.gradients(0, lambda: closure_of(network))
    before = network.weight.detach().clone()
    with hook.evaluating():
        assert network(INPUT).item() == 3.0
        assert network.weight.tolist() == [[3.0, 0.0]]
    assert torch.equal(network.weight, before)


def test_an_evaluation_that_fails_gives_the_dense_weights_back() -> None:
    network = line()
    hook = FeedbackHook(network, Ramp(0.5, 0, 1000), masks_of_one)
    hook.gradients(0, lambda: closure_of(network))
    with pytest.raises(RuntimeError), hook.evaluating():
        raise RuntimeError
    assert network.weight.tolist() == [[3.0, 1.0]]


def test_masks_are_drawn_at_the_refreshes_and_nowhere_else() -> None:
    network = line()
    drawn: list[float] = []

    def masks_for(sparsity: float) -> dict[str, Tensor]:
        drawn.append(sparsity)
        return masks_of_one(sparsity)

    schedule = Ramp(0.5, 0, 40)
    hook = FeedbackHook(network, schedule, masks_for)
    for step in range(60):
        before = len(drawn)
        hook.gradients(step, lambda: closure_of(network))
        assert (len(drawn) > before) == (step in (0, 16, 32, 40))
    assert drawn == [schedule.sparsity(step) for step in (0, 16, 32, 40)]
    assert [step for step in range(60) if hook.eligible(step)] == list(range(41, 60))


def test_a_weight_comes_back_and_is_counted() -> None:
    """The closed weight grows by its gradient until it is the larger one.

    Loss ½(y − 9)² at x = (0, 1): only the second weight gets a gradient, and it grows.
    """
    network = line()
    hook = FeedbackHook(network, Ramp(0.5, 0, 1000), magnitude_masks(network, "local", 1))
    hook.masks = {"weight": torch.tensor([[True, False]])}
    hook._was_closed = {"weight": torch.tensor([[False, True]])}
    optimizer = torch.optim.SGD(network.parameters(), 0.5)

    def closure() -> Tensor:
        network.zero_grad()
        loss = (network(torch.tensor([[0.0, 1.0]])) - 9).square().sum() / 2
        loss.backward()
        return loss.detach()

    hook.gradients(1, closure)  # no refresh: masked output 0, gradient −9
    optimizer.step()
    assert network.weight.tolist() == [[3.0, 5.5]]
    hook.refresh(0.5)
    assert hook.masks["weight"].tolist() == [[False, True]]
    diagnostics = hook.diagnostics()
    assert diagnostics["flips_per_refresh"] == 2
    assert diagnostics["share_came_back"] == 0.5  # one of the two that were ever closed
    assert diagnostics["pruning_error"] == pytest.approx(9 / (9 + 5.5**2))


def test_masks_of_the_largest_weights_reach_the_target_exactly() -> None:
    network = nn.Sequential(nn.Linear(10, 10), nn.Linear(10, 5))
    draw = magnitude_masks(network, "global", target=20)
    everything, half = draw(0.0), draw(0.5)
    assert sum(int(m.sum()) for m in everything.values()) == 150
    assert (
        sum(int(m.sum()) for m in half.values()) == 150 - 83
    )  # half of all 165 parameters, rounded up
    assert sum(int(m.sum()) for m in draw(0.99).values()) == 20


def test_a_weight_that_stays_open_is_counted_once() -> None:
    """Three weights; one is closed and opened, one stays open, one stays closed: 1 of 2."""
    network = nn.Linear(3, 1, bias=False)
    masks = iter(
        [
            [True, False, False],
            [True, True, False],
            [True, True, False],
            [True, True, False],
        ]
    )
    hook = FeedbackHook(
        network, Ramp(0.5, 0, 1000, 1), lambda _: {"weight": torch.tensor([next(masks)])}
    )
    shares, flips = [], []
    for step in range(4):
        hook.gradients(step, lambda: torch.zeros(()))
        shares.append(hook.diagnostics()["share_came_back"])
        flips.append(hook.diagnostics()["flips_per_refresh"])
    assert shares == [0, 0.5, 0.5, 0.5]
    assert flips == [2, 3 / 2, 3 / 3, 3 / 4]
