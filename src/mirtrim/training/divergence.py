"""A training whose network is worthless outside of it must not end as a row.

Memorisation makes the training loss arbitrarily small, and the validation loss rises to a few times
that of a network with constant outputs. A network that has diverged, or that was trained with a
wrong kernel and is validated with a correct one, is far beyond both.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from mirtrim.training.devices import device_of
from mirtrim.training.forwarding import forward_of
from mirtrim.training.records import EpochReport, TrainingData
from mirtrim.utils.errors import TrainingError

# A validation loss is too high if it exceeds these multiples of the training loss of its epoch and
# # of the loss of all-zero outputs, for which all classes are equally probable.
OF_TRAINING = 100
OF_NOTHING = 10
# In the last quarter of the epochs: learning rates are low by then, and one high loss is passed
# over, as a narrow network under a high rate has now and then.
LAST = 4


def assert_kept_company(network: nn.Module, data: TrainingData, history: list[EpochReport]) -> None:
    """Check the losses of a finished training.

    Raises:
        TrainingError: validation losses of the last quarter of the epochs are all beyond both
            `OF_TRAINING` times the training losses and `OF_NOTHING` times what saying nothing
            costs.
    """
    last = history[-max(1, len(history) // LAST) :]
    if not last or any(e.validation_loss <= OF_TRAINING * e.train_loss for e in last):
        return
    nothing = validation_loss_of(network, data, torch.zeros_like)
    if any(epoch.validation_loss <= OF_NOTHING * nothing for epoch in last):
        return
    end = last[-1]
    raise TrainingError(
        f"the validation loss ended at {end.validation_loss:.3g}, far from the training loss "
        f"({end.train_loss:.3g}) and from that of saying nothing ({nothing:.3g}): the network "
        "diverged, or a layer is computed wrongly; lower training.learning_rate, or set "
        "training.precision to float32"
    )


@torch.no_grad()
def validation_loss_of(
    network: nn.Module, data: TrainingData, said: Callable[[Tensor], Tensor] = lambda said: said
) -> float:
    """Mean loss of the validation split, after `said` has transformed the network's outputs."""
    network.eval()
    device, forward, total, count = device_of(network), forward_of(network), 0.0, 0
    for batch in data.validation_batches():
        inputs, targets = (part.to(device) for part in batch)
        total += float(data.loss(said(forward(inputs)), targets)) * len(inputs)
        count += len(inputs)
    return total / count
