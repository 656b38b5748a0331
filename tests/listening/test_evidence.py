"""What has been measured on recordings decides which networks are offered."""

import pandas as pd
import pytest

from mirtrim.cli import main
from mirtrim.listening.about import read_description
from mirtrim.listening.card import write_cards
from mirtrim.listening.evidence import TABLE, read_evidence, withheld
from mirtrim.listening.shelf import find_bundle, task_lines
from mirtrim.utils.errors import ArtefactError, ConfigError

from .samples import card_of, music, write


def row(bundle, score, rule_score, name="kits", **changes):
    return {
        "set": name, "task": bundle.about.task, "estimator": bundle.path.name,
        "weights": read_description(bundle.path).weights_sha256[:16], "measure": "f_measure",
        "recordings": 6, "score": score, "rendered": 0.625, "rule": "librosa.onset",
        "rule_library": "librosa 0.11.0", "rule_score": rule_score,
        "rule_difference": score - rule_score, "rule_low": score - rule_score - 0.05,
        "rule_high": score - rule_score + 0.05, **changes,
    }  # fmt: skip


def write_table(folder, *rows):
    pd.DataFrame(rows).to_csv(folder / TABLE, index=False)


@pytest.fixture
def shelf(make_bundle):
    dense = make_bundle("onset", "dense", ratio=1.0, target_ratio=1.0)
    return dense, make_bundle("onset", "four", ratio=4.0)


def test_a_network_below_its_rule_is_not_offered(shelf, tmp_path, capsys):
    dense, four = shelf
    folder = dense.path.parent
    assert find_bundle(folder, "onset") == dense.path  # nothing is measured yet
    write_table(folder, row(dense, 0.7, 0.9), row(four, 0.95, 0.9))
    assert find_bundle(folder, "onset") == four.path
    song = write(tmp_path / "song.wav", music(3, 8000), 8000)
    words = ["listen", str(song), "--task", "onset", "--models", str(folder)]
    assert main([*words, "--output", str(tmp_path / "a.csv")]) == 0
    printed = capsys.readouterr()
    assert "network four" in printed.out
    assert printed.err.startswith(
        "note: dense is not offered: it scores below a simple rule on rec"
    )
    assert find_bundle(folder, "onset", force=True) == dense.path
    write_table(folder, row(dense, 0.7, 0.9), row(four, 0.6, 0.9))
    with pytest.raises(ConfigError) as caught:
        find_bundle(folder, "onset")
    assert str(caught.value) == (
        "task onset is not offered: dense scores below a simple rule, on 6 recordings (kits) it "
        "scores 0.700, librosa.onset (librosa 0.11.0) 0.900; use librosa, or --force"
    )
    assert main(words) == 1
    assert capsys.readouterr().err == f"error: {caught.value}\n"
    assert not (tmp_path / "song.onset.csv").exists()
    assert main([*words, "--force"]) == 0
    assert "network dense" in capsys.readouterr().out


def test_one_set_where_it_is_better_is_enough_and_the_other_is_told(shelf, tmp_path, capsys):
    dense, _ = shelf
    folder = dense.path.parent
    write_table(folder, row(dense, 0.95, 0.9), row(dense, 0.5, 0.8, "piano"))
    assert (
        withheld(read_evidence(folder)["dense", read_description(dense.path).weights_sha256[:16]])
        is None
    )
    song = write(tmp_path / "song.wav", music(3, 8000), 8000)
    assert main(["listen", str(song), "--task", "onset", "--models", str(folder)]) == 0
    assert capsys.readouterr().err == (
        "note: dense: on 6 recordings (piano) it scores 0.500, librosa.onset (librosa 0.11.0) "
        "0.800\n"
    )


def test_what_was_measured_of_other_weights_says_nothing(shelf):
    dense, _ = shelf
    folder = dense.path.parent
    write_table(folder, row(dense, 0.1, 0.9, weights="0123456789abcdef"))
    assert find_bundle(folder, "onset") == dense.path


def test_as_good_as_the_rule_is_good_enough(shelf):
    dense, _ = shelf
    write_table(dense.path.parent, row(dense, 0.9, 0.9))
    assert find_bundle(dense.path.parent, "onset") == dense.path


def test_a_damaged_table_is_one_line(shelf):
    folder = shelf[0].path.parent
    (folder / TABLE).write_text("set,task\nkits,onset\n")
    with pytest.raises(ArtefactError, match=r"recordings\.csv does not hold"):
        find_bundle(folder, "onset")
    write_table(folder, row(shelf[0], 0.5, 0.4, recordings="six"))
    with pytest.raises(ArtefactError, match=r"recordings\.csv does not hold"):
        find_bundle(folder, "onset")


def test_cards_and_help_tell_the_numbers(shelf, monkeypatch, tmp_path, capsys):
    dense, four = shelf
    folder = dense.path.parent
    assert "has not been measured" in card_of(dense)
    write_table(folder, row(dense, 0.7, 0.9), row(four, 0.95, 0.9))
    write_cards(folder)
    card = (folder / "dense.md").read_text()
    assert (
        "| kits (f measure) | 6 | 0.700 | 0.625 | librosa.onset (librosa 0.11.0) | 0.900 | " in card
    )
    assert "-0.200 [-0.250, -0.150] |" in card
    assert "Recordings, unless you check by ear" not in card
    assert "**Not offered** by `mirtrim listen` without `--force`" in card
    assert "| bytes of the fp32 network (ONNX) |" in card
    assert "Not offered" not in (folder / "four.md").read_text()
    (line,) = task_lines(folder)
    assert line.startswith("onset (not offered): finds beginnings of notes and strokes")
    assert "dense scores 0.625 on rendered pieces, 0.700 on 6 recordings (kits" in line
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "listening").mkdir(parents=True)
    folder.rename(tmp_path / "results" / "listening" / "models")
    with pytest.raises(SystemExit) as stopped:
        main(["listen", "--help"])
    assert stopped.value.code == 0
    assert line in capsys.readouterr().out
