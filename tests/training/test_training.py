"""Fitting: it learns, it stops, it resumes bit for bit, it refuses to go on with NaN."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from mirtrim.training import EpochReport, FitResult, FitSettings, Hook, fit, fitting, state_of
from mirtrim.training.divergence import assert_kept_company
from mirtrim.utils.errors import ArtefactError, TrainingError
from mirtrim.utils.seeds import torch_generator


class Parity:
    """Two Gaussian blobs with a nonlinear border, drawn again in every epoch."""

    steps_per_epoch = 10

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def _draw(self, name: str, count: int) -> tuple[Tensor, Tensor]:
        points = torch.randn(count, 2, generator=torch_generator(0, name)) * self.scale
        return points, (points[:, 0] * points[:, 1] > 0).float()[:, None]

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        points, labels = self._draw(f"epoch {epoch}", 320)
        yield from zip(points.split(32), labels.split(32), strict=True)

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield self._draw("validation", 500)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(outputs, targets)


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(2, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1)
    )


SETTINGS = FitSettings(
    epochs=6, batch_size=32, learning_rate=0.02, weight_decay=0.0, schedule="one_cycle"
)


def test_learns_and_ends_in_its_best_state() -> None:
    model = network()
    result = fit(model, Parity(), SETTINGS, seed=1)
    assert result.epochs == 6
    assert result.examples == 6 * 320
    assert result.best_loss < 0.5 < result.history[0].validation_loss  # chance is 0.69
    assert result.best_loss == min(epoch.validation_loss for epoch in result.history)
    for name, value in model.state_dict().items():
        assert torch.equal(value, result.best[name])


@pytest.mark.parametrize("schedule", ["one_cycle", "plateau"])
def test_resumed_training_gives_the_same_bits(tmp_path: Path, schedule: str) -> None:
    settings = replace(SETTINGS, schedule=schedule, plateau_patience=0)
    undisturbed = network()
    expected = fit(undisturbed, Parity(), settings, seed=1, snapshot_epoch=2)

    class Killed(Exception):
        pass

    def kill_in_epoch_4(epoch: EpochReport) -> None:
        if epoch.epoch == 4:
            raise Killed

    path = tmp_path / "fit.safetensors"
    with pytest.raises(Killed):
        fit(
            network(),
            Parity(),
            settings,
            1,
            snapshot_epoch=2,
            resume_path=path,
            report=kill_in_epoch_4,
        )
    torch.manual_seed(99)  # the state of the global generator must not matter
    resumed = network()
    epochs: list[int] = []
    result = fit(
        resumed, Parity(), settings, 1, snapshot_epoch=2, resume_path=path,
        report=lambda epoch: epochs.append(epoch.epoch),
    )  # fmt: skip
    assert epochs == [5, 6]
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])
        assert torch.equal(expected.snapshot[name], result.snapshot[name])
    assert [e.validation_loss for e in result.history] == [
        e.validation_loss for e in expected.history
    ]


@pytest.mark.parametrize("damage", ["no header", "half", "flipped bit"])
def test_damaged_resume_file_starts_again(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "fit.safetensors"
    half = replace(SETTINGS, schedule="plateau")
    fit(network(), Parity(), replace(half, epochs=3), 1, resume_path=path)
    content = path.read_bytes()
    path.write_bytes(
        {
            "no header": b"not safetensors at all",
            "half": content[: len(content) // 2],
            "flipped bit": content[:-9] + bytes([content[-9] ^ 1]) + content[-8:],
        }[damage]
    )
    epochs: list[int] = []
    resumed, undisturbed = network(), network()
    fit(
        resumed, Parity(), half, 1, resume_path=path,
        report=lambda epoch: epochs.append(epoch.epoch),
    )  # fmt: skip
    assert epochs == [1, 2, 3, 4, 5, 6]
    fit(undisturbed, Parity(), half, 1)
    for name, value in undisturbed.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name])


def test_a_resume_file_of_another_network_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "fit.safetensors"
    fit(network(), Parity(), replace(SETTINGS, epochs=1), 1, resume_path=path)
    with pytest.raises(ArtefactError, match=r"fit.safetensors is of another training .*delete it"):
        fit(nn.Linear(2, 1), Parity(), SETTINGS, 1, resume_path=path)
    assert path.exists()


def test_global_generator_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    model = nn.Linear(2, 1)
    torch.manual_seed(5)
    fit(model, Parity(), replace(SETTINGS, epochs=1), seed=1)
    assert torch.equal(torch.rand(3), expected)


def test_snapshot_is_the_state_after_that_epoch() -> None:
    model = network()
    before = state_of(model)
    result = fit(model, Parity(), SETTINGS, 1, snapshot_epoch=0)
    assert all(torch.equal(result.snapshot[name], before[name]) for name in before)


def test_early_stopping_counts_epochs_without_improvement() -> None:
    settings = FitSettings(50, 32, 0.0, 0.0, "plateau", plateau_patience=1, stop_patience=3)
    model = nn.Linear(2, 1)
    # A rate of 0 never improves: the first epoch is the best, then 3 + 1 epochs are waited.
    result = fit(model, Parity(), settings, seed=1)
    assert (result.best_epoch, result.epochs) == (1, 5)


def test_loss_that_is_not_finite_is_an_error() -> None:
    with pytest.raises(TrainingError, match="epoch 1; lower training.learning_rate"):
        fit(network(), Parity(scale=float("nan")), SETTINGS, seed=1)


def test_hook_sees_every_step() -> None:
    class Counting(Hook):
        def __init__(self) -> None:
            self.steps: list[int] = []

        def after_step(self, step: int) -> None:
            self.steps.append(step)

    hook = Counting()
    fit(network(), Parity(), replace(SETTINGS, epochs=2), seed=1, hook=hook)
    assert hook.steps == list(range(20))


class Unlike(Parity):
    """Validation points are so many times as far out as those of training."""

    def __init__(self, times: float, epochs: Sequence[int] = range(100)) -> None:
        super().__init__()
        self.times, self.epochs, self.epoch = times, epochs, 0

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        self.epoch = epoch
        return super().batches(epoch)

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        points, labels = self._draw("validation", 500)
        # Wrong answers far from the border, so that they cost.
        yield points * (self.times if self.epoch in self.epochs else 1.0), 1 - labels


def test_a_validation_loss_out_of_all_proportion_is_an_error() -> None:
    model = network()
    message = (
        r"^the validation loss ended at \S+e\+\d+, far from the training loss \(0\.\d+\) and from "
        r"that of saying nothing \(0.693\): .*training.precision"
    )
    with pytest.raises(TrainingError, match=message):
        fit(model, Unlike(1e4), SETTINGS, seed=1)


@pytest.mark.parametrize(
    ("times", "epochs"),
    [
        pytest.param(5.0, range(100), id="learnt by heart, badly wrong elsewhere"),
        pytest.param(1e4, range(1, 8), id="lost, and found again when the rate falls"),
        pytest.param(1e4, [8], id="one high loss at the end"),
    ],
)
def test_a_healthy_training_may_validate_badly(times: float, epochs: Sequence[int]) -> None:
    settings = replace(SETTINGS, epochs=8)
    assert fit(network(), Unlike(times, epochs), settings, seed=1).epochs == 8


def test_settings_that_are_not_given_are_those_of_committed_rows() -> None:
    """A configuration of before names none of them."""
    given = FitSettings(6, 32, 0.02, 0.0, "plateau")
    assert (given.plateau_patience, given.stop_patience) == (10, 30)
    assert (given.optimizer, given.momentum) == ("adam", 0.9)
    assert (given.precision, given.dropout_kernel) == ("float32", "torch")
    nothing = FitResult({})
    assert (nothing.best_epoch, nothing.best_loss) == (0, float("inf"))
    assert (nothing.epochs, nothing.seconds, nothing.examples) == (0, 0, 0)
    assert nothing.snapshot == {}
    assert nothing.history == []


class Uneven:
    """Squares of four numbers, in validation as one and three of them."""

    steps_per_epoch = 2

    def __init__(self) -> None:
        self.asked: list[int] = []

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        self.asked.append(epoch)
        for value in (1.0, 3.0):
            yield torch.full((2, 1), value), torch.zeros(2, 1)

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        for count, target in ((1, 4.0), (3, 0.0)):
            yield torch.zeros(count, 1), torch.full((count, 1), target)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return nn.functional.mse_loss(outputs, targets)


def line(weight: float = 1.0) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, weight)
    return layer


def test_losses_are_means_over_examples() -> None:
    """Training, without moving: (1 + 9) / 2 by batches. Validation: (16 + 3 · 0) / 4."""
    still = FitSettings(2, 2, 0.0, 0.0, "plateau")
    result = fit(line(), Uneven(), still, seed=0)
    assert [e.train_loss for e in result.history] == [5, 5]
    assert [e.validation_loss for e in result.history] == [4, 4]
    assert (result.best_epoch, result.best_loss) == (1, 4)  # the first of equals
    assert result.examples == 2 * 4
    assert [e.epochs for e in result.history] == [2, 2]


def test_seconds_are_those_of_all_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([10.0, 10.5, 20.0, 22.0])
    monkeypatch.setattr(fitting.time, "perf_counter", lambda: next(ticks))
    result = fit(line(), Uneven(), FitSettings(2, 2, 0.0, 0.0, "plateau"), seed=0)
    assert [e.seconds for e in result.history] == [0.5, 2.0]
    assert result.seconds == 2.5


@pytest.mark.parametrize(("epochs", "asked"), [(0, []), (1, [1, 1]), (2, [1, 1, 2])])
def test_bfloat16_is_tried_on_the_first_batch_there_is(epochs: int, asked: list[int]) -> None:
    data = Uneven()
    settings = FitSettings(epochs, 2, 0.01, 0.0, "plateau", precision="bfloat16")
    fit(line(), data, settings, seed=0)
    assert data.asked == asked


@pytest.mark.parametrize("snapshot", [None, 0, 1, 2, 5])
def test_the_snapshot_of_an_epoch_that_is_not_reached_is_the_last_state(
    snapshot: int | None,
) -> None:
    """Without momentum each epoch moves w by its gradients: 2 w and then 18 w' of the rest."""
    settings = FitSettings(2, 2, 0.01, 0.0, "plateau", optimizer="sgd", momentum=0.0)
    states: list[float] = [1.0]
    network = line()
    result = fit(
        network, Uneven(), settings, 0,
        snapshot_epoch=snapshot, report=lambda _: states.append(network.weight.item()),
    )  # fmt: skip
    once = (1 - 0.02) * (1 - 0.18)
    assert states == pytest.approx([1, once, once**2])
    if snapshot is None:
        assert result.snapshot == {}
    else:
        assert result.snapshot["weight"].item() == states[min(snapshot, 2)]


def test_an_optimiser_that_remembers_nothing_resumes_too(tmp_path: Path) -> None:
    """Of plain descent torch keeps a momentum that is None."""
    settings = FitSettings(2, 2, 0.01, 0.0, "plateau", optimizer="sgd", momentum=0.0)
    path = tmp_path / "fit.safetensors"
    fit(line(), Uneven(), replace(settings, epochs=1), 0, resume_path=path)
    data, resumed, whole = Uneven(), line(), line()
    result = fit(resumed, data, settings, 0, resume_path=path)
    assert data.asked == [2]
    fit(whole, Uneven(), settings, 0)
    assert torch.equal(resumed.weight, whole.weight)
    assert (result.epochs, result.examples) == (2, 8)


def test_what_a_batch_does_not_reach_is_left_alone() -> None:
    """Neither decay nor momentum moves a layer in a step in which it took no part."""

    class Sometimes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.always, self.rarely = line(), line()

        def forward(self, x: Tensor) -> Tensor:
            y: Tensor = self.always(x)
            return y + self.rarely(x) if bool((x == 1).all()) else y

    class Watching(Hook):
        def after_step(self, step: int) -> None:
            seen.append((network.always.weight.item(), network.rarely.weight.item()))

    network, seen = Sometimes(), []
    settings = FitSettings(1, 2, 0.01, 0.5, "plateau", optimizer="sgd")
    fit(network, Uneven(), settings, 0, hook=Watching())
    assert seen[0][0] > seen[1][0]
    assert 1 > seen[0][1] == seen[1][1]


# Saying nothing costs (16 + 3 · 0) / 4 = 4.
@pytest.mark.parametrize(
    ("losses", "fine"),
    [
        ([(1.0, 100.0)], True),  # a hundred times the training loss
        ([(1.0, 100.5)], False),
        ([(0.01, 40.0)], True),  # ten times what nothing costs
        ([(0.01, 40.5)], False),
        ([(2.0, 150.0)], True),
        ([], True),
        # Of eight epochs the last two count, and one that is near will do.
        ([(1.0, 1.0)] * 6 + [(0.01, 99.0)] * 2, False),
        ([(1.0, 1.0)] * 6 + [(0.01, 40.0), (0.01, 99.0)], True),
        ([(0.01, 99.0)] * 6 + [(0.01, 40.0), (0.01, 99.0)], True),
        ([(1.0, 1.0)] * 6 + [(1.0, 1.0), (0.01, 99.0)], True),
        ([(1.0, 1.0)] * 2 + [(0.01, 99.0)], False),
    ],
)
def test_how_far_a_validation_loss_may_go(losses: list[tuple[float, float]], fine: bool) -> None:
    history = [
        EpochReport(number, len(losses), *both, 0.0, 1.0)
        for number, both in enumerate(losses, start=1)
    ]
    if fine:
        assert_kept_company(line(), Uneven(), history)
    else:
        with pytest.raises(TrainingError, match=rf"ended at {losses[-1][1]:.3g}, .*\(4\)"):
            assert_kept_company(line(), Uneven(), history)


def test_a_small_training_loss_is_no_fault() -> None:
    """A rewound network begins with what it knows by heart: 1000 times as good as in validation."""
    far, near = EpochReport(1, 1, 1e-4, 0.6, 0.0, 1.0), EpochReport(1, 1, 1e-4, 7.1, 0.0, 1.0)
    assert_kept_company(network(), Parity(), [far])
    with pytest.raises(TrainingError, match=r"ended at 7.1, .*\(0.0001\) .*\(0.693\)"):
        assert_kept_company(network(), Parity(), [near])


def test_the_check_leaves_the_network_and_the_generator_as_they_are() -> None:
    """It runs the network, whose statistics of batches and dropout are not to move by that."""
    model = network()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    assert_kept_company(model, Parity(), [EpochReport(1, 1, 1e-4, 0.6, 0.0, 1.0)])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_an_error_of_proportion_stands_after_a_resume(tmp_path: Path) -> None:
    path = tmp_path / "fit.safetensors"
    for _ in range(2):
        with pytest.raises(TrainingError, match="validation loss ended"):
            fit(network(), Unlike(1e4), SETTINGS, seed=1, resume_path=path)
