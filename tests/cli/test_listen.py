"""mirtrim listen from end to end: files, folders, formats, mistakes."""

import io
import os
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
from tests.listening.samples import CHOICES, about_of, music, network_of, write

REAL_MODELS = Path(mirtrim.__file__).resolve().parents[2] / "results" / "default" / "models"
DENSE = {"choices": {**CHOICES, "method": "dense"}, "ratio": 1.0, "ratio_asked": 1.0}


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty working folder with networks of all tasks, dense and 4 times smaller."""
    monkeypatch.chdir(tmp_path)
    for task in ("onset", "drums", "pitch", "chord", "instrument"):
        network = network_of(task)
        folder = tmp_path / "results" / "default" / "models"
        write_bundle(folder, f"{task}-dense", network, about_of(task, network, **DENSE))
        write_bundle(folder, f"{task}-4", network, about_of(task, network))
    write(tmp_path / "song.wav", music(6, 11025), 11025)
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
    else:
        assert len(pd.read_csv(name)) > 2


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
    assert (place / "out" / "silent.onset.csv").read_text() == "time_seconds,label,confidence\n"
    assert len(printed.out.splitlines()) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("song.wav --task cooking", "holds no network of task cooking; it holds chord, drums"),
        ("song.wav --task onset --ratio 8", "none that is 8 times smaller, only dense 1.0x, trim"),
        ("song.wav --task onset --ratio 0.5", "ratio 0.5: must be at least 1"),
        ("song.wav --task onset --format midi", "midi: task onset has no such format; it has csv"),
        ("song.wav --task onset --output a.lab", "lab: task onset has no such format"),
        ("song.wav --task onset --models none", "none holds no network of task onset"),
        ("song.wav --task onset --output song.wav", "that is an audio file to listen to"),
        ("song.wav b/song.wav --task onset --output out", "would both be written to out/song.on"),
        ("song.wav song.flac --task onset", "would both be written to song.onset.csv"),
        ("song.wav b.wav --task onset --output song.wav", "several files need a folder"),
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


def test_the_format_wins_over_the_ending(place):
    words = "listen song.wav --task drums --format csv --output a.mid"
    assert main(words.split()) == 0
    assert (place / "a.mid").read_text().startswith("time_seconds,")


def test_a_broken_file_leaves_what_was_there(place):
    write(place / "cut.flac", music(30, 8000), 8000)
    content = (place / "cut.flac").read_bytes()
    (place / "cut.flac").write_bytes(content[: len(content) // 2])
    (place / "cut.pitch.csv").write_text("old")
    assert main(["listen", "cut.flac", "--task", "pitch"]) == 1
    assert (place / "cut.pitch.csv").read_text() == "old"
    assert files_in(place) == {"song.wav", "cut.flac", "cut.pitch.csv"}


def test_networks_of_the_checkout_are_the_second_choice(place, monkeypatch, tmp_path):
    assert listen._models_folder() == Path("results/default/models")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(mirtrim, "__file__", str(place / "src" / "mirtrim" / "__init__.py"))
    assert listen._models_folder() == place.resolve() / "results" / "default" / "models"
    monkeypatch.setattr(mirtrim, "__file__", str(elsewhere / "a" / "b" / "__init__.py"))
    with pytest.raises(mirtrim.MirtrimError, match="holds no trained networks; run `snakemake"):
        listen._models_folder()


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
    assert main(["listen", str(path), "--task", "onset", "--models", str(REAL_MODELS)]) == 0
    found = pd.read_csv(tmp_path / "clicks.onset.csv").time_seconds.to_numpy()
    _, precision, recall = mir_eval.onset.f_measure(times, found, window=0.05)
    assert recall > 0.9
    # Bursts of noise are no drums; windows around them fill 0.18 of the time.
    assert precision > 0.36
