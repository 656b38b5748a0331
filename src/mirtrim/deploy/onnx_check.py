"""Compare what an exported network computes with torch."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.counting.operations import batch_length
from mirtrim.deploy.onnx_session import first_line, open_session
from mirtrim.utils.errors import ArtefactError, MirtrimError, TraceError
from mirtrim.utils.seeds import torch_generator

REMEDY = "look for branches that depend on the data or on the batch"
ROUNDINGS = 4  # of torch's own, by which two orders of the same sums may differ
CHECKED_BATCHES = (1, 3)
CHECKED_SCALES = (0.01, 100.0)  # of standard normal numbers
CHECKED_OFFSETS = (3.0, -3.0)


def names_of(stem: str, count: int) -> list[str]:
    """Names of inputs or outputs in the file: the stem, then with numbers from 1."""
    return [stem if index == 0 else f"{stem}_{index}" for index in range(count)]


def outputs_of(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    """What torch gives for one pass.

    Raises:
        TraceError: something else than tensors.
    """
    result = model(*inputs)
    outputs = [result] if isinstance(result, Tensor) else result
    is_flat = isinstance(outputs, (tuple, list)) and all(isinstance(o, Tensor) for o in outputs)
    if not (is_flat and outputs):
        raise TraceError(
            f"{type(model).__name__} returns {type(result).__name__};"
            " only a tensor or a tuple of tensors can be exported"
        )
    return list(outputs)


def largest_difference(
    model: nn.Module,
    data: bytes,
    inputs: tuple[Tensor, ...],
    seed: int,
    limit: float,
) -> float:
    """The largest difference from torch, on all trials.

    Raises:
        ArtefactError: a difference is above `limit` and above what float32 rounds in this network.
    """
    session = open_session(data)
    differences = []
    for trial in _trials(inputs, seed):
        expected = _expected(model, trial, batch_length(inputs))
        arrays = (given.cpu().numpy() for given in trial)
        feed = dict(zip(names_of("input", len(trial)), arrays, strict=True))
        try:
            found = session.run(None, feed)
        except Exception as error:
            raise ArtefactError(
                f"the exported network does not run on a batch of {batch_length(trial)}"
                f" ({first_line(error)})"
            ) from error
        if len(found) != len(expected):
            raise ArtefactError(
                f"the exported network gives {len(found)} outputs where torch gives "
                f"{len(expected)}; their number was fixed while tracing"
            )
        difference = _largest(found, expected)
        # Written so that a difference that is not a number fails.
        if not difference <= limit and not difference <= ROUNDINGS * _rounding(
            model, trial, expected
        ):
            raise ArtefactError(
                f"the exported network differs from torch by {difference:.1e}, more than"
                f" {limit:.1e}; {REMEDY}"
            )
        differences.append(difference)
    return max(differences)


def _trials(inputs: tuple[Tensor, ...], seed: int) -> list[tuple[Tensor, ...]]:
    """The example, random inputs in several batches, and the last of them scaled and shifted."""
    generator = torch_generator(seed, "export", "random inputs")
    drawn = [
        tuple(_random_like(value, batch, generator) for value in inputs)
        for batch in CHECKED_BATCHES
    ]
    scaled = [_changed(drawn[-1], scale, 0.0) for scale in CHECKED_SCALES]
    return [inputs, *drawn, *scaled, *(_changed(drawn[-1], 1.0, by) for by in CHECKED_OFFSETS)]


def _rounding(model: nn.Module, trial: tuple[Tensor, ...], expected: Sequence[np.ndarray]) -> float:
    """Difference between torch in float32 and in float64; 0 if it cannot be computed.

    Networks that compression has ruined divide by variances of next to nothing: there float32
    rounds more than `limit`, in torch as in the runtime. What a network draws is no rounding.
    """
    again = [output.cpu().numpy() for output in outputs_of(model, trial)]
    if not all(map(np.array_equal, again, expected)):
        return 0.0
    doubled = tuple(value.double() if value.is_floating_point() else value for value in trial)
    try:
        exact = outputs_of(copy.deepcopy(model).double(), doubled)
    except (RuntimeError, TypeError):
        return 0.0
    return _largest(expected, [output.cpu().numpy() for output in exact])


def _largest(found: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> float:
    # Unlike max(), this keeps NaN.
    return float(np.max(list(map(_relative, found, expected))))


def _expected(model: nn.Module, trial: tuple[Tensor, ...], batch: int) -> list[np.ndarray]:
    """What torch gives for a trial; `batch` is that of the example, which it has run on."""
    try:
        outputs = outputs_of(model, trial)
    except MirtrimError:
        raise
    except Exception as error:
        length = batch_length(trial)
        raise ArtefactError(
            f"{type(model).__name__} runs on the example, a batch of {batch}, and not on "
            f"random inputs in a batch of {length} ({first_line(error)}); if it is fixed to a "
            "batch, let it take its sizes from its inputs"
        ) from error
    return [output.detach().cpu().numpy() for output in outputs]


def _random_like(value: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """Standard normal numbers; integers and truth values between the example's extremes."""
    shape = (batch, *value.shape[1:])
    if value.is_floating_point():
        drawn = torch.randn(shape, generator=generator)
    else:
        low, high = int(value.min()), int(value.max())
        drawn = torch.randint(low, high + 1, shape, generator=generator)
    return drawn.to(value)


def _changed(inputs: tuple[Tensor, ...], scale: float, offset: float) -> tuple[Tensor, ...]:
    """The same inputs with all numbers with a fraction scaled and shifted."""
    return tuple(value * scale + offset if value.is_floating_point() else value for value in inputs)


def _relative(found: np.ndarray, expected: np.ndarray) -> float:
    if found.shape != expected.shape:
        raise ArtefactError(
            f"the exported network gives {found.shape} where torch gives {expected.shape};"
            " a size was fixed while tracing"
        )
    if not np.issubdtype(expected.dtype, np.inexact):
        # Truth values cannot be subtracted, and small or unsigned integers overflow.
        found, expected = found.astype(np.float64), expected.astype(np.float64)
    largest = np.abs(expected).max(initial=0)
    return float(np.abs(found - expected).max(initial=0) / max(1.0, float(largest)))
