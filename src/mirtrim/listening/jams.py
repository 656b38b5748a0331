"""Results as JAMS (Humphrey et al., ISMIR 2014), written directly as JSON.

The package `jams` reads it and finds it valid, but is not needed to write it.
"""

import json
from typing import Any

from mirtrim.listening.results import Chords, Events, Heard, PitchCurve, Tags

JAMS_VERSION = "0.3.5"
DECIMALS = 4


def jams_of(heard: Heard, title: str, tool: str) -> str:
    """A JAMS document.

    Args:
        title: name of the piece.
        tool: the program that analysed it.
    """
    duration = round(heard.duration_seconds, DECIMALS)
    annotations = [
        {
            "namespace": namespace,
            "data": data,
            "annotation_metadata": {
                "annotation_tools": tool,
                "data_source": "program",
                "curator": {"name": "", "email": ""},
                "annotator": {},
                **dict.fromkeys(("corpus", "version", "annotation_rules", "validation"), ""),
            },
            "sandbox": sandbox,
            "time": 0,
            "duration": duration,
        }
        for namespace, data, sandbox in annotations_of(heard)
    ]
    document = {
        "annotations": annotations,
        "file_metadata": {
            # A file's name need not be text.
            "title": title.encode(errors="replace").decode(),
            "artist": "",
            "release": "",
            "duration": duration,
            "identifiers": {},
            "jams_version": JAMS_VERSION,
        },
        "sandbox": {"notes": list(heard.notes)},
    }
    return json.dumps(document, allow_nan=False) + "\n"


def annotations_of(heard: Heard) -> list[tuple[str, Any, dict[str, Any]]]:
    """Namespace, observations and sandbox of each annotation."""
    match heard:
        case Events():
            # Namespace onset has no labels: one annotation per detector, named in the sandbox.
            return [
                (
                    "onset",
                    [_observation(t, 0.0, None, p) for t, p in zip(*heard.of(name), strict=True)],
                    {"detector": name},
                )
                for name in heard.detectors
            ]
        case PitchCurve():
            # Dense; an unvoiced frame keeps its frequency, as the namespace has it.
            frames = zip(heard.frequency_hz.tolist(), heard.voiced.tolist(), strict=True)
            pitch = {
                "time": [round(time, DECIMALS) for time in heard.times_seconds.tolist()],
                "duration": [0.0] * len(heard.times_seconds),
                "value": [
                    {"index": 0, "frequency": round(hz, DECIMALS), "voiced": voiced}
                    for hz, voiced in frames
                ],
                "confidence": [round(value, DECIMALS) for value in heard.confidence.tolist()],
            }
            return [("pitch_contour", pitch, {})]
        case Chords():
            segments = zip(heard.intervals, heard.labels, strict=True)
            data = [_observation(start, end - start, name, None) for (start, end), name in segments]
            return [("chord", data, {})]
        case Tags():
            pairs = zip(heard.classes, heard.probabilities, strict=True)
            data = [_observation(0.0, heard.duration_seconds, name, p) for name, p in pairs]
            return [("tag_open", data, {})]
    raise TypeError(f"{type(heard).__name__} has no JAMS namespace")


def _observation(
    time: float, duration: float, value: Any, confidence: float | None
) -> dict[str, Any]:
    return {
        "time": round(float(time), DECIMALS),
        "duration": round(float(duration), DECIMALS),
        "value": value,
        "confidence": None if confidence is None else round(float(confidence), DECIMALS),
    }
