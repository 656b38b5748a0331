"""Run by `resident` as a separate process: imports only NumPy and ONNX Runtime.

resident_child.py file.onnx repetitions
"""

import contextlib
import json
import resource
import sys
from pathlib import Path

import numpy as np
import onnxruntime

STATUS = Path("/proc/self/status")


def resident_bytes(field: str) -> int:
    """VmRSS (now) or VmHWM (most so far) of this process."""
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    # Elsewhere only the most so far is known, in bytes on macOS.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def forget_peak() -> None:
    """Reset VmHWM to what is resident now (proc(5)), where that is allowed."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    """Write what was resident before the network was loaded, and the most after."""
    path, repetitions = sys.argv[1], int(sys.argv[2])
    forget_peak()
    baseline = resident_bytes("VmRSS")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(0)
    inputs: dict[str, np.ndarray] = {}
    for one in session.get_inputs():
        # Sizes that a file leaves open, such as the batch, are 1.
        shape = [size if isinstance(size, int) and size > 0 else 1 for size in one.shape]
        name = one.type.removeprefix("tensor(").removesuffix(")")
        kind = np.dtype("float32" if name == "float" else name)
        drawn = generator.standard_normal(shape, dtype=np.float32)
        inputs[one.name] = (drawn if np.issubdtype(kind, np.floating) else drawn > 0).astype(kind)
    for _ in range(repetitions):
        session.run(None, inputs)
    peak = resident_bytes("VmHWM")
    json.dump({"baseline": baseline, "peak": peak}, sys.stdout)


if __name__ == "__main__":
    main()
