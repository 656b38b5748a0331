"""Settings whose trainings hear altered examples, or listen to a teacher as well as to the labels.

Both change what a task's `batches` give and nothing else: `training.augmentation` alters examples
(`tasks.augmented`), `training.teacher` mixes the targets of trimmed networks with what the dense
network makes of the same inputs. For losses that are linear in their targets, as cross-entropy and
binary cross-entropy are, that is the same as adding a term of distillation at temperature 1
(Hinton, Vinyals, Dean 2015). Validation and test keep their examples and labels.
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
from mirtrim.tasks.store import FeatureStore
from mirtrim.tasks.task import Batch, Parameters
from mirtrim.tasks.windowed import WindowedTask
from mirtrim.training import device_of, forward_of
from mirtrim.training.guard import ways_in_bfloat16


def augmented(setting: Setting) -> Setting:
    """The setting with altered training examples, if its configuration asks for them."""
    if not setting.config["training"].get("augmentation"):
        return setting
    return replace(setting, task=augmented_kind(type(setting.task))())


class Taught(WindowedTask):
    """The part of a task that asks its teacher; see `taught`."""

    teacher: nn.Module
    share: float

    def batches(
        self, store: FeatureStore, training: Parameters, rng: np.random.Generator
    ) -> Iterator[Batch]:
        forward = None
        # A network counts positive frames more often: its outputs are turned back into shares.
        shift = math.log(training.get("positive_weight", 1))
        for inputs, targets in super().batches(store, training, rng):
            given = inputs.to(device_of(self.teacher))
            if forward is None:
                precision = training.get("precision", "float32")
                ways = ways_in_bfloat16(self.teacher, given) if precision == "bfloat16" else {}
                forward = forward_of(self.teacher, precision, ways)
            with torch.no_grad():
                outputs = forward(given).cpu()
            yield inputs, mixed(targets, outputs, self.share, shift)


def mixed(targets: Tensor, outputs: Tensor, share: float, shift: float = 0.0) -> Tensor:
    """Targets of which `share` is a teacher's word.

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
    """The setting with `training.teacher` of its targets from `teacher`, if it asks for any.

    Args:
        teacher: the trained dense network; put into evaluation mode.
    """
    share = setting.config["training"].get("teacher")
    if not share:
        return setting
    kind = type(setting.task)
    teacher = teacher.to(setting.device).eval().requires_grad_(False)
    attributes: dict[str, Any] = {"teacher": teacher, "share": float(share)}
    task = type(f"Taught{kind.__name__}", (Taught, kind), attributes)()
    return replace(setting, task=task)
