"""Networks as ONNX files, checked against torch before they are written.

The tracing exporter of torch (`dynamo=False`) is used: a network of this project takes it
0.03-0.2 s, the newer one (`dynamo=True`) 1-4 s. With a GRU or an LSTM that one took 5-11 s and
wrote other bytes at the second call; it unrolled a plain RNN into 400 nodes. What tracing
cannot see, branches that depend on the data or on the batch, it warns of, and such a warning is a
refusal here; the check against torch, with inputs of several sizes, is a second one.
"""

import copy
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from mirtrim.counting.operations import as_arguments, batch_length, run_for_one_pass
from mirtrim.deploy.folding import fold_batch_norms
from mirtrim.deploy.onnx_session import first_line, open_session, quiet
from mirtrim.deploy.onnx_tidy import strip
from mirtrim.units.kinds import check_python
from mirtrim.utils.errors import ArtefactError, MirtrimError, TraceError
from mirtrim.utils.files import atomic_path
from mirtrim.utils.seeds import torch_generator

OPSET = 17  # the first one with layer norms; every runtime of the last years reads it
REMEDY = "look for branches that depend on the data or on the batch"
ROUNDINGS = 4  # of torch's own, by which two orders of the same sums may differ
CHECKED_BATCHES = (1, 3)
CHECKED_SCALES = (0.01, 100.0)  # of standard normal numbers
CHECKED_OFFSETS = (3.0, -3.0)


def export_onnx(
    model: nn.Module,
    example_inputs: Tensor | Sequence[Tensor],
    path: str | os.PathLike[str],
    *,
    limit: float = 1e-5,
    seed: int = 0,
) -> float:
    """Write `model` in evaluation mode as one ONNX file; the model is left as it was.

    The file takes any batch, its batch norms are folded where they can be, and the same
    network gives the same bytes. Inputs are called input, input_1 …, outputs output,
    output_1 …

    Args:
        example_inputs: arguments of the model's forward; the first axis of each is the batch.
        limit: largest difference to torch that is accepted.
        seed: decides the random inputs of the check.

    Returns:
        Largest |difference| between torch and ONNX Runtime, divided by max(1, largest
        |output|), over the example and random inputs at batches of 1 and 3, small and large,
        mostly positive and mostly negative.

    Raises:
        TraceError: an operation cannot be exported (named), a module is scripted or lazy, the
            network computes in another precision than 32 bits, an input has no part in the
            outputs, or an output is no tensor.
        ArtefactError: the file would be invalid, fixed to a batch, or differ by more than
            `limit`, or the tracer warns that the way through the network depends on what it was
            traced with; nothing is written.
    """
    inputs = as_arguments(example_inputs)
    check_python(model)
    _check_precision(model, inputs)
    with run_for_one_pass(model), quiet():
        exported, guess = _export(model, inputs)
        try:
            onnx.checker.check_model(exported, full_check=True)
        except Exception as error:
            raise ArtefactError(
                f"{path}: the exported network is not valid ONNX ({first_line(error)})"
            ) from error
        data = exported.SerializeToString(deterministic=True)
        difference = _difference(model, data, inputs, path, seed, limit)
    if guess is not None:
        raise ArtefactError(f"{path}: the exported network rests on a guess: {guess}; {REMEDY}")
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return difference


def _check_precision(model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    named = [*model.named_parameters(), *model.named_buffers()]
    for name, value in [*named, *((f"input {n}", value) for n, value in enumerate(inputs))]:
        if value.is_floating_point() and value.dtype != torch.float32:
            kind = str(value.dtype).removeprefix("torch.")
            raise TraceError(
                f"{type(model).__name__} cannot be exported: {name} is {kind}, and only float32 is "
                "exported; call .float() on the network and on its inputs"
            )


def _export(model: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[onnx.ModelProto, str | None]:
    """The exported network, and what the tracer has warned of in code that is not torch's own."""
    outputs = _outputs(model, inputs)
    input_names, output_names = _names("input", len(inputs)), _names("output", len(outputs))
    with TemporaryDirectory() as folder, _no_graph_dump():
        file = Path(folder, "network.onnx")
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always", torch.jit.TracerWarning)
                torch.onnx.export(
                    model,
                    inputs,
                    file,
                    dynamo=False,
                    opset_version=OPSET,
                    input_names=input_names,
                    output_names=output_names,
                    dynamic_axes={name: {0: "batch"} for name in (*input_names, *output_names)},
                )
        except Exception as error:
            reason = first_line(error).split(". ")[0]
            raise TraceError(
                f"{type(model).__name__} cannot be exported: {reason};"
                " replace the operation by others"
            ) from error
        exported = fold_batch_norms(onnx.load(file))
    _check_inputs(model, exported, input_names)
    strip(exported)
    return exported, _guess(said)


def _check_inputs(model: nn.Module, exported: onnx.ModelProto, names: Sequence[str]) -> None:
    kept = {value.name for value in exported.graph.input}
    for index, name in enumerate(names):
        if name not in kept:
            raise TraceError(
                f"{type(model).__name__} cannot be exported: input {index} (from 0) has no part in "
                "its outputs; wrap the network in a module that takes the other inputs only"
            )


def _guess(said: Sequence[warnings.WarningMessage]) -> str | None:
    """The first warning of the tracer: what it saw once has become a constant.

    torch's own recurrent layers look at shapes on their way, which is no harm.
    """
    own = Path(torch.__file__).parent
    for warning in said:
        if issubclass(warning.category, torch.jit.TracerWarning) and not Path(
            warning.filename
        ).is_relative_to(own):
            reason = " ".join(str(warning.message).split()).split(". ")[0]
            return f"{reason} ({Path(warning.filename).name}, line {warning.lineno})"
    return None


@contextmanager
def _no_graph_dump() -> Iterator[None]:
    """Keep the exporter from printing the graph of what it cannot export.

    torch switches that log on at every export, and writes it below Python's streams.
    """
    log = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *words: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = log


def _names(stem: str, count: int) -> list[str]:
    return [stem if index == 0 else f"{stem}_{index}" for index in range(count)]


def _outputs(model: nn.Module, inputs: tuple[Tensor, ...]) -> list[Tensor]:
    result = model(*inputs)
    outputs = [result] if isinstance(result, Tensor) else result
    is_flat = isinstance(outputs, (tuple, list)) and all(isinstance(o, Tensor) for o in outputs)
    if not (is_flat and outputs):
        raise TraceError(
            f"{type(model).__name__} returns {type(result).__name__};"
            " only a tensor or a tuple of tensors can be exported"
        )
    return list(outputs)


def _difference(
    model: nn.Module,
    data: bytes,
    inputs: tuple[Tensor, ...],
    path: str | os.PathLike[str],
    seed: int,
    limit: float,
) -> float:
    """The largest difference from torch, on all trials.

    Raises:
        ArtefactError: a difference is above `limit` and above what float32 rounds in this network.
    """
    session = open_session(data)
    generator = torch_generator(seed, "export", "random inputs")
    trials = [inputs] + [
        tuple(_random_like(value, batch, generator) for value in inputs)
        for batch in CHECKED_BATCHES
    ]
    drawn = trials[-1]
    trials += [_changed(drawn, scale, 0.0) for scale in CHECKED_SCALES]
    trials += [_changed(drawn, 1.0, offset) for offset in CHECKED_OFFSETS]
    differences = []
    for trial in trials:
        expected = _expected(model, trial, batch_length(inputs), path)
        feed = {
            name: given.cpu().numpy()
            for name, given in zip(_names("input", len(trial)), trial, strict=True)
        }
        try:
            found = session.run(None, feed)
        except Exception as error:
            raise ArtefactError(
                f"{path}: the exported network does not run on a batch of {batch_length(trial)}"
                f" ({first_line(error)})"
            ) from error
        if len(found) != len(expected):
            raise ArtefactError(
                f"{path}: the exported network gives {len(found)} outputs where torch gives "
                f"{len(expected)}; their number was fixed while tracing"
            )
        difference = _largest(found, expected, path)
        # Written so that a difference that is not a number fails.
        if not difference <= limit and not difference <= ROUNDINGS * _rounding(
            model, trial, expected, path
        ):
            raise ArtefactError(
                f"{path}: the exported network differs from torch by {difference:.1e}, more than"
                f" {limit:.1e}; {REMEDY}"
            )
        differences.append(difference)
    return max(differences)


def _rounding(
    model: nn.Module,
    trial: tuple[Tensor, ...],
    expected: Sequence[np.ndarray],
    path: str | os.PathLike[str],
) -> float:
    """How far torch in float32 is from torch in float64; 0 where that cannot be asked.

    Networks that compression has ruined divide by variances of next to nothing: there float32
    rounds more than `limit`, in torch as in the runtime.
    """
    doubled = tuple(value.double() if value.is_floating_point() else value for value in trial)
    try:
        exact = _outputs(copy.deepcopy(model).double(), doubled)
    except (RuntimeError, TypeError):
        return 0.0
    return _largest(expected, [output.cpu().numpy() for output in exact], path)


def _largest(
    found: Sequence[np.ndarray], expected: Sequence[np.ndarray], path: str | os.PathLike[str]
) -> float:
    # Unlike max(), this keeps what is not a number.
    return float(np.max([_relative(*pair, path) for pair in zip(found, expected, strict=True)]))


def _expected(
    model: nn.Module, trial: tuple[Tensor, ...], batch: int, path: str | os.PathLike[str]
) -> list[np.ndarray]:
    """What torch gives for a trial; `batch` is that of the example, which it has run on."""
    try:
        outputs = _outputs(model, trial)
    except MirtrimError:
        raise
    except Exception as error:
        length = batch_length(trial)
        raise ArtefactError(
            f"{path}: {type(model).__name__} runs on the example, a batch of {batch}, and not on "
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


def _relative(found: np.ndarray, expected: np.ndarray, path: str | os.PathLike[str]) -> float:
    if found.shape != expected.shape:
        raise ArtefactError(
            f"{path}: the exported network gives {found.shape} where torch gives {expected.shape};"
            " a size was fixed while tracing"
        )
    if not np.issubdtype(expected.dtype, np.inexact):
        # Truth values cannot be subtracted, and small or unsigned integers overflow.
        found, expected = found.astype(np.float64), expected.astype(np.float64)
    largest = np.abs(expected).max(initial=0)
    return float(np.abs(found - expected).max(initial=0) / max(1.0, float(largest)))
