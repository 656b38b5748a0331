"""Sessions of ONNX Runtime on the CPU, opened without torch."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO

import onnxruntime

from mirtrim.utils.errors import ArtefactError

LOG_FATAL = 4


def open_session(
    model: str | os.PathLike[str] | bytes,
    threads: int = 1,
    remedy: str = "export the network again",
) -> onnxruntime.InferenceSession:
    """A silent session with all graph optimisations, for a path or a serialised model.

    Raises:
        ArtefactError: the model is damaged, or not supported by the runtime.
    """
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
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the classes of the runtime share no base but this one
        what = "the network" if isinstance(model, bytes) else str(model)
        raise ArtefactError(f"{what} cannot be loaded ({first_line(error)}); {remedy}") from error


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


def first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class if it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0].strip() if lines else type(error).__name__
