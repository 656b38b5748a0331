"""Batch-norm statistics of networks whose weights did not come out of a training step."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mirtrim.pruning.criteria.collecting import Batches
from mirtrim.utils.errors import ConfigError

NO_BATCHES = "batches: batch-norm statistics are computed anew on training data; give batches of it"


def _batch_norms(network: nn.Module) -> list[_BatchNorm]:
    return [m for m in network.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]


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
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    try:
        with torch.no_grad(), _momentum(norms, None):  # cumulative average
            count = 0
            for count, (inputs, _) in enumerate(batches(), 1):  # noqa: B007
                network(inputs)
        if not count:
            raise ConfigError(NO_BATCHES)
    finally:
        network.eval()


def statistics_frozen(network: nn.Module) -> AbstractContextManager[None]:
    """Within this context forward passes in training mode leave running statistics as they are."""
    return _momentum(_batch_norms(network), 0.0)


@contextmanager
def _momentum(norms: Sequence[_BatchNorm], value: float | None) -> Iterator[None]:
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = value
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
