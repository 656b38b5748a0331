"""Networks for microcontrollers: .tflite files, and the memory that TensorFlow Lite Micro needs.

The file is in flash and contains weights and layers. The arena is the RAM in which the interpreter
keeps activations and its own records. Both are measured: the size of the file, and what the
interpreter reports after running the network.
"""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirtrim.counting.operations import run_for_one_pass
from mirtrim.deploy.tflite.lowering import lower, trace
from mirtrim.deploy.tflite.packages import runtime
from mirtrim.deploy.tflite.quantising import quantise
from mirtrim.deploy.tflite.writing import tflite_bytes
from mirtrim.utils.errors import ArtefactError, TraceError
from mirtrim.utils.files import write_bytes

# Of the largest output, or of 1: room for sums in another order, far from a wrong layer.
PARITY = 1e-5
PROBE = Path(__file__).parent / "tflite" / "probing.py"
PROBE_SECONDS = 300


@dataclass(frozen=True)
class Arena:
    """RAM that the interpreter of TensorFlow Lite Micro needs for one network, in bytes.

    It is measured on a 64-bit machine with the reference kernels. Records hold pointers, so
    that a 32-bit board needs a little less; a vendor's kernels may ask for scratch space, which
    comes on top.

    Attributes:
        needed_bytes: the smallest arena in which the interpreter loads the network and computes
            what it computes in a large one. Planning may need more than running does.
        used_bytes: what the interpreter reports as used in a large arena, the sum of the next two
            and padding.
        activation_bytes: what activations share, and what kernels scribble on.
        persistent_bytes: records of layers and activations.
    """

    needed_bytes: int
    used_bytes: int
    activation_bytes: int
    persistent_bytes: int


def export_tflite(
    model: nn.Module,
    example_inputs: Tensor,
    path: str | os.PathLike[str],
    calibration: Iterable[Tensor] | None = None,
) -> float:
    """Write `model` as a .tflite file that TensorFlow Lite Micro runs, one example at a time.

    The same network and calibration give the same bytes. Inputs and outputs are stored
    channels last, (1, height, width, channels); `TfliteNetwork` puts them right.

    Args:
        example_inputs: (batch, features), (batch, channels, width) or
            (batch, channels, height, width); the batch is only for the comparison.
        calibration: batches of training inputs. With them the file is int8 from input to
            output; without, fp32.

    Returns:
        Largest absolute difference from the outputs of PyTorch over `example_inputs`.

    Raises:
        TraceError: an operator has no counterpart, or the fp32 file computes something else;
            nothing is written.
        ConfigError: calibration holds no example, or the packages for boards are missing.
    """
    graph = trace(model, example_inputs[:1])
    layers = lower(graph)
    quantisation = None if calibration is None else quantise(layers, graph, calibration)
    content = tflite_bytes(layers, quantisation)
    with run_for_one_pass(model):
        expected = model(example_inputs)
    difference = float((TfliteNetwork(content)(example_inputs) - expected).abs().max())
    if quantisation is None and not difference <= PARITY * max(1.0, float(expected.abs().max())):
        raise TraceError(
            f"{type(model).__name__} as .tflite differs from PyTorch by {difference:.2g}; "
            "nothing was written"
        )
    write_bytes(path, content)
    return difference


def measure_arena(path: str | os.PathLike[str]) -> Arena:
    """Measure the arena of a .tflite file with the interpreter, in a separate process.

    Raises:
        ArtefactError: the file is no network that the interpreter can run.
        ConfigError: the packages for boards are missing.
    """
    _read(path)
    runtime()  # says so if it is missing
    # -P: the folder of the program is no place to import from.
    command = [sys.executable, "-P", str(PROBE), os.fspath(path)]
    try:
        answer = subprocess.run(command, capture_output=True, timeout=PROBE_SECONDS, check=True)
        found = json.loads(answer.stdout)
    except (subprocess.SubprocessError, json.JSONDecodeError) as error:
        raise ArtefactError(
            f"{path} does not run in TensorFlow Lite Micro; export it again"
        ) from error
    return Arena(found["least"], found["total"], found["head"], found["tail"])


class TfliteNetwork(nn.Module):
    """A .tflite network that looks like the PyTorch network it was made from.

    It has no parameters and cannot be trained. Integers of an int8 file are computed from the
    inputs and turned back into fp32.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        try:
            self._interpreter = runtime().Interpreter.from_bytes(
                content, arena_size=10 * len(content) + 2**24
            )
        # Errors of the flat-buffer reader and of the interpreter for invalid bytes.
        except (RuntimeError, struct.error, ValueError, IndexError, TypeError) as error:
            raise ArtefactError(
                f"no network that TensorFlow Lite Micro can run ({error}); export it again"
            ) from error
        self._input = self._interpreter.get_input_details(0)
        self._output = self._interpreter.get_output_details(0)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "TfliteNetwork":
        """The network in a .tflite file."""
        return cls(_read(path))

    def forward(self, x: Tensor) -> Tensor:
        """Inputs as the PyTorch network takes them, (batch, ...) → its outputs, fp32."""
        stored = x.detach().cpu().float().movedim(1, -1).contiguous().numpy()
        outputs = []
        for example in self._integers(stored):
            self._interpreter.set_input(example.reshape(self._input["shape"]), 0)
            self._interpreter.invoke()
            outputs.append(self._interpreter.get_output(0)[0].copy())
        numbers = np.stack(outputs)
        if self._output["dtype"] == np.int8:
            scale, zero_point = _scale(self._output)
            numbers = (numbers.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
        return torch.from_numpy(numbers)

    def _integers(self, numbers: np.ndarray) -> np.ndarray:
        """What an int8 network takes; of any other, the numbers themselves."""
        if self._input["dtype"] != np.int8:
            return numbers
        scale, zero_point = _scale(self._input)
        return np.rint(numbers / scale + zero_point).clip(-128, 127).astype(np.int8)


def _scale(details: dict[str, Any]) -> tuple[float, int]:
    parameters = details["quantization_parameters"]
    return float(parameters["scales"][0]), int(parameters["zero_points"][0])


def _read(path: str | os.PathLike[str]) -> bytes:
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read ({error.strerror}); export it again") from error
    # The interpreter follows offsets in the file without checking them.
    if content[4:8] != b"TFL3":
        raise ArtefactError(f"{path} is no .tflite file; export it again")
    return content
