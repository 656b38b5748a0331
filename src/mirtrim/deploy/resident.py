"""Peak resident memory of a network that is loaded and run by a fresh process.

The process imports NumPy and ONNX Runtime only: what a small machine would have to hold. Of the
peak, the runtime itself is a large part, so what was resident before the network was loaded is
told as well.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from mirtrim.utils.errors import ArtefactError

CHILD = Path(__file__).with_name("resident_child.py")
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Resident:
    """Resident set size of a process, in bytes.

    Attributes:
        baseline_bytes: interpreter, NumPy and ONNX Runtime, before the network is loaded.
        peak_bytes: the most while it is loaded and run.
    """

    baseline_bytes: int
    peak_bytes: int

    @property
    def network_bytes(self) -> int:
        """What the network adds: weights, copies of them in kernel layout, activations."""
        return self.peak_bytes - self.baseline_bytes


def peak_resident(path: str | os.PathLike[str], repetitions: int = 20) -> Resident:
    """Memory of a process that loads an ONNX file and runs it on random inputs, one thread.

    Args:
        path: the ONNX file; sizes that it leaves open are taken as 1.
        repetitions: runs.

    Raises:
        ArtefactError: the file is missing or damaged, or the process died.
    """
    path = Path(path)
    if not path.is_file():
        raise ArtefactError(f"{path} does not exist; export the network first")
    # By its path and without that folder on the search path: as a module of the package the
    # child would import torch before it gets to measure.
    command = [sys.executable, "-P", str(CHILD), str(path), str(repetitions)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise ArtefactError(f"{path} cannot be run by ONNX Runtime ({lines[-1]}); export it again")
    found = json.loads(done.stdout)
    return Resident(found["baseline"], found["peak"])
