"""An ONNX file that is called like a torch network."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import onnxruntime
import torch
from torch import Tensor, nn

from mirtrim.utils.errors import ArtefactError


@contextmanager
def quiet() -> Iterator[None]:
    """Drop prints, warnings and log records of what runs inside; errors pass through."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


LOG_FATAL = 4


class OnnxNetwork(nn.Module):
    """A network that ONNX Runtime computes on the CPU, for instance a quantised one.

    It has no parameters and no gradients; training and evaluation mode are the same.

    Args:
        path: an ONNX file with one input and one output, the batch on the first axis of both.
        threads: threads inside one operation; operations run one after another.

    Raises:
        ArtefactError: the file is missing, damaged, or has several inputs or outputs.
    """

    def __init__(self, path: str | os.PathLike[str], threads: int = 1) -> None:
        super().__init__()
        self.path = Path(path)
        if not self.path.is_file():
            raise ArtefactError(f"{path} is missing; export the network again")
        try:
            self._session = open_session(self.path, threads)
        except Exception as error:  # the classes of the runtime share no base but this one
            raise ArtefactError(
                f"{path} cannot be loaded ({first_line(error)}); export the network again"
            ) from error
        counts = len(self._session.get_inputs()), len(self._session.get_outputs())
        if counts != (1, 1):
            raise ArtefactError(
                f"{path} has {counts[0]} inputs and {counts[1]} outputs; choose a file with one"
                " of each"
            )
        self._input = self._session.get_inputs()[0].name

    def forward(self, x: Tensor) -> Tensor:
        """(batch, …) → (batch, …) as the exported network; the result lies on the CPU.

        Raises:
            ArtefactError: the network takes no such input.
        """
        try:
            (output,) = self._session.run(None, {self._input: x.detach().cpu().numpy()})
        except Exception as error:
            raise ArtefactError(
                f"{self.path} does not run on {x.dtype} {tuple(x.shape)} ({first_line(error)})"
            ) from error
        return torch.from_numpy(output)


def open_session(
    model: str | os.PathLike[str] | bytes, threads: int = 1
) -> onnxruntime.InferenceSession:
    """A silent CPU session with all graph optimisations, for a path or a serialised model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = LOG_FATAL
    # On x86 without VNNI instructions, the usual kernels add pairs of products in 16 bits, which
    # overflow: outputs of int8 networks were off by 2 to 7 % of their range. These do not.
    options.add_session_config_entry("session.x64quantprecision", "1")
    source = model if isinstance(model, bytes) else os.fspath(model)
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
