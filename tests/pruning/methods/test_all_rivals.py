"""Every method, through a whole round as a compress job runs it, on a small spectral network."""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.masking import maskable
from mirtrim.pruning.methods import METHODS, Method, Round, Ticket, get_method, settings_of
from mirtrim.pruning.settings import PruningSettings
from mirtrim.training import Closure, EpochReport, FitSettings, Hook, State, fit, state_of
from mirtrim.training.initialise import initialise

EXAMPLE = torch.zeros(1, 1, 8, 10)
STEPS = 20  # no multiple of a refresh period, so that a resumed training needs its masks
SETTINGS = FitSettings(5, 8, 0.01, 1e-4, "one_cycle")
# Those that copy another run have nothing to copy here.
NAMES = sorted(name for name, kind in METHODS.items() if "reference" not in kind.uses)
MASKING = [name for name in NAMES if METHODS[name].masks]
RATIO = 4.0


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


class Noise:
    """Batches in which an event is wherever the first mel bin is positive."""

    steps_per_epoch = STEPS

    def __init__(self, stream: int = 0) -> None:
        self.stream = stream

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        generator = torch.Generator().manual_seed(1000 * self.stream + epoch)
        for _ in range(self.steps_per_epoch):
            inputs = torch.randn(8, 1, 8, 10, generator=generator)
            yield inputs, (inputs[:, :, 0] > 0).float()

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield from islice(self.batches(999), 5)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)


def network() -> nn.Module:
    model = SpectralCNN(frames=10, mel_bins=8, channels=8, hidden=16)
    initialise(model, torch.Generator().manual_seed(0))
    return model


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def nonzeros(model: nn.Module) -> int:
    return sum(int(p.count_nonzero()) for n, p in model.named_parameters() if n in maskable(model))


DENSE = count(network())
FIXED = sum(p.numel() for p in network().parameters() if p.dim() < 2)


@pytest.fixture(scope="module")
def trained() -> tuple[State, State]:
    """Best state and initial state of a dense training."""
    torch.set_num_threads(1)
    result = fit(network(), Noise(), SETTINGS, seed=0, snapshot_epoch=0)
    return result.best, result.snapshot


class Watched(Hook):
    """Passes everything on, and looks at the network that could be kept."""

    def __init__(self, inner: Hook, model: nn.Module) -> None:
        self.inner, self.model = inner, model
        self.could_be_kept: list[int] = []
        self.dense_unchanged: list[bool] = []
        self._eligible = False

    def gradients(self, step: int, closure: Closure) -> Tensor:
        return self.inner.gradients(step, closure)

    def after_step(self, step: int) -> None:
        self.inner.after_step(step)

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        before = [p.detach().clone() for p in self.model.parameters()]
        with self.inner.evaluating():
            if self._eligible:
                self.could_be_kept.append(nonzeros(self.model))
            yield
        pairs = zip(before, self.model.parameters(), strict=True)
        self.dense_unchanged.append(all(torch.equal(old, new) for old, new in pairs))

    def eligible(self, step: int) -> bool:
        self._eligible = self.inner.eligible(step)
        return self._eligible

    def state(self) -> State:
        return self.inner.state()

    def load_state(self, state: State) -> None:
        self.inner.load_state(state)

    def diagnostics(self) -> dict[str, float]:
        return self.inner.diagnostics()


class Killed(Exception):
    pass


def kill_after(epochs: int) -> Callable[[EpochReport], None]:
    def report(epoch: EpochReport) -> None:
        if epoch.epoch == epochs:
            raise Killed

    return report


def choices(name: str, **more: Any) -> PruningSettings:
    criterion = "magnitude" if "criterion" in METHODS[name].uses else "-"
    return settings_of({"method": name, "criterion": criterion, **more})


def asked(name: str) -> float:
    return min(RATIO, get_method(name).highest_ratio(network(), EXAMPLE, choices(name)))


def run_round(
    name: str,
    dense: tuple[State, State],
    folder: Path | None = None,
    report: Callable[[EpochReport], None] = lambda _: None,
    settings: FitSettings = SETTINGS,
    **more: Any,
) -> tuple[Method, Ticket, list[Watched]]:
    """What a compress job does with one ratio."""
    method, chosen = get_method(name), choices(name, **more)
    model, (best, initial) = network(), dense
    model.load_state_dict(initial if method.start == "initial" else best)
    current = Round(
        asked(name),
        {"parameters": DENSE, "macs": 1},
        EXAMPLE,
        {
            "batches": lambda: Noise(7).batches(1),
            "loss": Noise().loss,
            "generator": torch.Generator().manual_seed(3),
        },
        steps=SETTINGS.epochs * STEPS,
    )
    ticket = method.prepare(
        Ticket(model, copy.deepcopy(initial), copy.deepcopy(initial)), chosen, current
    )
    hooks: list[Watched] = []
    for part in range(method.trainings(chosen)):
        hooks.append(Watched(method.hook(ticket, chosen, current), ticket.network))
        fit(
            ticket.network,
            Noise(part),
            settings,
            part,
            hook=hooks[-1],
            resume_path=folder / f"{part}.safetensors" if folder else None,
            report=report,
        )
        method.trained(ticket, part)
    return method, method.finish(ticket, chosen, current, hooks[-1].inner), hooks


@pytest.fixture(scope="module")
def undisturbed(
    trained: tuple[State, State],
) -> Callable[[str], tuple[Method, Ticket, list[Watched]]]:
    """A round of a method at its defaults, run once."""
    return cache(lambda name: run_round(name, trained))


def target(name: str) -> int:
    """Maskable weights that may be left."""
    return int(DENSE / asked(name) + 1e-6) - FIXED


@pytest.mark.parametrize("name", NAMES)
def test_a_round_reaches_what_was_asked_and_leaves_dense_weights_alone(
    name: str, undisturbed: Callable[[str], tuple[Method, Ticket, list[Watched]]]
) -> None:
    method, ticket, hooks = undisturbed(name)
    method.check(ticket)
    assert all(sum(hook.dense_unchanged) == SETTINGS.epochs for hook in hooks)
    if method.masks:
        assert nonzeros(ticket.network) == target(name)
        assert sum(int(mask.sum()) for mask in ticket.masks.values()) == target(name)
        assert all(hook.could_be_kept for hook in hooks)
        assert {n for hook in hooks for n in hook.could_be_kept} == {target(name)}
    elif asked(name) == RATIO and method.highest_ratio(network(), EXAMPLE, choices(name)) < float(
        "inf"
    ):
        assert RATIO <= DENSE / count(ticket.network) < 1.5 * RATIO


@pytest.mark.parametrize("name", [n for n in MASKING if "scope" in METHODS[n].uses])
def test_a_global_ranking_reaches_it_as_well(name: str, trained: tuple[State, State]) -> None:
    method, ticket, _ = run_round(name, trained, scope="global")
    method.check(ticket)
    assert nonzeros(ticket.network) == target(name)


@pytest.mark.parametrize("name", MASKING)
def test_momentum_does_not_lead_past_the_mask(name: str, trained: tuple[State, State]) -> None:
    settings = replace(SETTINGS, optimizer="sgd", schedule="plateau", learning_rate=0.02)
    method, ticket, hooks = run_round(name, trained, settings=settings)
    method.check(ticket)
    assert all(sum(hook.dense_unchanged) == SETTINGS.epochs for hook in hooks)
    assert {n for hook in hooks for n in hook.could_be_kept} == {target(name)}


@pytest.mark.parametrize("name", NAMES)
def test_a_killed_round_ends_in_the_same_bits(
    name: str,
    trained: tuple[State, State],
    undisturbed: Callable[[str], tuple[Method, Ticket, list[Watched]]],
    tmp_path: Path,
) -> None:
    _, ended, hooks = undisturbed(name)
    for epochs in (1, 4, 5):  # within the ramp, after it, and when all is done
        with pytest.raises(Killed):
            run_round(name, trained, tmp_path, kill_after(epochs))
    torch.manual_seed(99)  # the state of the global generator must not matter
    _, resumed, again = run_round(name, trained, tmp_path)
    expected, got = state_of(ended.network), state_of(resumed.network)
    assert expected.keys() == got.keys()
    assert [n for n in expected if not torch.equal(expected[n], got[n])] == []
    assert all(torch.equal(m, resumed.masks[n]) for n, m in ended.masks.items())
    assert [hook.diagnostics() for hook in hooks] == [hook.diagnostics() for hook in again]
