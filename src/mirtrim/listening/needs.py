"""What a description must say for its network to be listened with, and what cannot be."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import floor
from typing import Any, TypeGuard

# Optional, of a classifier: the probability from which on its answer is sure.
SURE_FROM = "sure_from"
BINS_PER_OCTAVE = 24  # of constant-Q frames
# Kind of hearing → what can be written.
FORMATS: Mapping[str, tuple[str, ...]] = {
    "events": ("midi", "csv", "jams"),
    "pitch": ("midi", "csv", "jams"),
    "chords": ("lab", "jams"),
    "classes": ("csv", "jams"),
}
# Features that count samples, frames or bands.
WHOLE: Mapping[str, tuple[str, ...]] = {
    "events": ("sample_rate", "window", "hop", "mel_bands", "window_frames"),
    "pitch": ("sample_rate", "frame_samples", "hop"),
    "chords": ("sample_rate", "hop", "bins", "window_frames", "score_every_frames"),
    "classes": ("sample_rate", "window_samples"),
}
# Other features that must be above 0.
POSITIVE: Mapping[str, tuple[str, ...]] = {
    "events": ("highest_hz",),
    "pitch": (),
    "chords": ("lowest_hz", "gain"),
    "classes": ("silence_db",),
}
RATES = (50, 768_000)  # Hz; others are of no sound
LARGEST = 1e100
LONGEST_STEP_SECONDS = 10  # between two answers


def problem_of_hearing(content: Mapping[str, Any]) -> str | None:
    """The first reason why a description cannot be used for listening, in one line, or None.

    Args:
        content: of a `.model.json`; its objects are objects, and its `manner` is no null.
    """
    return next(_problems(content), None)


def _problems(content: Mapping[str, Any]) -> Iterator[str]:
    """All problems; each check may rely on the ones before it having passed."""
    manner, features = content["manner"], content["features"]
    kind = manner["kind"]
    if kind not in FORMATS:
        yield f"manner.kind: {kind!r} is not one of {', '.join(FORMATS)}"
    for form in manner["formats"]:
        if form not in FORMATS[kind]:
            yield f"manner.formats: {form!r} is not one of {', '.join(FORMATS[kind])}"
    yield from _of_names("manner.detectors", manner["detectors"], int(kind == "events"))
    yield from _of_features(kind, features)
    yield from PROBLEMS[kind](features)
    yield from _of_decoding(manner, content["decoding"])
    if kind == "events":
        yield from _of_statistics(content)


def _of_names(key: str, names: Any, least: int) -> Iterator[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        yield f"{key}: {names!r} is not a list of names"
    if len(names) < least or len(set(names)) < len(names):
        yield f"{key}: {names!r} must be {least} different names or more"


def _of_features(kind: str, features: Mapping[str, Any]) -> Iterator[str]:
    for key in WHOLE[kind]:
        value = features.get(key)
        if not isinstance(value, int) or not is_number(value) or value <= 0:
            yield f"features.{key}: {value!r} is not a whole number above 0"
    for key in POSITIVE[kind]:
        if not is_number(features.get(key)) or features[key] <= 0:
            yield f"features.{key}: {features.get(key)!r} is not a number above 0"
    rate = features["sample_rate"]
    if not RATES[0] <= rate <= RATES[1]:
        yield f"features.sample_rate: {rate} is not a sample rate"
    step = features.get("hop", 1) * (features["score_every_frames"] if kind == "chords" else 1)
    if step > LONGEST_STEP_SECONDS * rate:
        yield f"features.hop: {step} samples from answer to answer are too many at {rate} Hz"


def _of_mel(features: Mapping[str, Any]) -> Iterator[str]:
    rate, window, hop = features["sample_rate"], features["window"], features["hop"]
    lowest, highest = features.get("lowest_hz"), features["highest_hz"]
    if not is_number(lowest) or lowest < 0:
        yield f"features.lowest_hz: {lowest!r} is not a number from 0 on"
    if lowest >= highest:
        yield f"features.lowest_hz: {lowest} is not below highest_hz, {highest}"
    bin_above = floor(lowest * window / rate) + 1
    if bin_above > window // 2 or bin_above * rate / window >= highest:
        yield (
            f"features.window: {window} samples at {rate} Hz tell no frequency between {lowest} "
            f"and {highest} Hz"
        )
    if hop > window:
        yield f"features.hop: {hop} is more than window, {window}"
    if features["window_frames"] < 2:  # windows overlap by half
        yield "features.window_frames: 1 is less than 2"


def _of_frames(features: Mapping[str, Any]) -> Iterator[str]:
    frame, hop = features["frame_samples"], features["hop"]
    if frame % hop:
        yield f"features.hop: {hop} does not divide frame_samples, {frame}"


def _of_constant_q(features: Mapping[str, Any]) -> Iterator[str]:
    lowest, bins, rate = features["lowest_hz"], features["bins"], features["sample_rate"]
    octaves = (bins - 1) / BINS_PER_OCTAVE
    if octaves > 16 or not 1 <= lowest < rate / 2 / 2**octaves:
        yield (
            f"features.lowest_hz: {bins} bins from {lowest} Hz on do not lie between 1 and "
            f"{rate / 2:g} Hz"
        )


def _of_classes(features: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_names("features.classes", features.get("classes"), 2)


PROBLEMS: Mapping[str, Callable[[Mapping[str, Any]], Iterator[str]]] = {
    "events": _of_mel,
    "pitch": _of_frames,
    "chords": _of_constant_q,
    "classes": _of_classes,
}


def _of_decoding(manner: Mapping[str, Any], decoding: Mapping[str, Any]) -> Iterator[str]:
    kind = manner["kind"]
    shares: Sequence[str] = {
        "events": [f"threshold_{name}" for name in manner["detectors"]],
        "pitch": ["threshold"],
        "chords": [],
        "classes": [SURE_FROM] if SURE_FROM in decoding else [],
    }[kind]
    for key in shares:
        value = decoding.get(key)
        if not is_number(value) or not 0 <= value <= 1:
            yield f"decoding.{key}: {value!r} is not a number from 0 to 1"
    penalty = decoding.get("change_penalty")
    if kind == "chords" and (not is_number(penalty) or penalty < 0):
        yield f"decoding.change_penalty: {penalty!r} is not a number from 0 on"


def _of_statistics(content: Mapping[str, Any]) -> Iterator[str]:
    bands = content["features"]["mel_bands"]
    for name in ("mean", "deviation"):
        values = content["statistics"].get(name)
        count = len(values) if isinstance(values, list) else 0
        if count != bands or not all(map(is_number, values)):
            yield f"statistics.{name}: {count} numbers for {bands} columns"
    smallest = min(content["statistics"]["deviation"])
    if smallest <= 0:
        yield f"statistics.deviation: {smallest} is not above 0"


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value of JSON is a number that can be reckoned with; integers have no end there."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
