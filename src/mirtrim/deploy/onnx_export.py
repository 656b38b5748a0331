"""Networks as ONNX files, checked against torch before they are written.

The tracing exporter of torch (`dynamo=False`) is used: a network of this project takes it
0.03-0.2 s, the newer one (`dynamo=True`) 1-4 s. With a GRU or an LSTM that one took 5-11 s and
wrote other bytes at the second call; it unrolled a plain RNN into 400 nodes. What tracing
cannot see, branches that depend on the data or on the batch, it warns of, and such a warning is a
refusal here; the check against torch, with inputs of several sizes, is a second one.
"""

import inspect
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import torch
from torch import Tensor, nn

from mirtrim.counting.operations import as_arguments, run_for_one_pass
from mirtrim.deploy.folding import fold_batch_norms
from mirtrim.deploy.onnx_check import REMEDY, largest_difference, names_of, outputs_of
from mirtrim.deploy.onnx_session import first_line, quiet
from mirtrim.deploy.onnx_tidy import strip
from mirtrim.units.kinds import check_python
from mirtrim.utils.errors import ArtefactError, TraceError
from mirtrim.utils.files import write_bytes

OPSET = 17  # the first one with layer norms; every runtime of the last years reads it
STARRED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


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
    try:
        with run_for_one_pass(model), quiet():
            exported, guess = _export(model, inputs)
            data = exported.SerializeToString(deterministic=True)
            difference = largest_difference(model, data, inputs, seed, limit)
        if guess is not None:
            raise ArtefactError(f"the exported network rests on a guess: {guess}; {REMEDY}")
    except ArtefactError as error:
        raise ArtefactError(f"{path}: {error}") from error
    write_bytes(path, data)
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
    outputs = outputs_of(model, inputs)
    input_names, output_names = names_of("input", len(inputs)), names_of("output", len(outputs))
    with TemporaryDirectory() as folder, _no_graph_dump():
        file = Path(folder, "network.onnx")
        try:
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always", torch.jit.TracerWarning)
                torch.onnx.export(
                    _without_defaults(model, len(inputs)),
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
    try:
        onnx.checker.check_model(exported, full_check=True)
    except Exception as error:
        raise ArtefactError(
            f"the exported network is not valid ONNX ({first_line(error)})"
        ) from error
    return exported, _guess(said)


class _Given(nn.Module):
    """A network that is called with what it is given and nothing else."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *inputs: Tensor) -> Any:
        return self.network(*inputs)


def _without_defaults(model: nn.Module, inputs: int) -> nn.Module:
    """The network, hidden if its forward takes more than the inputs.

    The tracer fills in the defaults of other arguments as tensors, which a network that expects a
    number or a bool cannot use.
    """
    taken = inspect.signature(model.forward).parameters.values()
    return _Given(model).eval() if sum(p.kind not in STARRED for p in taken) > inputs else model


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

    torch's own recurrent layers look at shapes while tracing, which is harmless.
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
