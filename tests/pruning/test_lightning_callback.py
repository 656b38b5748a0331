"""What the callback does when a trainer calls it, with or without Lightning installed.

Where Lightning is missing, its class of callbacks, which has empty methods, is stood in for.
"""

import importlib
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from mirtrim.utils.errors import ConfigError

MODULE = "mirtrim.pruning.lightning"
ONES = torch.ones(1, 4)


@pytest.fixture
def kind(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The class of callbacks."""
    try:
        importlib.import_module("lightning.pytorch")
    except ImportError:
        stand_in = ModuleType("lightning.pytorch")
        stand_in.Callback = object  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "lightning", ModuleType("lightning"))
        monkeypatch.setitem(sys.modules, "lightning.pytorch", stand_in)
    before = sys.modules.pop(MODULE, None)
    yield importlib.import_module(MODULE).FeedbackCallback
    sys.modules.pop(MODULE, None)
    if before is not None:
        sys.modules[MODULE] = before


class Lit(nn.Module):
    """A module with a network in it, and with nothing else that could be pruned."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(4, 1, bias=False)
        with torch.no_grad():
            self.net.weight.copy_(torch.tensor([[4.0, 3.0, 2.0, 1.0]]))


def trainer_of(network: nn.Module, steps: Any = 2, optimizers: int = 1) -> SimpleNamespace:
    made = [torch.optim.SGD(network.parameters(), 0.1) for _ in range(optimizers)]
    return SimpleNamespace(optimizers=made, estimated_stepping_batches=steps, global_step=0)


def step(trainer: Any, callback: Any, network: nn.Module, batches: int = 1) -> None:
    """A step down half of the squared output, whose gradient is made of `batches` batches."""
    (optimizer,) = trainer.optimizers
    optimizer.zero_grad()
    for batch in range(batches):
        (network(ONES) ** 2 / (2 * batches)).sum().backward()
        if batch == batches - 1:
            optimizer.step()
            trainer.global_step += 1
        callback.on_train_batch_end(trainer, None, None, None, batch)


# As `test_dynamic` works it out: 10 off each of 4, 3, 2, 1, then 5 off each.
@pytest.mark.parametrize("module", ["", "net"])
@pytest.mark.parametrize("batches", [1, 3])
def test_two_steps_by_hand(kind: Any, module: str, batches: int) -> None:
    lit = Lit()
    trainer = trainer_of(lit)
    callback = kind(2, module=module)
    network = lit.net
    if module == "":
        lit.forward = network.forward  # type: ignore[method-assign]
    trainer.global_step = 7  # of an earlier training
    callback.on_train_start(trainer, lit)
    for seen in ([3, 2, 0, 0], [2.5, 1.5, 0, 0]):
        step(trainer, callback, network, batches)
        assert network.weight[0].tolist() == pytest.approx(seen)
    callback.on_train_end(trainer, lit)
    assert callback.pruning.steps == 2
    assert network.weight[0].tolist() == pytest.approx([2.5, 1.5, 0, 0])
    assert callback.pruning.model is (lit if module == "" else network)


def test_batches_without_a_step_are_none(kind: Any) -> None:
    lit = Lit()
    trainer, callback = trainer_of(lit.net), kind(2, module="net")
    trainer.global_step = 3
    callback.on_train_batch_end(trainer)  # before the training starts
    callback.on_train_start(trainer, lit)
    callback.on_train_batch_end(trainer)
    assert callback.pruning.steps == 0
    step(trainer, callback, lit.net)
    callback.on_train_batch_end(trainer)
    assert callback.pruning.steps == 1


def test_an_exception_puts_the_dense_weights_back(kind: Any) -> None:
    lit = Lit()
    trainer, callback = trainer_of(lit.net), kind(2, module="net")
    error = KeyboardInterrupt()
    callback.on_exception(trainer, lit, error)  # before the training starts
    callback.on_train_end(trainer, lit)
    callback.on_train_start(trainer, lit)
    trainer.optimizers[0].param_groups[0]["lr"] = 0.0
    for _ in range(2):
        step(trainer, callback, lit.net)
    assert lit.net.weight[0].tolist() == [4, 3, 0, 0]
    callback.on_exception(trainer, lit, error)
    assert lit.net.weight[0].tolist() == [4, 3, 2, 1]


@pytest.mark.parametrize("optimizers", [0, 2])
def test_it_prunes_beside_one_optimiser(kind: Any, optimizers: int) -> None:
    lit = Lit()
    with pytest.raises(ConfigError, match=f"{optimizers} optimizers"):
        kind(2).on_train_start(trainer_of(lit, optimizers=optimizers), lit)


def test_units_are_removed_from_a_named_module_only(kind: Any) -> None:
    lit = Lit()
    lit.net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))  # type: ignore[assignment]
    with pytest.raises(ConfigError, match="module="):
        kind(1.2, of="units").on_train_start(trainer_of(lit), lit)
    words = {"of": "units", "module": "net", "minimum_units": 1}
    trainer, callback = trainer_of(lit.net), kind(1.2, example_inputs=ONES, **words)
    callback.on_train_start(trainer, lit)
    for _ in range(2):
        step(trainer, callback, lit.net)
    callback.on_train_end(trainer, lit)
    assert callback.pruning.model[0].out_features == 2
    # The example of the module is the one that is taken where none is given.
    with pytest.raises(ConfigError, match="example_inputs"):
        kind(1.2, **words).on_train_start(trainer_of(lit.net), lit)
    lit.example_input_array = ONES
    callback = kind(1.2, **words)
    callback.on_train_start(trainer_of(lit.net), lit)
    callback.on_exception(None, lit, KeyboardInterrupt())


def test_steps_are_those_of_the_trainer_unless_some_are_given(kind: Any) -> None:
    lit = Lit()
    endless = trainer_of(lit.net, float("inf"))
    with pytest.raises(ConfigError, match="no end; give steps="):
        kind(2, module="net").on_train_start(endless, lit)
    for steps, trainer, end in ((None, trainer_of(lit.net, 40), 30), (20, endless, 15)):
        callback = kind(2, steps, "net")
        callback.on_train_start(trainer, lit)
        assert callback.pruning._hook.schedule.end == end
        callback.on_exception(trainer, lit, KeyboardInterrupt())


def test_a_checkpoint_holds_what_the_next_training_needs(kind: Any) -> None:
    whole, stopped = Lit(), Lit()
    trainer, callback = trainer_of(whole.net), kind(2, module="net")
    callback.on_train_start(trainer, whole)
    for _ in range(2):
        step(trainer, callback, whole.net)
    callback.on_train_end(trainer, whole)

    trainer, first = trainer_of(stopped.net), kind(2, module="net")
    assert first.state_dict() == {}
    first.on_train_start(trainer, stopped)
    step(trainer, first, stopped.net)
    state = first.state_dict()
    assert state["dense/weight"].tolist() == [pytest.approx([3, 2, 1, 0], abs=1e-6)]

    again = Lit()
    trainer, second = trainer_of(again.net), kind(2, module="net")
    second.load_state_dict(state)
    second.on_train_start(trainer, again)
    assert again.net.weight[0].tolist() == pytest.approx([3, 2, 0, 0])
    step(trainer, second, again.net)
    second.on_train_end(trainer, again)
    assert second.pruning.steps == 2
    assert torch.equal(again.net.weight, whole.net.weight)
    # A further training begins anew, and so does one from a checkpoint without a state.
    second.on_train_start(trainer_of(again.net), again)
    assert second.pruning.steps == 0
    second.on_exception(None, again, KeyboardInterrupt())
    second.load_state_dict({})
    second.on_train_start(trainer_of(again.net), again)
    assert second.pruning.steps == 0
    second.on_exception(None, again, KeyboardInterrupt())


def test_without_lightning_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        monkeypatch.setitem(sys.modules, name, None)
    before = sys.modules.pop(MODULE, None)
    try:
        with pytest.raises(ConfigError, match="pip install lightning"):
            importlib.import_module(MODULE)
    finally:
        if before is not None:
            sys.modules[MODULE] = before
