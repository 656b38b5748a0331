"""What a network costs: parameters, multiply-accumulates, bytes, memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from mirtrim.counting.activation_memory import peak_activation_bytes
from mirtrim.counting.bytes import bytes_gzip, bytes_raw
from mirtrim.counting.operations import macs, nonzeros, parameters
from mirtrim.units.kinds import check_python

__all__ = ["Counts", "measure_counts"]


@dataclass(frozen=True)
class Counts:
    """Everything about a network's cost that is counted, not timed.

    Attributes:
        parameters, nonzeros: entries of all parameters, and those that are not zero.
        macs: multiply-accumulates for one example.
        bytes_raw, bytes_gzip: serialised weights and buffers, plain and compressed.
        peak_activation_bytes: largest sum of live activations, fp32, one example.
    """

    parameters: int
    nonzeros: int
    macs: int
    bytes_raw: int
    bytes_gzip: int
    peak_activation_bytes: int


def measure_counts(model: nn.Module, example_inputs: Tensor | Sequence[Tensor]) -> Counts:
    """Count `model`; it is run in evaluation mode and left as it was.

    Args:
        example_inputs: arguments of the model's forward; the first axis of the first one is
            the batch.

    Raises:
        TraceError: a module is scripted or lazy, or an operation is not known; names it.
    """
    check_python(model)
    state = model.state_dict()
    return Counts(
        parameters=parameters(model),
        nonzeros=nonzeros(model),
        macs=macs(model, example_inputs),
        bytes_raw=bytes_raw(state),
        bytes_gzip=bytes_gzip(state),
        peak_activation_bytes=peak_activation_bytes(model, example_inputs),
    )
