"""mirtrim listen from end to end: files, folders, formats, mistakes."""

import io
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import mir_eval
import numpy as np
import pandas as pd
import pretty_midi
import pytest

import mirtrim
from mirtrim.cli import listen, main
from mirtrim.cli.progress import Progress
from mirtrim.listening.bundle import write_bundle
from mirtrim.listening.shelf import bundles_in
from tests.cli.terminals import on_terminal
from tests.listening.samples import CHOICES, about_of, music, network_of, write

REAL_MODELS = Path(mirtrim.__file__).resolve().parents[2] / "results" / "default" / "models"
DENSE = {"pruning": {**CHOICES, "method": "dense"}, "ratio": 1.0, "target_ratio": 1.0}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Networks of all tasks, dense and 4 times smaller, and a song."""
    folder = tmp_path_factory.mktemp("made")
    models = folder / "results" / "default" / "models"
    for task in ("onset", "drums", "pitch", "chord", "instrument"):
        network = network_of(task)
        write_bundle(models, f"{task}-dense", network, about_of(task, network, **DENSE))
        write_bundle(models, f"{task}-4", network, about_of(task, network))
    (folder / "results" / "song.onset.csv").mkdir()
    write(folder / "song.wav", music(6, 11025), 11025)
    return folder


@pytest.fixture
def place(made, tmp_path, monkeypatch):
    """A working folder of its own with a copy of them."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    # Not the networks of the checkout.
    monkeypatch.setattr(mirtrim, "__file__", str(tmp_path / "src" / "mirtrim" / "__init__.py"))
    return tmp_path


def files_in(folder):
    return {path.name for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("drums", "song.drums.mid"),
        ("onset", "song.onset.csv"),
        ("pitch", "song.pitch.csv"),
        ("chord", "song.chord.lab"),
        ("instrument", "song.instrument.csv"),
    ],
)
def test_every_task_writes_its_usual_format_beside_the_song(place, capsys, task, name):
    assert main(["listen", "song.wav", "--task", task]) == 0
    assert files_in(place) == {"song.wav", name}
    printed = capsys.readouterr()
    assert printed.out.startswith("song.wav: ")
    assert printed.out.endswith(f" -> {name}\n")
    assert printed.err == ""
    if task == "drums":
        assert pretty_midi.PrettyMIDI(name).instruments[0].is_drum
    elif task == "chord":
        intervals, _ = mir_eval.io.load_labeled_intervals(name)
        assert intervals[0, 0] == 0
        assert intervals[-1, 1] == pytest.approx(6, abs=1e-3)
    elif task == "onset":
        assert len(mir_eval.io.load_events(name)) > 2
    elif task == "pitch":
        assert len(mir_eval.io.load_time_series(name, delimiter=",")[0]) > 2
    else:
        assert len(pd.read_csv(name, comment="#", header=None)) == 3


@pytest.mark.parametrize("task", ["drums", "onset", "pitch", "chord", "instrument"])
def test_every_task_writes_jams(place, task):
    jams = pytest.importorskip("jams", reason="the jams package is not installed")
    words = ["listen", "song.wav", "--task", task, "--ratio", "3", "--output", "new/out.jams"]
    assert main(words) == 0
    read = jams.load("new/out.jams", validate=True, strict=True)
    assert read.file_metadata.title == "song"
    tools = read.annotations[0].annotation_metadata.annotation_tools
    assert tools == f"mirtrim listen, network {task}-4"


def test_a_bad_file_stops_no_other(place, capsys):
    (place / "text.wav").write_text("words")
    write(place / "empty.wav", np.zeros(0), 8000)
    write(place / "silent.flac", np.zeros(9000), 8000)
    names = ["none.wav", "text.wav", "empty.wav", "silent.flac", "song.wav"]
    assert main(["listen", *names, "--task", "onset", "--output", "out"]) == 1
    assert files_in(place / "out") == {"silent.onset.csv", "song.onset.csv"}
    printed = capsys.readouterr()
    lines = printed.err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error"] * 3 + ["note"]
    for line, name in zip(lines, names, strict=False):
        assert name in line
    assert "silent below 4000 Hz, so no events" in lines[3]
    assert (place / "out" / "silent.onset.csv").read_text() == "# time_seconds\n"
    assert len(printed.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("song.wav --task cooking", "holds no network of task cooking; it holds chord, drums"),
        ("song.wav --task onset --ratio 8", "is 8 times smaller, only dense 1.0x, trim"),
        ("song.wav --task onset --ratio 0.5", "ratio 0.5: must be at least 1"),
        ("song.wav --task onset --format midi", "midi: task onset has no such format; it has csv"),
        ("song.wav --task onset --output a.lab", "lab: task onset has no such format"),
        ("song.wav --task onset --models none", "none: no such folder; check"),
        ("song.wav --task onset --models song.wav", "song.wav is not a folder; name one with"),
        (
            "song.wav --task onset --models results/default/models/onset-4",
            "results/default/models/onset-4 is a network; name its folder",
        ),
        ("song.wav --task onset --output other.wav", "other.wav: .wav is the ending of audio"),
        ("song.wav --task onset --output b.FLAC --format csv", ".FLAC is the ending of audio"),
        ("song.wav --task pitch --output a.MID --format csv", ".MID is the ending of midi, not of"),
        ("song.wav --task drums --output a.csv --format midi", ".csv is the ending of csv, not of"),
        ("song.wav --task drums --output a.txt", ".txt is the ending of no format; say which"),
        ("song.wav --task onset --output song.wav/a.csv", "song.wav: Not a directory; choose"),
        ("song.wav --task onset --output results", "results/song.onset.csv: Is a dir"),
        (f"song.wav --task onset --output {'x' * 300}.csv", "File name too long; choose a shorter"),
        (f"song.wav --task onset --output {'x' * 250}.csv", "File name too long; choose a shorter"),
        ("song.wav --task onset --output song.wav", "this is an input audio file"),
        ("song.wav b/song.wav --task onset --output out", "would both be written to out/song.on"),
        ("song.wav song.flac --task onset", "would both be written to song.onset.csv"),
        ("song.wav b.wav --task onset --output song.wav", "several files need a folder"),
        ("song.wav --task onset --output song.wav/", "/ stands for a folder, and this is a file"),
        ("gone.wav --task onset", "gone.wav: no such file"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(place, capsys, words, message):
    assert main(["listen", *words.split()]) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
    assert files_in(place) == {"song.wav"}


@pytest.mark.parametrize("name", ["a.midi", "a.MID", "a.Midi"])
def test_every_ending_of_midi_holds_midi(place, name):
    assert main(["listen", "song.wav", "--task", "pitch", "--output", name]) == 0
    assert (place / name).read_bytes()[:4] == b"MThd"


def test_an_unknown_ending_holds_what_is_asked_for(place):
    words = "listen song.wav --task drums --format csv --output a.txt"
    assert main(words.split()) == 0
    assert (place / "a.txt").read_text().startswith("# time_seconds,label\n")


def test_what_cannot_be_written_is_said_before_it_is_heard(place, capsys, monkeypatch):
    monkeypatch.setattr("mirtrim.listening.listen.listen", lambda *_: pytest.fail("was heard"))
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    assert main(["listen", "song.wav", "--task", "onset"]) == 1
    printed = capsys.readouterr().err
    assert printed == f"error: {place}: Permission denied; make it accessible and run again\n"
    assert files_in(place) == {"song.wav"}


def test_a_broken_file_leaves_what_was_there(place):
    write(place / "cut.flac", music(30, 8000), 8000)
    content = (place / "cut.flac").read_bytes()
    (place / "cut.flac").write_bytes(content[: len(content) // 2])
    (place / "cut.pitch.csv").write_text("old")
    assert main(["listen", "cut.flac", "--task", "pitch"]) == 1
    assert (place / "cut.pitch.csv").read_text() == "old"
    assert files_in(place) == {"song.wav", "cut.flac", "cut.pitch.csv"}


def test_networks_of_the_checkout_are_the_second_choice(place, monkeypatch, tmp_path):
    usual = Path("results/default/models")
    monkeypatch.setattr(mirtrim, "__file__", str(place / "src" / "mirtrim" / "__init__.py"))
    assert listen._shelf_of("onset") == usual
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert listen._shelf_of("onset") == place.resolve() / usual
    monkeypatch.setattr(mirtrim, "__file__", str(elsewhere / "a" / "b" / "__init__.py"))
    with pytest.raises(mirtrim.MirtrimError, match="holds no trained networks; run `snakemake"):
        listen._shelf_of("onset")


def test_networks_for_listening_are_the_first_choice(place, monkeypatch):
    """Where both have a network of the task; a task that only the others have is found there."""
    monkeypatch.setattr(mirtrim, "__file__", str(place / "src" / "mirtrim" / "__init__.py"))
    network = network_of("onset")
    first = Path("results/listening/models")
    write_bundle(first, "onset-better", network, about_of("onset", network, **DENSE))
    assert listen._shelf_of("onset") == first
    assert listen._shelf_of("chord") == Path("results/default/models")


def test_progress_on_a_terminal_and_in_a_log(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal, log = Terminal(), io.StringIO()
    bars = [Progress("a.wav", terminal), Progress("a.wav", log)]
    for done in range(0, 101, 10):
        for bar in bars:
            bar(done, 100)
        now[0] += 1.0
    for bar in bars:
        bar.clear()
    lines = terminal.getvalue().split("\r")
    assert lines[1] == "a.wav [........................]   0%"
    assert lines[6] == "a.wav [############............]  50%"
    assert lines[-1] == ""
    assert lines[-2].strip() == ""
    assert log.getvalue() == "a.wav: 50%\na.wav: 100%\n"


def test_without_optional_packages_it_says_what_to_install(place):
    code = (
        "import sys; sys.modules['soxr'] = None; from mirtrim.cli import main; "
        "sys.exit(main(['listen', 'song.wav', '--task', 'onset']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "error: listen needs the package soxr: pip install 'mirtrim[replicate]'\n"


@pytest.mark.skipif(
    not bundles_in(REAL_MODELS), reason="no trained networks: run `snakemake models`"
)
def test_the_trained_network_hears_planted_clicks(tmp_path):
    rate, times = 44100, np.arange(0.5, 9.5, 0.5)
    rng = np.random.default_rng(0)
    samples = 1e-4 * rng.standard_normal(10 * rate)
    stroke = np.exp(-np.arange(rate // 10) / (0.02 * rate))
    for time in times:
        start = int(time * rate)
        samples[start : start + len(stroke)] += 0.5 * stroke * rng.standard_normal(len(stroke))
    path = write(tmp_path / "clicks.wav", samples, rate)
    words = ["listen", str(path), "--task", "onset", "--models", str(REAL_MODELS), "--force"]
    assert main(words) == 0
    found = mir_eval.io.load_events(str(tmp_path / "clicks.onset.csv"))
    _, precision, recall = mir_eval.onset.f_measure(times, found, window=0.05)
    assert recall > 0.9
    # Bursts of noise are no drums; windows around them fill 0.18 of the time.
    assert precision > 0.36


def test_the_printed_line_names_the_network(place, capsys):
    assert main(["listen", "song.wav", "--task", "onset", "--ratio", "3"]) == 0
    printed = capsys.readouterr()
    folder = Path("results/default/models")
    assert f"(network onset-4, ratio 4.25, {folder}) -> " in printed.out
    assert printed.err == ""


@pytest.mark.parametrize("words", ["", " --ratio 1"])
def test_another_network_than_the_dense_one_is_not_taken_silently(place, capsys, words):
    usual = ["listen", "song.wav", "--task", "drums"]
    folder = place / "results" / "default" / "models"
    for path in folder.glob("drums-dense*"):
        path.unlink()
    assert main(f"listen song.wav --task drums{words}".split()) == 0
    printed = capsys.readouterr()
    assert "(network drums-4, ratio 4.25, " in printed.out
    assert "holds no dense network of task drums; network drums-4, ratio 4.25" in printed.err
    assert main([*usual, "--ratio", "4", "--output", "new.mid"]) == 0
    assert capsys.readouterr().err == ""


def test_a_slash_at_the_end_is_a_folder(place):
    assert main(["listen", "song.wav", "--task", "onset", "--output", "out/"]) == 0
    assert files_in(place / "out") == {"song.onset.csv"}
    assert main(["listen", "song.wav", "--task", "onset", "--output", "out.csv/"]) == 0
    assert files_in(place / "out.csv") == {"song.onset.csv"}


def test_what_is_replaced_is_said(place, capsys):
    for said in (False, True):
        assert main(["listen", "song.wav", "--task", "onset"]) == 0
        note = "note: song.wav: song.onset.csv already existed and is replaced\n"
        assert capsys.readouterr().err == (note if said else "")


def test_links_and_pipes_stay_what_they_are(place, capsys):
    (place / "deep").mkdir()
    (place / "link.csv").symlink_to("deep/real.csv")
    os.mkfifo(place / "pipe.csv")
    reader = subprocess.Popen(["cat", str(place / "pipe.csv")], stdout=subprocess.PIPE, text=True)
    assert main(["listen", "song.wav", "--task", "onset", "--output", "link.csv"]) == 0
    assert main(["listen", "song.wav", "--task", "onset", "--output", "pipe.csv"]) == 0
    assert (place / "link.csv").is_symlink()
    content = (place / "deep" / "real.csv").read_text()
    assert content.startswith("# time_seconds\n0.")
    assert (place / "pipe.csv").is_fifo()
    assert reader.communicate(timeout=60)[0] == content
    assert main(f"listen song.wav --task onset --output {os.devnull}".split()) == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_names_that_a_terminal_cannot_show(place, encoding):
    names = ["sõng→♯.wav", os.fsdecode(b"s\xe9ng.wav"), "song.wav"]
    for name in names[:2]:
        shutil.copy(place / "song.wav", place / name)
    words = ["listen", "gone→.wav", *names, "--task", "instrument"]
    status, out, err = on_terminal(encoding, *words)
    assert status == 1
    assert len(out.splitlines()) == 3
    assert err.count(b"\n") == 1
    assert b"no such file" in err
    for name in names:
        assert (place / f"{Path(name).stem}.instrument.csv").exists()
    assert on_terminal(encoding, *words, "--format", "jams")[0] == 1


def test_whatever_one_file_does_the_others_are_heard(place, capsys, monkeypatch):
    write(place / "bad.wav", music(3, 8000), 8000)
    from mirtrim.listening import listen as listening

    usual = listening.listen

    def fails(path, *rest):
        if path.name == "bad.wav":
            raise ZeroDivisionError("float\ndivision")
        return usual(path, *rest)

    monkeypatch.setattr(listening, "listen", fails)
    assert main(["listen", "bad.wav", "song.wav", "--task", "onset"]) == 1
    printed = capsys.readouterr()
    assert printed.err == (
        "error: bad.wav: cannot be analysed (ZeroDivisionError: float division); please report it\n"
    )
    assert printed.out.startswith("song.wav: ")


def test_a_reader_that_has_enough(place):
    command = f"{sys.executable} -m mirtrim.cli listen song.wav song.wav --task onset | true"
    done = subprocess.run(
        ["bash", "-c", command + '; echo "${PIPESTATUS[0]}"'],
        cwd=place, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() in ("0", "141")
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
