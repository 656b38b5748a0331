"""Teachers: what they make of targets, and that only asked ones are listened to."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from mirtrim.runs.jobs.altered import augmented, mixed, taught
from mirtrim.runs.jobs.setting import Setting
from mirtrim.tasks.augmented import AugmentedPitch
from mirtrim.tasks.pitch import Pitch
from tests.tasks.test_augmented import PITCH, pitch_store  # noqa: F401


def test_classes_become_shares() -> None:
    outputs = torch.log(torch.tensor([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]]))
    found = mixed(torch.tensor([0, 1]), outputs, 0.4)
    torch.testing.assert_close(found, torch.tensor([[0.8, 0.1, 0.1], [0.04, 0.64, 0.32]]))


def test_shares_are_drawn_towards_the_teacher() -> None:
    outputs = torch.logit(torch.tensor([[0.5, 0.9]]))
    found = mixed(torch.tensor([[1.0, 0.0]]), outputs, 0.5)
    torch.testing.assert_close(found, torch.tensor([[0.75, 0.45]]))


def test_positive_weight_is_taken_from_what_the_teacher_says() -> None:
    # Of a frame that is positive in half of all cases a network with weight 3 says 0.75.
    outputs = torch.logit(torch.tensor([[0.75]]))
    found = mixed(torch.tensor([[0.0]]), outputs, 1.0, shift=float(np.log(3)))
    torch.testing.assert_close(found, torch.tensor([[0.5]]))


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_mixed_targets_are_a_term_of_distillation(share: float) -> None:
    rng = torch.Generator().manual_seed(0)
    logits, teacher = torch.randn(7, 5, generator=rng), torch.randn(7, 5, generator=rng)
    labels = torch.randint(5, (7,), generator=rng)
    loss = nn.functional.cross_entropy(logits, mixed(labels, teacher, share))
    hard = nn.functional.cross_entropy(logits, labels)
    soft = nn.functional.cross_entropy(logits, teacher.softmax(1))
    torch.testing.assert_close(loss, (1 - share) * hard + share * soft)


def setting_of(store: Any, **training: Any) -> Setting:
    config = {
        "features": {k: PITCH[k] for k in ("sample_rate", "frame_samples", "hop")}
        | {"score_every_frames": 4},
        "network": {"capacity": 1, "dropout": 0.0},
        "training": {"batch_size": 32, "examples_per_epoch": 128, "epochs": 1, **training},
    }
    return Setting("test", "c", Pitch(), config, store)


def batches(setting: Setting) -> Any:
    rng = np.random.default_rng(1)
    return list(setting.task.batches(setting.store, setting.training, rng))


def test_nothing_is_altered_that_is_not_asked_for() -> None:
    setting = setting_of(SimpleNamespace())
    assert augmented(setting) is setting
    assert taught(setting, nn.Linear(1, 1)) is setting
    assert taught(setting_of(SimpleNamespace(), teacher=None), nn.Linear(1, 1)).task is not None


def test_a_taught_setting_has_the_same_inputs_and_softer_targets(
    pitch_store: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    plain = setting_of(pitch_store)
    teacher = plain.task.network(plain.features, plain.config["network"])
    setting = taught(setting_of(pitch_store, teacher=0.5), teacher)
    assert setting.task.name == "pitch"
    assert isinstance(setting.task, Pitch)
    with torch.no_grad():
        for (inputs, targets), (same, mixture) in zip(
            batches(plain), batches(setting), strict=True
        ):
            assert torch.equal(inputs, same)
            expected = 0.5 * targets + 0.5 * teacher(inputs).sigmoid()
            torch.testing.assert_close(mixture, expected, atol=1e-4, rtol=0)
    assert not any(p.requires_grad for p in teacher.parameters())


def test_teaching_and_augmentation_go_together(pitch_store: Any) -> None:  # noqa: F811
    augmentation = {"noise": 1.0}
    altered = augmented(setting_of(pitch_store, teacher=1.0, augmentation=augmentation))
    assert isinstance(altered.task, AugmentedPitch)
    teacher = altered.task.network(altered.features, altered.config["network"])
    both = taught(altered, teacher)
    inputs, targets = batches(both)[0]
    assert torch.equal(inputs, batches(altered)[0][0])
    with torch.no_grad():
        torch.testing.assert_close(targets, teacher(inputs).sigmoid(), atol=1e-4, rtol=0)
