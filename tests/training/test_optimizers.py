"""Our optimisers are torch's, without the import of its compiler."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from mirtrim.training import FitSettings
from mirtrim.training.optimizers import optimizer_of

ADAM = FitSettings(
    epochs=1, batch_size=4, learning_rate=0.01, weight_decay=0.1, schedule="one_cycle"
)
SETTINGS = {"adam": ADAM, "sgd": replace(ADAM, optimizer="sgd")}
RIVALS = {
    "adam": lambda weights: torch.optim.Adam(weights, 0.01, weight_decay=0.1, fused=True),
    "sgd": lambda weights: torch.optim.SGD(
        weights, 0.01, momentum=0.9, weight_decay=0.1, nesterov=True, fused=True
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_steps_and_states_are_those_of_torch_bit_for_bit(name: str) -> None:
    networks = []
    for make in (lambda n: optimizer_of(n, SETTINGS[name]), lambda n: RIVALS[name](n.parameters())):
        torch.manual_seed(0)
        network = nn.Linear(5, 3)
        optimizer = make(network)
        scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=6)
        for step in range(6):
            optimizer.zero_grad(set_to_none=True)
            assert network.weight.grad is None
            network(torch.randn(4, 5)).square().sum().backward()
            optimizer.step()
            scheduler.step()
            if step == 2:  # as a resumed training does
                saved = optimizer.state_dict()
                optimizer = make(network)
                optimizer.load_state_dict(saved)
                state = scheduler.state_dict()
                scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=6)
                scheduler.load_state_dict(state)
                optimizer.load_state_dict(saved)
        assert torch.is_grad_enabled()
        networks.append(network)
    ours, theirs = networks
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_plain_descent_has_no_momentum_to_look_ahead_with(momentum: float) -> None:
    """w = 1, gradient 2 w, decay 0.1: steps of 0.01 (2 w + 0.1 w), which a momentum makes longer.

    Nesterov's step is g + μ v with v = g at first: 1.5 times as long for μ = ½.
    """
    network = nn.Linear(1, 1, bias=False)
    nn.init.ones_(network.weight)
    settings = replace(SETTINGS["sgd"], momentum=momentum)
    optimizer = optimizer_of(network, settings)
    network.weight.square().sum().backward()
    optimizer.step()
    assert network.weight.item() == pytest.approx(1 - 0.01 * 2.1 * (1 + momentum))


@pytest.mark.parametrize("name", SETTINGS)
def test_a_step_is_one_pass_over_memory(name: str) -> None:
    """A third of the time of the default."""
    assert optimizer_of(nn.Linear(1, 1), SETTINGS[name]).defaults["fused"]


def test_an_unknown_optimiser_is_named() -> None:
    with pytest.raises(ValueError, match="lion"):
        optimizer_of(nn.Linear(1, 1), replace(ADAM, optimizer="lion"))


def test_a_training_never_imports_the_compiler() -> None:
    """It takes two seconds of every job."""
    program = f"""
import sys, torch
from mirtrim.counting.operations import macs
from mirtrim.training import FitSettings
from mirtrim.training.optimizers import optimizer_of
network = torch.nn.Linear(5, 3)
macs(network, torch.zeros(1, 5))
for name in {[*SETTINGS]}:
    optimizer = optimizer_of(network, FitSettings(1, 4, 0.1, 0.0, "one_cycle", optimizer=name))
    optimizer.zero_grad()
    network(torch.zeros(2, 5)).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
print(*(name for name in ("torch._dynamo", "sympy") if name in sys.modules))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""
