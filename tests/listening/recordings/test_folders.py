"""Plain files beside recordings: what is read, and one line for whatever is wrong."""

import numpy as np
import pytest

from mirtrim.listening.recordings.folders import annotated_files
from mirtrim.listening.recordings.truth import ClassTruth, drum_class
from mirtrim.utils.errors import CorpusError
from tests.listening.samples import music, write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "a.wav", music(2, 8000), 8000)
    return tmp_path


def only(folder, task, kind):
    (one,) = annotated_files(folder, task, kind)
    return one.truth()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "onset_seconds,midi_pitch\n1.5,60\n0.25,62\n"),
        ("a.txt", "0.25\n\n# a remark\n1.5\n"),
        ("a.tsv", "0.25\tKD\n1.5\tSD\n"),
        ("a.lab", "0.25 x\n1.5 y\n"),
        ("a.csv", "\ufeff0.25;1\n1.5;2\n"),
    ],
)
def test_onsets(folder, name, text):
    (folder / name).write_text(text, encoding="utf-8")
    assert only(folder, "onset", "events").times.tolist() == [0.25, 1.5]


@pytest.mark.parametrize(
    ("task", "kind", "text", "message"),
    [
        ("onset", "events", "0,512\n0,734\n1,250\n", "line 1: 0,512 looks like a decimal comma"),
        ("onset", "events", "time\n1\n1,5\n", "line 3: decimal comma in 1,5; write 1.5"),
        ("onset", "events", "0,5\n1\n", "line 1: 0,5 looks like a decimal comma; write 0.5, or"),
        ("onset", "events", "0,512;1\n0,734;1\n", "line 1: decimal comma in 0,512; write 0.512"),
        ("onset", "events", "0,512 1\n0,734 1\n", "line 1: decimal comma in 0,512; write 0.512"),
        ("onset", "events", "0,512\tx, y\n", "line 1: decimal comma in 0,512; write 0.512"),
        ("onset", "events", "0.5;1\n,75;1\n", "line 2: decimal comma in ,75; write .75"),
        ("drums", "events", "0,512;kick\n", "line 1: decimal comma in 0,512; write 0.512"),
        ("drums", "events", "0,512,kick\n", "line 1: 0,512 looks like a decimal comma; write"),
        ("pitch", "pitch", "0,01,220,5\n0,02,221,5\n", "line 1: 0,01 looks like a decimal comma"),
        ("pitch", "pitch", "0.01;220,5\n", "line 1: decimal comma in 220,5; write 220.5"),
        ("chord", "chords", "0,0 1,26 C\n", "line 1: decimal comma in 0,0; write 0.0"),
        ("chord", "chords", "0,0,1,26,C\n", "line 1: 0,0 looks like a decimal comma"),
    ],
)  # fmt: skip
def test_decimal_commas_are_refused(folder, task, kind, text, message):
    (folder / "a.txt").write_text(text)
    with pytest.raises(CorpusError) as caught:
        only(folder, task, kind)
    assert str(caught.value).startswith(f"{folder / 'a.txt'}: {message}")


@pytest.mark.parametrize(
    ("task", "kind", "text"),
    [
        ("drums", "events", "1,36\n2,38\n"),
        ("drums", "events", "1,36,0.5\n2,38,0.25\n"),
        ("drums", "events", "1 , kick\n2 , snare\n"),
        ("drums", "events", "1;bass drum;x,y\n2;snare\n"),
        ("onset", "events", "time (s), pitch\n1\t60\n2\t62\n"),
        ("onset", "events", "1.0,60\n2.0,62\n"),
        ("chord", "chords", "1,2,C\n2,3,G:maj\n"),
        ("chord", "chords", "1 2\tC\n2 3\tG\n"),
    ],
)
def test_whole_seconds_are_no_decimal_commas(folder, task, kind, text):
    (folder / "a.txt").write_text(text)
    truth = only(folder, task, kind)
    times = truth.intervals[:, 0] if kind == "chords" else truth.times
    assert times.tolist() == [1, 2]


def test_drums(folder):
    (folder / "a.txt").write_text(
        "0.010000 \t KD \n0.57 \t SD\n0.57\t42\n1.1\tOT\n1.2\tTT\n1.3\tride\n"
    )
    truth = only(folder, "drums", "events")
    assert truth.labels == ("kick", "snare", "hihat", "other", "tom", "cymbal")
    assert drum_class("Bass Drum") == "kick"
    assert drum_class("triangle") is None
    assert drum_class("3") is None


def test_all_drum_pitches_of_general_midi_are_known(folder):
    (folder / "a.csv").write_text("\n".join(f"{pitch}.5,{pitch}" for pitch in range(35, 82)))
    truth = only(folder, "drums", "events")
    pitches = (truth.times - 0.5).astype(int)
    named = {name: pitches[np.array(truth.labels) == name].tolist() for name in set(truth.labels)}
    assert named["kick"] == [35, 36]
    assert named["snare"] == [37, 38, 40]
    assert named["tom"] == [41, 43, 45, 47, 48, 50]
    assert named["hihat"] == [42, 44, 46]
    assert named["cymbal"] == [49, 51, 52, 53, 55, 57, 59]
    assert named["other"] == [39, 54, 56, 58, *range(60, 82)]
    # No pitches of General MIDI, though some electronic kits have strokes there.
    assert {drum_class(pitch) for pitch in ("22", "26", "34", "82")} == {None}


def test_f0_and_chords(folder):
    (folder / "a.csv").write_text("0.0,0\n0.01,220.5\n0.02,-3\n")
    assert only(folder, "pitch", "pitch").frequency_hz.tolist() == [0, 220.5, 0]
    (folder / "a.csv").unlink()
    (folder / "a.lab").write_text("0.0\t1.26\tN\n1.26\t2.0\tC:min7\n")
    truth = only(folder, "chord", "chords")
    assert truth.labels == ("N", "C:min7")
    assert truth.intervals.tolist() == [[0, 1.26], [1.26, 2.0]]


@pytest.mark.parametrize(
    "text",
    [
        "0.0 1.0 C:(3,5)\n1.0 2.0 G:maj\n",
        "0.0\t1.0\tC:(3,5)\n1.0\t2.0\tG:maj\n",
        'start,end,chord\n0.0, 1.0, "C:(3,5)"\n1.0, 2.0, G:maj\n',
        "0.0;1.0;C:(3,5)\n1.0;2.0;G:maj\n",
    ],
)
def test_commas_in_chords(folder, text):
    (folder / "a.lab").write_text(text)
    assert only(folder, "chord", "chords").labels == ("C:(3,5)", "G:maj")


def test_a_note_sounds_where_it_is_loud(tmp_path):
    tone = np.concatenate([np.zeros(8000), 0.5 * np.sin(np.arange(8000)), np.zeros(8000)])
    write(tmp_path / "n.wav", tone, 8000)
    (tmp_path / "notes.csv").write_text("file,instrument,midi_pitch\nn.wav,flute,69\n")
    truth = only(tmp_path, "pitch", "pitch")
    sounds = truth.times[truth.frequency_hz > 0]
    assert set(truth.frequency_hz) == {0.0, 440.0}
    assert sounds[0] == pytest.approx(1.0, abs=0.04)
    assert sounds[-1] == pytest.approx(2.0, abs=0.04)


def test_a_table_of_classes(folder):
    write(folder / "b.flac", music(1, 8000), 8000)
    (folder / "clips.csv").write_text('file,Instrument\nb.flac,flute\na.wav,"piano"\n')
    found = annotated_files(folder, "instrument", "classes")
    assert [(one.name, one.truth()) for one in found] == [
        ("a.wav", ClassTruth("piano")), ("b.flac", ClassTruth("flute")),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("task", "kind", "name", "text", "message"),
    [
        ("onset", "events", "b.csv", "0.1", "a.wav: one annotation of the same name"),
        ("onset", "events", "a.csv", "onsets\n", "a.csv: line 1: 'onsets' is not a number"),
        ("onset", "events", "a.csv", "0.1\nsoon\n", "a.csv: line 2: 'soon' is not a number"),
        ("onset", "events", "a.csv", "0.1\nnan\n", "a.csv: line 2: 'nan' is not a number"),
        ("drums", "events", "a.csv", "O.512,kick\n0.7,snare\n", "line 1: 'O.512' is not a num"),
        ("onset", "events", "a.csv", ",time\n0,0.5\n", "a.csv: line 1: '' is not a number"),
        ("onset", "events", "a.csv", "NaN\n0.5\n", "a.csv: line 1: 'NaN' is not a number"),
        ("chord", "chords", "a.lab", "start 1.0 C\n1 2 G\n", "a.lab: line 1: 'start' is not a num"),
        ("onset", "events", "a.csv", '0.5,"kick\n0.7,snare\n0.9,kick\n', "line 1: a quoted cell"),
        ("drums", "events", "a.csv", '0.5,kick\n0.7,"snare" 1\n', "line 2: a quoted cell"),
        ("instrument", "classes", "c.csv", 'file,label\na.wav,"x\n', "line 2: a quoted cell"),
        ("onset", "events", "a.csv", "-1\n", "a.csv: line 1: -1 s is before the recording"),
        ("drums", "events", "a.txt", "0.1\n", "a.txt: line 1: a second column"),
        ("drums", "events", "a.txt", "0.1 spoon\n", "a.txt: line 1: 'spoon' is not a drum; known"),
        ("pitch", "pitch", "a.csv", "0.1,5\n0.1,5\n", "a.csv: line 2: 0.1 s does not follow"),
        ("pitch", "pitch", "a.csv", "0.1\n0.2\n", "a.csv: line 1: seconds and Hz are needed"),
        ("pitch", "pitch", "a.csv", "0.1,5\n", "a.csv: has 1 values of f0"),
        ("pitch", "pitch", "n.csv", "file,midi_pitch\na.wav,200\n", "200 is not a MIDI pitch"),
        ("pitch", "pitch", "n.csv", "file,pitch\na.wav,20\n", "n.csv: has no column midi_pitch"),
        ("chord", "chords", "a.lab", "0 1 C\n0.5 2 G\n", "a.lab: line 2: 0.5 to 2 s overlaps"),
        ("chord", "chords", "a.lab", "0 1 Do\n", "a.lab: line 1: 'Do' is not a chord label"),
        ("chord", "chords", "a.lab", "0 1\n", "a.lab: line 1: start, end and label"),
        ("instrument", "classes", "a.csv", "0.1,5\n", "holds no table whose first column is"),
        ("instrument", "classes", "c.csv", "file,name\na.wav,x\n", "has no column label or class"),
        ("instrument", "classes", "c.csv", "file,label\nz.wav,x\n", "z.wav is missing; add it"),
        ("instrument", "classes", "c.csv", "file,label\na.wav\n", "line 2 has 1 cells"),
        ("instrument", "classes", "c.csv", "file,label\na.wav,\n", "column label is empty"),
        ("instrument", "classes", "c.csv", "file,label\na.wav,x\na.wav,y\n", "occurs twice"),
        ("instrument", "classes", "c.csv", "file,label\n", "has no line for a.wav"),
    ],
)  # fmt: skip
def test_whatever_is_wrong_is_one_line(folder, task, kind, name, text, message):
    (folder / name).write_text(text)
    with pytest.raises(CorpusError) as caught:
        [one.truth() for one in annotated_files(folder, task, kind)]
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_else_lies_in_a_folder(folder):
    (folder / "a.csv").write_text("0.5\n")
    for name in ("._a.wav", "._a.csv", ".a.txt"):
        (folder / name).write_bytes(b"\0\5\26\7\xff")
    (folder / "README.txt").write_bytes("Pi\xe8ces, 2 kits\n".encode("latin-1"))
    (folder / "notes.txt").write_text("recorded on Monday,\nwith 2 microphones\n")
    (folder / "empty.txt").write_text("# nothing\n")
    (folder / "list.csv").write_text("file name,day\na.wav,Monday\n")
    assert only(folder, "onset", "events").times.tolist() == [0.5]
    (folder / "clips.csv").write_text("file,label\na.wav,piano\n")
    assert only(folder, "onset", "events").times.tolist() == [0.5]
    assert only(folder, "instrument", "classes") == ClassTruth("piano")
    (folder / "b.csv").write_text("0.75\n")
    with pytest.raises(CorpusError, match=r"b\.csv: is an annotation without a recording"):
        annotated_files(folder, "onset", "events")


def test_letters_parted_from_their_accents_are_the_same(tmp_path):
    parted, whole = "e\u0301.wav", "\u00e9.wav"
    write(tmp_path / parted, music(1, 8000), 8000)
    (tmp_path / "clips.csv").write_text(f"file,label\n{whole},piano\n", encoding="utf-8")
    (one,) = annotated_files(tmp_path, "instrument", "classes")
    assert (one.name, one.audio.name) == (whole, parted)
    (tmp_path / "\u00e9.txt").write_text("0.5\n")
    assert only(tmp_path, "onset", "events").times.tolist() == [0.5]
    write(tmp_path / whole, music(1, 8000), 8000)
    with pytest.raises(CorpusError, match="another recording has this name too"):
        annotated_files(tmp_path, "instrument", "classes")


def test_a_table_in_another_encoding_is_named(folder):
    for encoding in ("utf-16", "latin-1"):
        (folder / "clips.csv").write_bytes("file,label\na.wav,fl\xfbte\n".encode(encoding))
        with pytest.raises(CorpusError, match=r"clips\.csv: is not UTF-8 text"):
            annotated_files(folder, "instrument", "classes")


def test_folders_that_cannot_be(tmp_path, folder):
    with pytest.raises(CorpusError, match="nowhere: no such folder"):
        annotated_files(tmp_path / "nowhere", "onset", "events")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="empty: holds no recording"):
        annotated_files(tmp_path / "empty", "onset", "events")
    (folder / "a.csv").write_text("0.1")
    (folder / "a.txt").write_text("0.1")
    with pytest.raises(CorpusError, match=r"two annotations, a\.csv and a\.txt"):
        annotated_files(folder, "onset", "events")
    (folder / "a.txt").write_bytes(b"\xff\xfe0")
    (folder / "a.csv").unlink()
    with pytest.raises(CorpusError, match=r"a\.txt: is not UTF-8 text"):
        only(folder, "onset", "events")
