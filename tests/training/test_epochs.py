"""What changes from epoch to epoch: dropout noise, batches and the learning rate, in numbers."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from mirtrim.training import FitResult, FitSettings, fit

SETTINGS = FitSettings(4, 8, 0.8, 0.0, "plateau", plateau_patience=1, stop_patience=30)


class Told:
    """One batch of ones per epoch; losses as given, whatever the network says."""

    steps_per_epoch = 1

    def __init__(self, validation: list[float] | None = None) -> None:
        self.validation = validation or []
        self.asked: list[int] = []

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        self.asked.append(epoch)
        yield torch.ones(2, 200), torch.zeros(2)

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        yield torch.ones(1, 200), torch.ones(1)

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        nothing = 0 * outputs.sum()
        if targets.any() and self.validation:
            return nothing + self.validation[len(self.asked) - 1]
        return nothing + 1 / len(self.asked) if self.asked else nothing


class Noisy(nn.Module):
    """Dropout of its inputs; it remembers which ones were dropped in training."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))
        self.dropout = nn.Dropout(0.5)
        self.dropped: list[list[bool]] = []

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.dropout(inputs * self.weight)
        if self.training:
            self.dropped.append((outputs == 0).flatten().tolist())
        return outputs


def dropped(seed: int, settings: FitSettings = SETTINGS) -> list[list[bool]]:
    network = Noisy()
    fit(network, Told(), settings, seed)
    return network.dropped


def test_every_epoch_and_every_seed_has_noise_of_its_own() -> None:
    first, again, other = dropped(1), dropped(1), dropped(2)
    assert first == again
    noises = {tuple(noise) for noise in (*first, *other)}
    assert len(noises) == 8
    assert all(100 < sum(noise) < 300 for noise in noises)  # of 400


def test_every_epoch_asks_for_its_own_batches() -> None:
    data = Told()
    fit(Noisy(), data, SETTINGS, 0)
    assert data.asked == [1, 2, 3, 4]


def rates(validation: list[float], settings: FitSettings) -> list[float]:
    settings = replace(settings, epochs=len(validation))
    return [e.learning_rate for e in fit(Noisy(), Told(validation), settings, 0).history]


@pytest.mark.parametrize(
    ("validation", "expected"),
    [
        # One epoch without a better loss is waited for; the second one halves the rate.
        ([1.0, 1.0, 1.0, 1.0, 1.0], [0.8, 0.8, 0.4, 0.4, 0.2]),
        ([1.0, 2.0, 0.9, 2.0, 2.0], [0.8, 0.8, 0.8, 0.8, 0.4]),
        # Better by less than a millionth is not better.
        ([1.0, 1 - 5e-7, 1 - 6e-7], [0.8, 0.8, 0.4]),
        ([1.0, 1 - 2e-6, 1 - 6e-6], [0.8, 0.8, 0.8]),
    ],
)
def test_the_plateau_halves_the_rate(validation: list[float], expected: list[float]) -> None:
    assert rates(validation, SETTINGS) == pytest.approx(expected)


def test_no_patience_halves_at_once() -> None:
    assert rates([1.0, 1.0, 1.0], replace(SETTINGS, plateau_patience=0)) == pytest.approx(
        [0.8, 0.4, 0.2]
    )


def chosen(validation: list[float], **changes: int) -> FitResult:
    settings = replace(SETTINGS, epochs=len(validation), **changes)
    return fit(Noisy(), Told(validation), settings, 0)


def test_validation_chooses_the_epoch_though_training_gets_better() -> None:
    """Training losses fall as 1, 1/2, 1/3, …; the lowest validation loss is that of epoch 2."""
    result = chosen([0.5, 0.2, 0.3, 0.2, 0.4])
    assert (result.best_epoch, result.best_loss) == (2, pytest.approx(0.2))
    assert [e.train_loss for e in result.history[:3]] == pytest.approx([1, 1 / 2, 1 / 3])


def test_it_stops_once_more_than_the_patience_was_waited() -> None:
    result = chosen([0.5, 0.2, 0.3, 0.3, 0.3, 0.3, 0.1], stop_patience=2)
    assert (result.best_epoch, result.epochs) == (2, 5)


class Moving(Told):
    """The training loss is the mean output, so that the weight falls in every epoch."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return super().loss(outputs, targets) if targets.any() else outputs.mean()


def test_the_network_is_left_as_the_chosen_epoch_left_it() -> None:
    network, weights = Noisy(), []
    settings = replace(SETTINGS, epochs=4, learning_rate=0.1)
    result = fit(
        network,
        Moving([0.5, 0.2, 0.3, 0.4]),
        settings,
        0,
        report=lambda _: weights.append(network.weight.item()),
    )
    assert weights == pytest.approx([0.9, 0.8, 0.7, 0.6], abs=0.02)  # Adam: 0.1 per step
    assert result.best_epoch == 2
    assert network.weight.item() == result.best["weight"].item() == weights[1]
    assert not network.training
