"""Batch-norm statistics of networks whose weights did not come out of a training step."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from mirtrim.pruning.criteria.collecting import Batches
from mirtrim.utils.errors import ConfigError

NO_BATCHES = "batches: batch-norm statistics are computed anew on training data; give batches of it"


def _batch_norms(network: nn.Module) -> list[nn.modules.batchnorm._BatchNorm]:
    kind = nn.modules.batchnorm._BatchNorm
    return [m for m in network.modules() if isinstance(m, kind) and m.track_running_stats]


def has_statistics(network: nn.Module) -> bool:
    """Whether batch norms keep statistics in the network."""
    return bool(_batch_norms(network))


def recompute_statistics(network: nn.Module, batches: Batches | None) -> None:
    """Set running means and variances to their mean over `batches`; leave the network in eval mode.

    Only the norms are in training mode meanwhile: the statistics are those of the network as it
    will be used, without dropout.

    Raises:
        ConfigError: there are norms, and no batches.
    """
    network.eval()
    norms = _batch_norms(network)
    if not norms:
        return
    if batches is None:
        raise ConfigError(NO_BATCHES)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
        norm.train()
    try:
        with torch.no_grad():
            count = 0
            for count, (inputs, _) in enumerate(batches(), 1):  # noqa: B007
                network(inputs)
        if not count:
            raise ConfigError(NO_BATCHES)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        network.eval()


@contextmanager
def statistics_frozen(network: nn.Module) -> Iterator[None]:
    """Within this context forward passes in training mode leave running statistics as they are."""
    norms = _batch_norms(network)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
