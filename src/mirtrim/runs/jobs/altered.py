"""Settings whose trainings see something else than the task's own examples and labels.

`flawed` makes the training data worse on purpose (`tasks.flaws`); all others change what a task's
`batches` give and nothing else. Validation and test keep their examples and labels.

`training.augmentation` alters examples (`tasks.augmented`). `training.teacher` mixes the targets of
trimmed networks with what the dense network makes of the same inputs: for losses that are linear in
their targets, as cross-entropy and binary cross-entropy are, that is the same as adding a term of
distillation at temperature 1 (Hinton, Vinyals, Dean 2015).

With `training.damage_weight` pruned networks attend to what pruning has damaged. Jiang, Chen,
Mortazavi and Wang (Self-damaging contrastive learning, ICML 2021) let a network learn from how it
differs from a pruned copy of itself, which forgets rare and difficult examples first. Theirs is a
contrastive loss without labels; here is what that comes to with labels. Example i of a batch of n
has

    d_i = ½ Σ_c |p_c(x_i) − q_c(x_i)|,   w_i = (1 + λ d_i) / (1 + λ · mean d),
    loss = (1 / n) Σ_i w_i · loss_i

with the probabilities p of the network in training, as it is at that step, and q of the trained
dense one. λ is the setting. Weights are constants for the gradient, and their mean is 1, so the
learning rate keeps its meaning. The dense training has no other network to disagree with, and is
unchanged.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.runs.jobs.setting import Setting
from mirtrim.tasks.augmented import augmented_kind
from mirtrim.tasks.chord import Chord
from mirtrim.tasks.classification import Classification
from mirtrim.tasks.flaws import flawed_store, flaws_of
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Batch, Parameters, Task
from mirtrim.tasks.windowed import WindowedTask
from mirtrim.training import device_of, forward_of
from mirtrim.training.guard import ways_in_bfloat16
from mirtrim.utils.errors import ConfigError


def flawed(setting: Setting) -> Setting:
    """The setting with the training data that its configuration asks for (`tasks.flaws`).

    The digest of its data is unchanged: the changes follow from the data and the settings.
    """
    training = setting.config["training"]
    if not flaws_of(training):
        return setting
    store = flawed_store(setting.task, setting.store, setting.features, training)
    return replace(setting, store=store)


def augmented(setting: Setting) -> Setting:
    """The setting with altered training examples, if configured."""
    if not setting.config["training"].get("augmentation"):
        return setting
    return replace(setting, task=augmented_kind(type(setting.task))())


def _beside(setting: Setting, part: type, other: nn.Module, **own: Any) -> Setting:
    """The setting with `part` wrapped around its task; `part` calls `other`, a network in
    evaluation mode."""
    kind = type(setting.task)
    other = other.to(setting.device).eval().requires_grad_(False)
    task = type(f"{part.__name__}{kind.__name__}", (part, kind), {"other": other, **own})()
    return replace(setting, task=task)


class Taught(WindowedTask):
    """The part of a task that calls its teacher; see `taught`."""

    other: nn.Module
    share: float

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        forward = None
        # A network counts positive frames more often: its outputs are turned back into shares.
        shift = math.log(training.get("positive_weight", 1))
        for inputs, targets in super().batches(store, training, rng):
            given = inputs.to(device_of(self.other))
            if forward is None:
                precision = training.get("precision", "float32")
                ways = ways_in_bfloat16(self.other, given) if precision == "bfloat16" else {}
                forward = forward_of(self.other, precision, ways)
            with torch.no_grad():
                outputs = forward(given).cpu()
            yield inputs, mixed(targets, outputs, self.share, shift)


def mixed(targets: Tensor, outputs: Tensor, share: float, shift: float = 0.0) -> Tensor:
    """Targets that mix in the teacher's outputs with weight `share`.

    Args:
        targets: classes, (batch,) int64, or shares between 0 and 1, (batch, …).
        outputs: logits of the teacher, (batch, classes) or (batch, …).
        shift: taken from logits that are no classes'.

    Returns:
        Shares in the shape of `outputs`.
    """
    if targets.is_floating_point():
        return torch.lerp(targets, (outputs - shift).sigmoid(), share)
    labels = nn.functional.one_hot(targets, outputs.shape[1]).float()
    return torch.lerp(labels, outputs.softmax(1), share)


def taught(setting: Setting, teacher: nn.Module) -> Setting:
    """The setting with a share `training.teacher` of its targets from `teacher`, if configured.

    Args:
        teacher: the trained dense network; put into evaluation mode.
    """
    share = setting.config["training"].get("teacher")
    if not share:
        return setting
    return _beside(setting, Taught, teacher, share=float(share))


def check_damage(task: Task) -> None:
    """Whether the outputs of a task are logits of classes.

    Raises:
        ConfigError: they are not.
    """
    if not isinstance(task, Classification | Chord):
        raise ConfigError(
            f"task {task.name}: training.damage_weight is for tasks with one class per track and "
            "chord; leave it out there"
        )


def damage_weights(here: Tensor, dense: Tensor, weight: float) -> Tensor:
    """How much the examples of a batch count, (batch,); see the module.

    Args:
        here, dense: probabilities of both networks, (batch, classes).
        weight: λ, at least 0.
    """
    disagreement = (here - dense).abs().sum(1) / 2
    return (1 + weight * disagreement) / (1 + weight * disagreement.mean())


class SelfDamaged(WindowedTask):
    """The part of a task that weights its training examples; see `self_damaged`.

    Its training targets are labels as shares, followed by the dense network's probabilities,
    (batch, 2 · classes).
    """

    other: nn.Module
    weight: float

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        device, forward = device_of(self.other), forward_of(self.other)
        for inputs, targets in super().batches(store, training, rng):
            with torch.no_grad():
                said = forward(inputs.to(device)).softmax(1).cpu()
            if not targets.is_floating_point():
                targets = nn.functional.one_hot(targets, said.shape[1]).float()
            yield inputs, torch.cat([targets, said], dim=1)

    def loss(self, outputs: Tensor, targets: Tensor, training: Parameters) -> Tensor:
        if targets.dim() == 1:  # of validation, as they always are
            return super().loss(outputs, targets, training)  # type: ignore[safe-super]
        labels, said = targets.chunk(2, dim=1)
        weights = damage_weights(outputs.detach().float().softmax(1), said, self.weight)
        # Cross-entropy is linear in its targets, and its mean counts examples, not weights.
        weighted = labels * weights[:, None]
        return super().loss(outputs, weighted, training)  # type: ignore[safe-super]


def self_damaged(setting: Setting, dense: nn.Module) -> Setting:
    """The setting with `training.damage_weight`, if configured.

    Args:
        dense: the trained dense network; put into evaluation mode.

    Raises:
        ConfigError: the task's outputs are no logits of classes.
    """
    weight = setting.config["training"].get("damage_weight")
    if not weight:
        return setting
    check_damage(setting.task)
    return _beside(setting, SelfDamaged, dense, weight=float(weight))
