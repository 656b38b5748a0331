"""A description that cannot be listened with is named, and not the audio file."""

import json
from copy import deepcopy

import pytest

from mirtrim.cli import main
from mirtrim.listening.about import read_description
from mirtrim.listening.needs import problem_of_hearing
from mirtrim.listening.runtime import open_listener
from mirtrim.utils.errors import ArtefactError

from .samples import DECODING, SETTINGS, music, write

KINDS = {
    "onset": "events", "drums": "events", "pitch": "pitch", "chord": "chords",
    "instrument": "classes",
}  # fmt: skip
FORMATS = {"events": "csv", "pitch": "midi", "chords": "lab", "classes": "jams"}


def said(task):
    """What of a description is needed to listen."""
    decoding = DECODING[task]
    kind = KINDS[task]
    names = [name.removeprefix("threshold_") for name in decoding] if kind == "events" else []
    return {
        "manner": {"kind": kind, "formats": [FORMATS[kind]], "detectors": names},
        "features": deepcopy(SETTINGS[task]["features"]),
        "decoding": dict(decoding),
        "statistics": {"mean": [-4.0] * 8, "deviation": [2.0] * 8} if kind == "events" else {},
    }


@pytest.mark.parametrize("task", KINDS)
def test_what_is_right_is_no_problem(task):
    assert problem_of_hearing(said(task)) is None


WRONG = [
    ("onset", "features.hop", 400.5, "400.5 is not a whole number above 0"),
    ("onset", "features.hop", True, "True is not a whole number above 0"),
    ("onset", "features.hop", 10**9, "samples from answer to answer are too many at 8000 Hz"),
    ("onset", "features.hop", 513, "513 is more than window, 512"),
    ("onset", "features.sample_rate", 22050.5, "22050.5 is not a whole number above 0"),
    ("onset", "features.sample_rate", 10**9, "1000000000 is not a sample rate"),
    ("onset", "features.lowest_hz", None, "None is not a number from 0 on"),
    ("onset", "features.lowest_hz", -1, "-1 is not a number from 0 on"),
    ("onset", "features.lowest_hz", 1e6, "1000000.0 is not below highest_hz, 4000"),
    ("onset", "features.highest_hz", float("nan"), "nan is not a number above 0"),
    ("onset", "features.highest_hz", 10**400, "is not a number above 0"),
    ("chord", "features.bins", 10**400, "is not a whole number above 0"),
    ("onset", "features.window", 1, "1 samples at 8000 Hz tell no frequency between 20 and 4000"),
    ("onset", "features.window_frames", 1, "1 is less than 2"),
    ("onset", "decoding.threshold_onset", 7, "7 is not a number from 0 to 1"),
    ("onset", "statistics.deviation", [0.0] * 8, "0.0 is not above 0"),
    ("onset", "statistics.deviation", [1.0, "2"] * 4, "8 numbers for 8 columns"),
    ("onset", "manner.formats", [1], "1 is not one of midi, csv, jams"),
    ("onset", "manner.detectors", [], "[] must be 1 different names or more"),
    ("drums", "manner.detectors", ["kick", "kick"], "must be 1 different names or more"),
    ("drums", "manner.detectors", [3], "[3] is not a list of names"),
    ("drums", "decoding.threshold_snare", "0.5", "'0.5' is not a number from 0 to 1"),
    ("pitch", "features.hop", 96, "96 does not divide frame_samples, 256"),
    ("pitch", "features.frame_samples", 256.0, "256.0 is not a whole number above 0"),
    ("pitch", "decoding.threshold", None, "None is not a number from 0 to 1"),
    ("pitch", "manner.formats", ["midi", "lab"], "'lab' is not one of midi, csv, jams"),
    ("chord", "features.bins", 1000, "1000 bins from 55 Hz on do not lie between 1 and 4000 Hz"),
    ("chord", "features.lowest_hz", 1e6, "do not lie between 1 and 4000 Hz"),
    ("chord", "features.lowest_hz", 1e-6, "do not lie between 1 and 4000 Hz"),
    ("chord", "features.gain", 0, "0 is not a number above 0"),
    ("chord", "features.score_every_frames", 1.5, "1.5 is not a whole number above 0"),
    ("chord", "decoding.change_penalty", -1, "-1 is not a number from 0 on"),
    ("instrument", "features.window_samples", 2048.5, "2048.5 is not a whole number above 0"),
    ("instrument", "features.silence_db", -40, "-40 is not a number above 0"),
    ("instrument", "features.classes", "flute", "'flute' is not a list of names"),
    ("instrument", "features.classes", ["a"], "must be 2 different names or more"),
    ("instrument", "decoding.sure_from", "x", "'x' is not a number from 0 to 1"),
]


@pytest.mark.parametrize(("task", "key", "value", "message"), WRONG)
def test_what_cannot_be_is_named(task, key, value, message):
    content = said(task)
    part, name = key.split(".")
    content[part][name] = value
    problem = problem_of_hearing(content)
    assert problem is not None
    assert problem.startswith(f"{part}.")
    assert message in problem


def test_bands_above_half_the_rate_hold_no_frequency():
    content = said("onset")
    content["features"].update(window=1, highest_hz=9000)
    assert "tell no frequency between 20 and 9000 Hz" in problem_of_hearing(content)


def rewritten(bundle, part, **values):
    path = bundle.path.with_name(f"{bundle.path.name}.model.json")
    content = json.loads(path.read_text())
    content[part].update(values)
    path.write_text(json.dumps(content))


def test_listening_blames_the_description(make_bundle, tmp_path, capsys):
    rewritten(make_bundle("onset"), "features", hop=400.5)
    song = write(tmp_path / "song.wav", music(2, 8000), 8000)
    words = ["listen", str(song), "--task", "onset", "--models", str(tmp_path / "models")]
    assert main(words) != 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "onset.model.json: features.hop: 400.5 is not a whole number above 0; collect" in line
    assert "song" not in line
    assert not list(tmp_path.glob("song.*.*"))


@pytest.mark.parametrize(("part", "values"), [("manner", {"says": 3}), ("manner", {"limits": [3]})])
def test_words_are_words(make_bundle, part, values):
    bundle = make_bundle("pitch")
    rewritten(bundle, part, **values)
    with pytest.raises(ArtefactError, match="manner: does not say how to listen"):
        read_description(bundle.path)


@pytest.mark.parametrize(
    ("task", "part", "values"),
    [
        ("instrument", "features", {"classes": ["a", "b"]}),
        ("drums", "manner", {"detectors": ["kick", "snare"]}),
    ],
)
def test_there_are_as_many_names_as_outputs(make_bundle, task, part, values):
    bundle = make_bundle(task)
    rewritten(bundle, part, **values)
    with pytest.raises(ArtefactError, match="3 outputs, that has 2 names"):
        open_listener(bundle.path)
