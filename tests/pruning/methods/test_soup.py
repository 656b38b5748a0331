"""Averaging of networks with one mask: literal numbers."""

import pytest
import torch
from torch import Tensor, nn

from mirtrim.pruning.methods import Round, Ticket, get_method
from mirtrim.pruning.methods.batch_statistics import recompute_statistics, statistics_frozen
from mirtrim.pruning.methods.soup import mean_state
from mirtrim.pruning.settings import PruningSettings
from mirtrim.training import Hook


def network() -> nn.Sequential:
    """Of the first two weights, one stays at ratio 6 / 5: five of six parameters."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.BatchNorm1d(1), nn.Linear(1, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.tensor([[2.0, 1.0]]))
        model[2].weight.fill_(5.0)
    return model


BATCHES = [
    (torch.tensor([[1.0, 9.0], [3.0, 9.0]]), torch.zeros(2, 1)),
    (torch.tensor([[5.0, 9.0], [7.0, 9.0]]), torch.zeros(2, 1)),
]


def test_three_trainings_from_one_cut_are_averaged() -> None:
    """(2, 0) → 3, 4 and 8 by training; their mean is (5, 0).

    Activations 5·1, 5·3 | 5·5, 5·7: batch means 10 and 30, variances 50 and 50.
    """
    method, choices = get_method("soup"), PruningSettings("soup")
    current = Round(
        6 / 5,
        {"parameters": 6, "macs": 3},
        torch.ones(1, 2),
        {"generator": torch.Generator(), "batches": lambda: iter(BATCHES)},
    )
    ticket = method.prepare(Ticket(network(), {}), choices, current)
    assert method.trainings(choices) == 3
    first = ticket.network[0].weight
    for part, value in enumerate((3.0, 4.0, 8.0)):
        assert first.tolist() == [[2.0, 0.0]]  # every training starts from the pruned network
        with torch.no_grad():
            first[0, 0] = value
        method.trained(ticket, part)
    ticket = method.finish(ticket, choices, current, Hook())
    assert torch.allclose(first, torch.tensor([[5.0, 0.0]]))
    norm = ticket.network[1]
    assert norm.running_mean.item() == pytest.approx(20.0)
    assert norm.running_var.item() == pytest.approx(50.0)
    assert norm.momentum == 0.1
    assert not norm.training
    method.check(ticket)


def test_counters_are_not_averaged() -> None:
    states: list[dict[str, Tensor]] = [
        {"w": torch.tensor([1.0]), "n": torch.tensor(7)},
        {"w": torch.tensor([2.0]), "n": torch.tensor(7)},
    ]
    mean = mean_state(states)
    assert mean["w"].item() == 1.5
    assert mean["n"].item() == 7
    assert mean["n"].dtype == torch.int64


def test_statistics_can_be_frozen_and_recomputed_without_dropout() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(2))
    model.train()
    with statistics_frozen(model):
        model(BATCHES[0][0])
    assert model[1].running_mean.tolist() == [0.0, 0.0]
    recompute_statistics(model, lambda: iter(BATCHES))
    assert model[1].running_mean.tolist() == [4.0, 9.0]
