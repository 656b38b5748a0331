"""2:4 sparsity: pattern, straight-through gradient and decay, literal numbers."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import get_method
from mirtrim.pruning.methods.semi_structured import SemiStructuredHook, pattern
from mirtrim.pruning.settings import PruningSettings

INPUT = torch.ones(1, 4)


def line() -> nn.Linear:
    layer = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[4.0, -3.0, 2.0, 1.0]]))
    return layer


def closure_of(network: nn.Module) -> Tensor:
    network.zero_grad()
    loss = network(INPUT).square().sum() / 2
    loss.backward()
    return loss.detach()


def test_two_of_four_neighbours_along_the_input_axis_stay() -> None:
    assert pattern(torch.tensor([[1.0, -5.0, 2.0, 3.0, 9.0, 8.0, 7.0, 6.0]])).tolist() == [
        [False, True, False, True, True, True, False, False]
    ]
    kernel = torch.tensor([[1.0, 9.0], [2.0, 8.0], [3.0, 7.0], [4.0, 6.0]])[None]  # (1, 4, 2)
    assert pattern(kernel)[0].tolist() == [
        [False, True], [False, True], [True, False], [True, False],
    ]  # fmt: skip


def test_exactly_two_stay_when_all_are_equal() -> None:
    assert pattern(torch.ones(3, 8)).sum(dim=1).tolist() == [4, 4, 4]


def test_gradient_at_the_sparse_weights_and_rising_decay_of_the_masked_ones() -> None:
    """m ⊙ w = (4, −3, 0, 0): y = 1, g = 1; step 1 of t_0 = 2, so λ = 0.1 / 2.

    w' = w − 0.1·(g + 0.05·(0, 0, 2, 1)) = (3.9, −3.1, 1.89, 0.895).
    """
    network = line()
    optimizer = torch.optim.SGD(network.parameters(), 0.1)
    hook = SemiStructuredHook(network, rising_steps=2, decay=0.1)
    assert hook.gradients(1, lambda: closure_of(network)) == 0.5
    optimizer.step()
    hook.after_step(1)
    assert torch.allclose(network.weight, torch.tensor([[3.9, -3.1, 1.89, 0.895]]))
    with hook.evaluating():
        assert torch.allclose(network.weight, torch.tensor([[3.9, -3.1, 0.0, 0.0]]))


@pytest.mark.parametrize(("step", "decay"), [(0, 0.0), (1, 0.05), (2, 0.1), (9, 0.1)])
def test_decay_rises_and_stays(step: int, decay: float) -> None:
    network = line()
    SemiStructuredHook(network, 2, 0.1).gradients(step, lambda: closure_of(network))
    assert network.weight.grad is not None
    assert torch.allclose(network.weight.grad, torch.tensor([[1, 1, 1 + 2 * decay, 1 + decay]]))


def test_a_masked_weight_that_grows_takes_its_place() -> None:
    network = line()
    hook = SemiStructuredHook(network, 2, 2e-4)
    with torch.no_grad():
        network.weight[0, 3] = -3.5
    with hook.evaluating():
        assert network.weight.tolist() == [[4.0, 0.0, 0.0, -3.5]]
    error = (9 + 4) / (16 + 9 + 4 + 12.25)
    assert hook.diagnostics() == {"pruning_error": pytest.approx(error)}


def test_highest_ratio_leaves_what_does_not_fall_into_fours() -> None:
    """Conv 1→4 (kernel 3): 12 dense; conv 4→6 (kernel 1): 24, halved; linear 6→2: 12 dense."""
    network = nn.Sequential(
        nn.Conv1d(1, 4, 3), nn.Conv1d(4, 6, 1), nn.Flatten(), nn.Linear(6, 2, bias=False)
    )
    ratio = get_method("semi_structured").highest_ratio(
        network, torch.zeros(1, 1, 3), PruningSettings("semi_structured")
    )
    assert ratio == (12 + 4 + 24 + 6 + 12) / (12 + 4 + 12 + 6 + 12)
