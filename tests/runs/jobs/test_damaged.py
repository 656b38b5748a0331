"""Weights of examples on which the pruned and the dense network disagree."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mirtrim.runs.jobs.altered import damage_weights, flawed, self_damaged, taught
from mirtrim.runs.jobs.setting import Setting, TaskData
from mirtrim.tasks.instrument import Instrument
from mirtrim.tasks.onset import Onset
from mirtrim.training import FitSettings, fit
from mirtrim.utils.errors import ConfigError
from tests.tasks.test_flaws import clips_store

FEATURES: dict[str, Any] = {"classes": ["a", "b", "c"], "window_samples": 2048}


def setting_of(store: Any, **training: Any) -> Setting:
    config = {
        "features": FEATURES,
        "network": {"kernel": 16, "channels": 2, "hidden": 4, "dropout": 0.0},
        "training": {"batch_size": 6, "examples_per_epoch": 12, "epochs": 1, **training},
    }
    return Setting("test", "c", Instrument(), config, store)


def test_weights_by_hand() -> None:
    here = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [1.0, 0.0, 0.0]])
    dense = torch.tensor([[0.5, 0.3, 0.2], [0.3, 0.2, 0.5], [0.0, 0.4, 0.6]])
    # They disagree by 0, 0.3 and 1; mean 1.3 / 3. With λ = 3: 1, 1.9 and 4, divided by 2.3.
    found = damage_weights(here, dense, 3.0)
    torch.testing.assert_close(found, torch.tensor([1 / 2.3, 1.9 / 2.3, 4 / 2.3]))
    assert float(found.mean()) == pytest.approx(1.0)
    torch.testing.assert_close(damage_weights(here, dense, 0.0), torch.ones(3))


class Says(nn.Module):
    """Gives these logits whatever it hears."""

    def __init__(self, logits: list[float]) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(len(inputs), -1)


def test_the_loss_by_hand(tmp_path: Path) -> None:
    """Uniform outputs but for one example; the dense network is as sure as can be of class 0."""
    store = clips_store(tmp_path, length=2100)
    setting = self_damaged(setting_of(store, damage_weight=1.0), Says([60.0, 0.0, 0.0]))
    assert setting.task.name == "instrument"
    # Disagreement with (1, 0, 0): of a third each 2/3, of (0.5, 0.25, 0.25) a half.
    outputs = torch.log(torch.tensor([[1 / 3] * 3, [0.5, 0.25, 0.25]])).requires_grad_()
    targets = torch.tensor([[0.0, 1.0, 0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 1.0, 0.0, 0.0]])
    loss = setting.task.loss(outputs, targets, setting.training)
    one, other = (1 + 2 / 3) / (1 + 7 / 12), (1 + 1 / 2) / (1 + 7 / 12)
    assert float(loss.detach()) == pytest.approx((one * np.log(3) + other * np.log(2)) / 2)
    # Weights are constants: the gradient of an example's loss, times its weight over n.
    loss.backward()  # type: ignore[no-untyped-call]
    expected = torch.tensor([[1 / 3, -2 / 3, 1 / 3], [-0.5, 0.25, 0.25]])
    expected *= torch.tensor([[one / 2], [other / 2]])
    assert outputs.grad is not None
    torch.testing.assert_close(outputs.grad, expected)


def test_batches_carry_labels_and_the_dense_networks_word(tmp_path: Path) -> None:
    store = clips_store(tmp_path, length=2100)
    plain = setting_of(store)
    setting = self_damaged(setting_of(store, damage_weight=2.0), Says([0.0, 0.0, 60.0]))
    pairs = zip(
        TaskData(plain, 0, "x").batches(1), TaskData(setting, 0, "x").batches(1), strict=True
    )
    for (inputs, labels), (same, both) in pairs:
        assert torch.equal(inputs, same)
        assert both.shape == (6, 6)
        assert torch.equal(both[:, :3].argmax(1), labels)
        torch.testing.assert_close(both[:, 3:], torch.tensor([[0.0, 0.0, 1.0]]).expand(6, 3))
    # Validation has the labels and the loss that it always has.
    ((inputs, labels),) = TaskData(setting, 0, "x").validation_batches()
    logits = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(0))
    expected = nn.functional.cross_entropy(logits, labels)
    assert torch.equal(TaskData(setting, 0, "x").loss(logits, labels), expected)


def test_damage_goes_together_with_a_teacher(tmp_path: Path) -> None:
    store = clips_store(tmp_path, length=2100)
    asked = setting_of(store, damage_weight=2.0, teacher=0.5)
    dense = Says([0.0, 0.0, 60.0])
    both = self_damaged(taught(asked, dense), dense)
    _, targets = next(iter(TaskData(both, 0, "x").batches(1)))
    torch.testing.assert_close(targets[:, :3].sum(1), torch.ones(6))
    assert (targets[:, 2] >= 0.5 - 1e-6).all()


def test_a_network_is_trained_and_the_dense_one_is_not(tmp_path: Path) -> None:
    store = clips_store(tmp_path, length=2100)
    plain = setting_of(store)
    dense = plain.task.network(plain.features, plain.config["network"])
    before = {name: value.clone() for name, value in dense.state_dict().items()}
    ends = []
    for weight in (0.0, 50.0):
        torch.manual_seed(0)
        network = plain.task.network(plain.features, plain.config["network"])
        setting = self_damaged(setting_of(store, damage_weight=weight), dense)
        settings = FitSettings(2, 6, 0.01, 0.0, "one_cycle")
        result = fit(network, TaskData(setting, 0, "x"), settings, 0)
        assert result.epochs == 2
        ends.append(network.state_dict())
    assert any(not torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    for name, value in dense.state_dict().items():
        assert torch.equal(value, before[name])


def test_nothing_asked_for_is_nothing_changed() -> None:
    setting = setting_of(SimpleNamespace())
    assert self_damaged(setting, nn.Linear(1, 1)) is setting
    assert flawed(setting) is setting


def test_outputs_that_are_no_classes_are_refused(tmp_path: Path) -> None:
    config = {"features": {}, "network": {}, "training": {"damage_weight": 1.0}}
    setting = Setting("test", "c", Onset(), config, clips_store(tmp_path))
    with pytest.raises(ConfigError, match=r"task onset: training.damage_weight is for tasks"):
        self_damaged(setting, nn.Linear(1, 1))


def test_a_flawed_setting_has_other_training_data_and_the_same_digest(tmp_path: Path) -> None:
    store = clips_store(tmp_path, length=2100)
    setting = flawed(setting_of(store, label_noise=0.4, rare_classes={"factor": 5, "order": 1}))
    assert len(setting.store.of_split("train")) == 16
    assert setting.store.digest == store.digest
    assert setting.store.of_split("test").equals(store.of_split("test"))
