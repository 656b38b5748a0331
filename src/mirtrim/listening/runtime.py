"""A bundle's network in ONNX Runtime: what `mirtrim listen` uses, without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirtrim.deploy.onnx_session import open_session
from mirtrim.listening.about import (
    FP32,
    ONNX_ENDINGS,
    REMEDY,
    About,
    Description,
    Manner,
    base_of,
    described_file,
    read_description,
)
from mirtrim.tasks.chord_labels import LABELS
from mirtrim.utils.errors import ArtefactError, ConfigError

# Features that are the sizes of an input, after (batch, 1).
SIZES: Mapping[str, tuple[str, ...]] = {
    "events": ("mel_bands", "window_frames"),
    "chords": ("bins", "window_frames"),
    "pitch": ("frame_samples",),
    "classes": ("window_samples",),
}


@dataclass(frozen=True)
class OnnxListener:
    """A network in ONNX Runtime, with its metadata.

    `path` is that of its files, without their endings.
    """

    path: Path
    description: Description
    manner: Manner
    session: Any

    @property
    def about(self) -> About:
        """What is known of the network."""
        return self.description.about

    def outputs(self, inputs: np.ndarray) -> np.ndarray:
        """(batch, …) → (batch, …)."""
        outputs: np.ndarray
        (outputs,) = self.session.run(None, {self.session.get_inputs()[0].name: inputs})
        return outputs


def open_listener(path: str | Path, number_format: str = FP32) -> OnnxListener:
    """Open the network of a bundle by the path of any of its files, or without an ending.

    Args:
        number_format: `about.FP32` or `about.INT8`.

    Raises:
        ArtefactError: a file is missing, damaged, or not the one that is described.
        ConfigError: the task cannot be listened with, or there is no file of this format.
    """
    base = base_of(path)
    description = read_description(base)
    if description.manner is None:
        raise ConfigError(
            f"task {description.about.task!r} cannot be listened with; give it a `hearing` (see "
            "mirtrim.tasks.hearing) and collect it again"
        )
    if number_format not in description.files:
        raise ConfigError(
            f"{base}: there is no {number_format} network; there is {', '.join(description.files)}"
        )
    digest = description.files[number_format]["sha256"]
    file = described_file(base, ONNX_ENDINGS[number_format], digest)
    # One thread: faster for small networks, and bit-identical for any number of cores.
    session = open_session(file, remedy=REMEDY)
    _check_shape(session, description, base)
    return OnnxListener(base, description, description.manner, session)


def _check_shape(session: Any, description: Description, base: Path) -> None:
    """Check that the network's inputs fit its features, and its outputs their names."""
    assert description.manner is not None
    features = description.about.features
    wanted = (1, *(features[key] for key in SIZES[description.manner.kind]))
    found = tuple(session.get_inputs()[0].shape[1:])
    if found != wanted:
        raise ArtefactError(
            f"{base}: does not fit its features (it takes {found}, they give {wanted}); {REMEDY}"
        )
    names = {
        "events": description.manner.detectors,
        "chords": LABELS,
        "classes": features.get("classes"),
    }.get(description.manner.kind)
    outputs = session.get_outputs()[0].shape[1]
    if names is not None and outputs != len(names):
        raise ArtefactError(
            f"{base}: does not fit its description (it has {outputs} outputs, that has "
            f"{len(names)} names for them); {REMEDY}"
        )
