"""What a batch of training data is, and how a network is called with it."""

import inspect
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from mirtrim.units.nesting import arguments, tensors_in
from mirtrim.utils.errors import ConfigError


def pairs(batches: Any) -> Iterator[tuple[Any, Any]]:
    """(inputs, targets) of each batch.

    Raises:
        ConfigError: a batch is something else.
    """
    for batch in batches():
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            kind = type(batch).__name__
            raise ConfigError(
                f"batches gives a {kind} where (inputs, targets) is needed; several inputs are a "
                "tuple or a dict of keyword arguments, targets may be None if nothing reads them"
            )
        yield batch[0], batch[1]


def called(network: nn.Module, inputs: Any) -> Any:
    """The outputs for one batch: a tensor, or what `trim` takes as `example_inputs`.

    A list, as a data loader makes it of tuples, is a list of arguments unless the network takes
    one argument.
    """
    if isinstance(inputs, Tensor):
        return network(inputs)
    if isinstance(inputs, list) and not _takes_one(network) and len(inputs) > 1:
        inputs = tuple(inputs)
    positional, named = arguments(network, inputs)
    return network(*positional, **named)


def _takes_one(network: nn.Module) -> bool:
    try:
        inspect.signature(network.forward).bind(None, None)
    except (TypeError, ValueError):
        return True
    return False


def examples_in(inputs: Any) -> int:
    """How many examples a batch has: the length of the first tensor in its inputs.

    Raises:
        ConfigError: there is none.
    """
    if isinstance(inputs, Tensor):
        return len(inputs)
    found = tensors_in(inputs)
    if not found or not found[0].dim():
        raise ConfigError("the inputs of a batch have no tensor with an axis of examples")
    return len(found[0])
