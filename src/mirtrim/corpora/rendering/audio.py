"""Writing what has been rendered."""

import io
from pathlib import Path

import numpy as np
import soundfile

from mirtrim.corpora import layout

SAMPLE_RATE = 16_000


def write_audio(path: Path, samples: np.ndarray) -> None:
    """Write mono samples at 16 kHz, int16 or of full scale 1, as FLAC in one atomic step."""
    if samples.dtype != np.int16:
        samples = np.rint(32767 * samples).astype(np.int16)
    # Encoding in memory leaves the disk errors to Python: libsndfile hides them.
    stream = io.BytesIO()
    soundfile.write(stream, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    layout.write_bytes(path, stream.getvalue())
