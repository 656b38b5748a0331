"""Odd and damaged audio files through `mirtrim listen`.

python -m tests.listening.fuzz [count] [seed]

Every file is made from a known sound, so that what must come out is known: its length (or an error,
or a note that says how much is missing), something else than silence, one line, and never a
traceback or a word of a library in the terminal.
"""

import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import numpy as np
import soundfile

from mirtrim.cli import main
from mirtrim.listening.bundle import write_bundle
from tests.listening.samples import about_of, network_of

TASKS = ("onset", "drums", "pitch", "chord", "instrument")
# Format, subtype, ending, and how far the length may be off, in samples, where nothing is damaged.
FORMATS = (
    ("WAV", "PCM_U8", "wav", 0),
    ("WAV", "PCM_16", "wav", 0),
    ("WAV", "PCM_24", "wav", 0),
    ("WAV", "PCM_32", "wav", 0),
    ("WAV", "FLOAT", "wav", 0),
    ("WAV", "DOUBLE", "wav", 0),
    ("WAV", "ULAW", "wav", 0),
    ("WAV", "ALAW", "wav", 0),
    ("WAV", "IMA_ADPCM", "wav", 4096),
    ("WAV", "MS_ADPCM", "wav", 4096),
    ("WAVEX", "PCM_16", "wav", 0),
    ("RF64", "PCM_16", "wav", 0),
    ("W64", "PCM_24", "w64", 0),
    ("AIFF", "PCM_16", "aiff", 0),
    ("AIFF", "FLOAT", "aif", 0),
    ("AU", "PCM_16", "au", 0),
    ("CAF", "PCM_16", "caf", 0),
    ("FLAC", "PCM_16", "flac", 0),
    ("FLAC", "PCM_24", "flac", 0),
    ("OGG", "VORBIS", "ogg", 0),
    ("OGG", "OPUS", "opus", 0),
    ("MP3", "MPEG_LAYER_III", "mp3", 0),
)
RATES = (8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000)
OPUS_RATES = (8000, 16000, 48000)
MP3_RATES = (16000, 22050, 32000, 44100, 48000)
ADPCM_CHANNELS = (1, 2)
FRAME_SECONDS = 0.1  # of a coder: what a cut may take with it


@dataclass(frozen=True)
class Case:
    """A file, and what may come of it.

    Attributes:
        seconds: of sound that it holds, None if the damage may have changed that.
        refused: whether it must be (True), must not be (False), or may be (None).
        sounds: whether it must not be called silent.
        slack_seconds: how far its length may be off.
        cut: whether it lacks an end, which must be said if it is heard.
    """

    path: Path
    kind: str
    seconds: float | None = None
    refused: bool | None = None
    sounds: bool = False
    slack_seconds: float = 0.0
    cut: bool = False


@dataclass(frozen=True)
class Clip:
    """A sound file without faults."""

    content: bytes
    ending: str
    form: str
    rate: int
    channels: int
    seconds: float
    slack_seconds: float


def clip(rng: np.random.Generator) -> Clip:
    """Noise in notes, in a random format, at a random rate, with one to six channels."""
    form, subtype, ending, slack = FORMATS[rng.integers(len(FORMATS))]
    rates = {"OPUS": OPUS_RATES, "MPEG_LAYER_III": MP3_RATES}.get(subtype, RATES)
    rate = int(rng.choice(rates))
    most = 2 if "ADPCM" in subtype or form in ("MP3", "OGG") else 6
    channels = int(rng.integers(1, most + 1))
    seconds = float(rng.uniform(0.3, 4))
    samples = sound(rng, round(seconds * rate), channels)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{ending}"
        options = {}
        if form == "MP3":
            options = {"bitrate_mode": str(rng.choice(["CONSTANT", "VARIABLE"]))}
        soundfile.write(path, samples, rate, format=form, subtype=subtype, **options)
        content = path.read_bytes()
    return Clip(content, ending, form, rate, channels, len(samples) / rate, slack / rate)


def sound(rng: np.random.Generator, frames: int, channels: int) -> np.ndarray:
    """Decaying bursts of noise over soft noise, (frames, channels)."""
    samples = 0.02 * rng.standard_normal((frames, channels))
    for start in range(0, frames, max(1, frames // 5)):
        length = min(frames - start, max(1, frames // 6))
        decay = np.exp(-5 * np.arange(length) / length)
        samples[start : start + length] += 0.2 * decay[:, None] * rng.standard_normal((length, 1))
    return samples.clip(-0.9, 0.9)


def whole(rng: np.random.Generator, path: Path) -> Case:
    made = clip(rng)
    path = _write(path, made.ending, made.content)
    return Case(path, "whole", made.seconds, False, True, made.slack_seconds)


def cut(rng: np.random.Generator, path: Path) -> Case:
    """The file without its end."""
    made = clip(rng)
    share = float(rng.uniform(0.3, 0.95))
    path = _write(path, made.ending, made.content[: int(share * len(made.content))])
    return Case(path, "cut", made.seconds, None, True, made.seconds, cut=True)


def stump(rng: np.random.Generator, path: Path) -> Case:
    """A few bytes of a file."""
    made = clip(rng)
    return Case(_write(path, made.ending, made.content[: int(rng.integers(0, 200))]), "stump")


def headless(rng: np.random.Generator, path: Path) -> Case:
    """The file without its beginning."""
    made = clip(rng)
    path = _write(path, made.ending, made.content[int(rng.integers(1, 400)) :])
    return Case(path, "headless")


def mp3_without_first_frames(rng: np.random.Generator, path: Path) -> Case:
    """An MP3 without the frame whose header tells its length, or from a random place on."""
    made = clip(rng)
    while made.form != "MP3":
        made = clip(rng)
    at = max(made.content.find(b"Xing"), made.content.find(b"Info"))
    frames = int.from_bytes(made.content[at + 8 : at + 12], "big")
    start = int(rng.integers(1, 40))
    if made.content[at : at + 4] == b"Info":  # all frames are of one size
        start = int(rng.uniform(0.001, 0.4) * len(made.content))
        frames = round((frames + 1) * (1 - start / len(made.content)))
    frame_seconds = (1152 if made.rate >= 32000 else 576) / made.rate
    path = _write(path, "mp3", made.content[start:])
    seconds, slack = frames * frame_seconds, 3 * frame_seconds
    return Case(path, "mp3 without its header", seconds, False, True, slack)


def joined(rng: np.random.Generator, path: Path) -> Case:
    """Two MP3 files in one."""
    made = clip(rng)
    while made.form != "MP3":
        made = clip(rng)
    path = _write(path, "mp3", made.content * 2)
    return Case(path, "joined mp3", 2 * made.seconds, False, True, 4 * FRAME_SECONDS)


def flipped_header(rng: np.random.Generator, path: Path) -> Case:
    """Wrong bytes among the first 100."""
    made = clip(rng)
    content = np.frombuffer(made.content, dtype=np.uint8).copy()
    places = rng.integers(0, min(100, len(content)), size=int(rng.integers(1, 8)))
    content[places] = rng.integers(0, 256, size=len(places))
    return Case(_write(path, made.ending, content.tobytes()), "flipped header")


def flipped(rng: np.random.Generator, path: Path) -> Case:
    """Wrong bytes anywhere."""
    made = clip(rng)
    content = np.frombuffer(made.content, dtype=np.uint8).copy()
    places = rng.integers(0, len(content), size=int(rng.integers(1, 60)))
    content[places] = rng.integers(0, 256, size=len(places))
    return Case(_write(path, made.ending, content.tobytes()), "flipped")


def holed(rng: np.random.Generator, path: Path) -> Case:
    """Zeros, or bytes from elsewhere, where sound was."""
    made = clip(rng)
    content = bytearray(made.content)
    begin, end = sorted(int(at) for at in rng.integers(100, len(content), size=2))
    content[begin:end] = bytes(end - begin) if rng.random() < 0.5 else rng.bytes(end - begin)
    return Case(_write(path, made.ending, bytes(content)), "holed")


def extreme_field(rng: np.random.Generator, path: Path) -> Case:
    """A field of a wav header at one of its ends: channels, rate, bits, block, sizes."""
    made = clip(rng)
    while made.form != "WAV":
        made = clip(rng)
    content = bytearray(made.content)
    at = int(rng.choice([4, 16, 20, 22, 24, 28, 32, 34, 40]))
    size = 2 if at in (20, 22, 32, 34) else 4
    value = int(rng.choice([0, 1, 2, 7, 2 ** (8 * size) - 1, 2 ** (8 * size - 1)]))
    content[at : at + size] = value.to_bytes(size, "little")
    return Case(_write(path, "wav", bytes(content)), "extreme field")


def other_name(rng: np.random.Generator, path: Path) -> Case:
    """A sound under the ending of another format."""
    made = clip(rng)
    ending = str(rng.choice(["wav", "mp3", "flac", "ogg", "txt", "aiff"]))
    path = _write(path, ending, made.content)
    return Case(path, "other name", made.seconds, False, True, made.slack_seconds)


def no_sound(rng: np.random.Generator, path: Path) -> Case:
    """Text, noise, zeros, pictures, nothing."""
    contents = (
        b"",
        b"\0" * 3000,
        b"words and words\n" * 300,
        "Žluťoučký kůň\n".encode() * 100,
        rng.bytes(20000),
        b"\x89PNG\r\n\x1a\n" + rng.bytes(3000),
        b"\0\0\0 ftypM4A " + rng.bytes(3000),
        b"ID3" + rng.bytes(3000),
        b"RIFF" + rng.bytes(3000),
        b"OggS" + rng.bytes(3000),
        b"fLaC" + rng.bytes(3000),
    )
    content = contents[rng.integers(len(contents))]
    ending = str(rng.choice(["wav", "mp3", "flac", "ogg"]))
    return Case(_write(path, ending, content), "no sound", refused=True)


def odd_samples(rng: np.random.Generator, path: Path) -> Case:
    """Float samples that are no numbers, too large, constant, silent, opposite or few."""
    rate, frames = int(rng.choice(RATES)), int(rng.integers(4000, 60000))
    samples = sound(rng, frames, 2)
    kind = str(rng.choice(["nan", "inf", "integers", "offset", "opposite", "silent", "few"]))
    if kind in ("nan", "inf"):
        samples[int(rng.integers(frames)), 0] = float(kind)
    elif kind == "integers":
        samples *= float(rng.choice([100, 32767, 8e6, 2e9]))
    elif kind == "offset":
        samples += float(rng.uniform(-0.5, 0.5))
    elif kind == "opposite":
        samples[:, 1] = -samples[:, 0]
    elif kind == "silent":
        samples[:] = float(rng.choice([0, 0.3, 1e-6]))
    else:
        samples = samples[: int(rng.integers(1, 300))]
    path = _write(path, "wav", b"")
    soundfile.write(path, samples, rate, subtype="FLOAT")
    refused = kind in ("nan", "inf") or (None if kind == "few" else False)
    sounds = kind in ("integers", "offset", "opposite")
    return Case(path, f"odd samples: {kind}", len(samples) / rate, refused, sounds)


def _write(path: Path, ending: str, content: bytes) -> Path:
    path = path.with_suffix(f".{ending}")
    path.write_bytes(content)
    return path


MAKERS: tuple[Callable[[np.random.Generator, Path], Case], ...] = (
    whole, cut, stump, headless, mp3_without_first_frames, joined, flipped_header, flipped, holed,
    extreme_field, other_name, no_sound, odd_samples,
)  # fmt: skip


def cases(count: int, seed: int, folder: Path) -> Iterator[Case]:
    """Kinds take turns; each file has a generator of its own."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        yield MAKERS[number % len(MAKERS)](rng, folder / f"{number:04d}")


def make_models(folder: Path) -> Path:
    """Small untrained networks of all tasks."""
    for task in TASKS:
        network = network_of(task)
        write_bundle(folder, task, network, about_of(task, network, ratio=1.0))
    return folder


@contextmanager
def captured_stderr(path: Path) -> Iterator[None]:
    """Everything that reaches the terminal, libraries included, goes to a file."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(path, "wb") as stream:
            os.dup2(stream.fileno(), 2)
            usual, sys.stderr = sys.stderr, os.fdopen(os.dup(2), "w", errors="backslashreplace")
        yield
    finally:
        sys.stderr.close()
        sys.stderr = usual
        os.dup2(kept, 2)
        os.close(kept)


def complaint(case: Case, task: str, models: Path, folder: Path) -> str | None:
    """What `listen` does wrong with a file, None if nothing."""
    output, log, out = folder / "heard.jams", folder / "err.txt", StringIO()
    output.unlink(missing_ok=True)
    words = ["listen", str(case.path), "--task", task, "--models", str(models)]
    with captured_stderr(log), redirect_stdout(out):
        status = main([*words, "--output", str(output)])
    lines = log.read_text(errors="replace").splitlines()
    usual = (f"note: {case.path}: ", "error: ", f"{case.path.name}: ")  # the last one: progress
    strange = [line for line in lines if not line.startswith(usual)]
    errors = [line for line in lines if line.startswith("error: ")]
    said = " | ".join(lines)
    if strange or "report it" in said:
        return f"prints {said!r}"
    if status != (1 if errors else 0) or len(errors) > 1 or output.exists() != (not errors):
        return f"exit status {status}, {len(errors)} errors, output: {output.exists()}"
    if errors:
        if str(case.path) not in errors[0]:
            return f"does not name the file: {errors[0]!r}"
        return f"refused: {errors[0]}" if case.refused is False else None
    if case.refused:
        return f"heard although it must be refused: {out.getvalue()!r}"
    return _wrong_result(case, output, said)


def _wrong_result(case: Case, output: Path, said: str) -> str | None:
    duration = float(json.loads(output.read_text())["file_metadata"]["duration"])
    if case.sounds and "silent" in said:
        return f"called silent: {said!r}"
    if case.seconds is None:
        return None
    # Durations are written with four decimals.
    if abs(duration - case.seconds) > case.slack_seconds + 1e-4:
        return f"{duration:.4f} s heard of {case.seconds:.4f} s"
    if case.cut and duration < case.seconds - FRAME_SECONDS and case.path.suffix != ".mp3":
        told = [float(told) for told in re.findall(r"(\d+\.\d\d) (?:s: its|of \d)", said)]
        if not any(abs(value - duration) < 0.011 for value in told):
            return f"{duration:.2f} of {case.seconds:.2f} s without a word: {said!r}"
    return None


def run(count: int, seed: int, folder: Path) -> tuple[list[str], Counter[str], float]:
    """Complaints, how many files of each kind, and the longest time for one file in seconds."""
    models, complaints, kinds, longest = make_models(folder / "models"), [], Counter(), 0.0
    (folder / "files").mkdir()
    for number, case in enumerate(cases(count, seed, folder / "files")):
        task = TASKS[number // len(MAKERS) % len(TASKS)]
        began = time.monotonic()
        found = complaint(case, task, models, folder)
        longest = max(longest, time.monotonic() - began)
        kinds[case.kind] += 1
        if found:
            complaints.append(f"{case.path.name} ({case.kind}, {task}): {found}")
    return complaints, kinds, longest


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with tempfile.TemporaryDirectory() as place:
        begun = time.monotonic()
        wrong, counts, slowest = run(wanted, first, Path(place))
        seconds = time.monotonic() - begun
    for line in wrong:
        print(line)
    print(", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())))
    print(f"{wanted} files in {seconds:.0f} s, the slowest in {slowest:.1f} s; {len(wrong)} wrong")
    sys.exit(1 if wrong else 0)
