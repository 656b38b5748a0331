"""One cut by magnitude, then training with the mask fixed: literal numbers."""

from typing import Any

import torch
from torch import nn

from mirtrim.pruning.methods import Round, Ticket, get_method
from mirtrim.pruning.settings import PruningSettings

CHOICES = PruningSettings("one_shot")


def line() -> nn.Sequential:
    """y = 3·x0 − x1 + 0.5·x2 − 4·x3."""
    network = nn.Sequential(nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([[3.0, -1.0, 0.5, -4.0]]))
    return network


def current(**scoring: Any) -> Round:
    scoring = {"generator": torch.Generator(), **scoring}
    return Round(2.0, {"parameters": 4, "macs": 4}, torch.ones(1, 4), scoring)


def test_the_largest_half_stays_and_only_it_is_trained() -> None:
    """w = (3, 0, 0, −4): y = −1, g = y·x = (−1, −1, −1, −1), w' = w − 0.1·m·g."""
    method = get_method("one_shot")
    ticket = method.prepare(Ticket(line(), {}), CHOICES, current())
    weight = ticket.network[0].weight
    assert weight.tolist() == [[3.0, 0.0, 0.0, -4.0]]
    optimizer = torch.optim.SGD(ticket.network.parameters(), 0.1)
    hook = method.hook(ticket, CHOICES, current())
    (ticket.network(torch.ones(1, 4)).square().sum() / 2).backward()
    optimizer.step()
    hook.after_step(0)
    assert torch.allclose(weight, torch.tensor([[3.1, 0.0, 0.0, -3.9]]))
    method.check(ticket)


def test_it_starts_from_the_trained_dense_network_at_every_ratio() -> None:
    assert get_method("one_shot").start == "dense"
    assert get_method("one_shot").trainings(CHOICES) == 1
