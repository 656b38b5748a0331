"""Annotations that cannot be those of a recording are named, in one line."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from mirdata.datasets import beatles, four_way_tabla

from mirtrim.corpora.annotations.checks import check_mostly_inside, check_times, inside
from mirtrim.corpora.annotations.chords import chord_annotation
from mirtrim.corpora.annotations.f0 import f0_annotation
from mirtrim.corpora.annotations.onsets import onset_times
from mirtrim.corpora.reader import chosen
from mirtrim.corpora.splits import TrackRow
from mirtrim.utils.errors import CorpusError

TRACK = SimpleNamespace(track_id="piece")


@pytest.mark.parametrize(("wrong", "said"), [(np.nan, "nan"), (np.inf, "inf"), (-0.5, "-0.5")])
def test_times_that_are_none(wrong, said):
    with pytest.raises(CorpusError, match=rf"track piece: onset 2 is at {said} s; correct"):
        check_times(TRACK, np.array([0.5, wrong, 1.0]), "onset")
    check_times(TRACK, np.zeros(0), "onset")


def test_events_behind_the_end():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert inside(TRACK, np.array([0.0, 2.9, 3.4]), "events", 3.0).all()
        assert inside(TRACK, np.zeros(0), "events", 3.0).shape == (0,)
    message = "track piece: 1 of 2 events lie behind the end of its recording, the last at 99.000 s"
    with pytest.warns(UserWarning, match=message):
        assert inside(TRACK, np.array([1.0, 99.0]), "events", 3.0).tolist() == [True, False]
    with pytest.raises(CorpusError, match=r"99\.000 s of 3\.000 s; are the times in seconds"):
        inside(TRACK, np.array([99.0]), "events", 3.0)


def test_an_annotation_of_something_else():
    check_mostly_inside(TRACK, np.array([[0.0, 300.0]]), "chords", 244.0)
    with pytest.raises(CorpusError, match=r"annotation of chords goes on to 3000\.000 s, but"):
        check_mostly_inside(TRACK, np.array([[0.0, 1000.0], [1000, 3000]]), "chords", 3.0)


def f0_track(times, hertz):
    f0 = SimpleNamespace(times=np.array(times), frequencies=np.array(hertz))
    return SimpleNamespace(track_id="song", f0=f0)


@pytest.mark.parametrize(
    ("times", "hertz", "said"),
    [
        ([], [], "its f0 has 0 times and 0 values"),
        ([0.0], [220.0], "its f0 has 1 times"),
        ([0.0, 0.1], [220.0], "its f0 has 2 times and 1 values"),
        ([0.0, np.nan], [220.0, 220.0], "f0 value 2 is at nan s"),
        ([0.0, 0.1], [220.0, np.nan], r"its f0 at 0\.100 s is nan"),
        ([0.0, 0.1], [np.inf, 0.0], r"its f0 at 0\.000 s is inf"),
        ([0.0, 0.2, 0.2], [1.0, 1, 1], r"its f0 at 0\.200 s does not follow that at 0\.200 s"),
        ([0.3, 0.2], [1.0, 1], r"its f0 at 0\.200 s does not follow that at 0\.300 s"),
    ],
)
def test_f0_that_is_none(times, hertz, said):
    with pytest.raises(CorpusError, match=f"track song: {said}"):
        f0_annotation(f0_track(times, hertz))


def test_f0_that_is_missing_or_breaks_its_parser():
    with pytest.raises(CorpusError, match="track song: its f0 cannot be read"):
        f0_annotation(SimpleNamespace(track_id="song", f0=None))


@pytest.mark.parametrize("content", ["", "\n", " \n\n"])
def test_an_empty_lab_is_named(tmp_path, content):
    path = tmp_path / "song.lab"
    path.write_text(content)

    class Track:
        track_id = "song"

        def __init__(self):
            self.chords_path = str(path)

        @property
        def chords(self):
            return beatles.load_chords(self.chords_path)

    with pytest.raises(CorpusError, match=r"track song: .*song\.lab is empty; fetch or write"):
        chord_annotation(Track(), "played")


def test_chords_at_no_time():
    intervals = np.array([[0.0, 1.0], [1.0, np.nan]])
    chords = SimpleNamespace(intervals=intervals, labels=["C", "G"])
    with pytest.raises(CorpusError, match="track song: chord boundary 4 is at nan s"):
        chord_annotation(SimpleNamespace(track_id="song", chords=chords), "played")


def test_an_onset_that_is_no_number(tmp_path):
    """As mirdata's own loader reads it."""
    path = tmp_path / "t.onsets"
    path.write_text("0.5\nnan\n1.5\n")

    class Track:
        track_id = "t"
        onsets_b = onsets_rb = onsets_rt = None
        onsets_b_path = str(path)

        @property
        def onsets_d(self):
            return four_way_tabla.load_onsets(str(path))

    with pytest.raises(CorpusError, match=r"track t: (onset 2 is at nan s|its onsets cannot be)"):
        onset_times(Track())


def test_too_few_sources_are_named():
    settings = {"minimum_seconds": 0, "train_share": 1, "seed": 0}
    rows = [
        TrackRow(f"{source}{number}", split, source, 3.0)
        for source, split in (("ann", "train"), ("bob", "validation"))
        for number in range(3)
    ]
    message = r"6 tracks of 2 sources \(ann, bob\) leave the split test empty; three sources"
    with pytest.raises(CorpusError, match=message):
        chosen(rows, settings)
    rows.append(TrackRow("c", "test", "cid", 1.0))
    with pytest.raises(CorpusError, match="no test track lasts 2 s; lower `minimum_seconds`"):
        chosen(rows, {**settings, "minimum_seconds": 2})
