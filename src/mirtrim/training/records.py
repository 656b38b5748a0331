"""Settings, data and outcome of a training."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn
from torch.optim import Optimizer

from mirtrim.training.hooks import Hook
from mirtrim.utils.errors import TrainingError

State = dict[str, Tensor]


@dataclass(frozen=True)
class FitSettings:
    """Everything that shapes a training besides data and network.

    `schedule` is "plateau" (halve the rate after `plateau_patience` epochs without a better
    validation loss) or "one_cycle" (Smith & Topin 2019, over all epochs, no early stopping; it
    also moves momentum, or Adam's first decay rate, from 0.95 to 0.85 and back). `optimizer` is
    "adam" or "sgd" (Nesterov momentum, under "plateau" `momentum`). `precision` is "float32", or
    "bfloat16" for forward and backward passes of training in mixed precision (torch.autocast);
    weights, loss, optimiser and everything that is scored stay in float32. `dropout_kernel` is
    "torch", or "packed" as before version 0.2 (`training.kernels.dropout`).
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    schedule: str
    plateau_patience: int = 10
    stop_patience: int = 30
    optimizer: str = "adam"
    momentum: float = 0.9
    precision: str = "float32"
    dropout_kernel: str = "torch"


class TrainingData(Protocol):
    """Where batches and the loss come from."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch."""

    def batches(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches of `epoch`; repeated calls give the same batches."""

    def validation_batches(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The whole validation split."""

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Mean loss of one batch, a scalar."""


@dataclass(frozen=True)
class EpochReport:
    """One finished epoch, for progress lines and curves."""

    epoch: int
    epochs: int
    train_loss: float
    validation_loss: float
    learning_rate: float
    seconds: float


@dataclass
class FitResult:
    """The outcome of a training.

    Attributes:
        best: state at the epoch with the lowest validation loss.
        best_epoch: that epoch, counted from 1 (0: before any training).
        snapshot: state after `snapshot_epoch` epochs, if requested.
        examples: training examples whose gradient was computed, for counting training MACs.
    """

    best: State
    best_epoch: int = 0
    best_loss: float = math.inf
    epochs: int = 0
    seconds: float = 0.0
    examples: int = 0
    snapshot: State = field(default_factory=dict)
    history: list[EpochReport] = field(default_factory=list)


@dataclass
class Training:
    """State of a running training: everything that a step changes."""

    network: nn.Module
    optimizer: Optimizer
    scheduler: Any
    hook: Hook
    result: FitResult


def state_of(network: nn.Module) -> State:
    """A detached copy of all parameters and buffers.

    Raises:
        TrainingError: a module keeps something else in its state.
    """
    state = network.state_dict()
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise TrainingError(
                f"{name.rpartition('.')[0] or type(network).__name__} keeps a "
                f"{type(value).__name__} in its state (get_extra_state), which is not followed "
                "through trainings; keep it in buffers"
            )
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def joined(parts: Mapping[str, Mapping[str, Tensor]]) -> State:
    """Tensors of several parts in one mapping, "part/name"."""
    return {f"{part}/{name}": t for part, named in parts.items() for name, t in named.items()}


def parted(tensors: Mapping[str, Tensor]) -> dict[str, State]:
    """What `joined` has joined; a name without a part is a part with a tensor called ""."""
    parts: dict[str, State] = {}
    for key, value in tensors.items():
        part, _, name = key.partition("/")
        parts.setdefault(part, {})[name] = value
    return parts
