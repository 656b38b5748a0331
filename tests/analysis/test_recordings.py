"""Tables of scores on recordings, with numbers worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.recordings import of_shelf, order_survives, summarised, write_recordings
from mirtrim.analysis.statistics import t_test
from mirtrim.runs.recording_rows import COLUMNS
from mirtrim.utils.errors import ConfigError

SCORES = {
    "slow": ("rule", None, (0.3, 0.3, 0.3)),
    "rule": ("rule", None, (0.6, 0.7, 0.8)),
    "dense": ("network", 1.0, (0.8, 0.9, 0.7)),
    "four": ("network", 4.0, (0.7, 0.8, 0.6)),
    "eight": ("network", 8.0, (0.75, 0.8, 0.7)),
}
RENDERED = {"dense": 0.9, "four": 0.8, "eight": 0.7}


def rows_of(scores=SCORES, name="kits", task="onset", measure="f_measure"):
    return pd.DataFrame(
        [
            {
                "set": name, "task": task, "recording": f"r{number}", "estimator": estimator,
                "kind": kind, "library": "librosa 1" if estimator == "rule" else "-",
                "ratio": ratio, "weights": estimator, "rendered": RENDERED.get(estimator),
                "measure": measure, "value": value, "digest": f"{estimator}{number}",
            }
            for estimator, (kind, ratio, values) in scores.items()
            for number, value in enumerate(values)
        ]
    )[list(COLUMNS)].astype({"ratio": float, "rendered": float})  # fmt: skip


def test_an_interval_of_paired_differences():
    # Mean 2, deviation 1, t of 97.5 % with two degrees of freedom 4.3027.
    mean, low, high, _ = t_test(np.array([1.0, 2.0, 3.0]))
    assert (low, high) == pytest.approx((2 - 4.3027 / 3**0.5, 2 + 4.3027 / 3**0.5), abs=1e-4)
    assert mean == 2
    assert np.isnan(t_test(np.array([1.0]))[1:]).all()


def test_networks_beside_the_best_rule_and_the_dense_one():
    summary = summarised(rows_of()).set_index("estimator")
    four = summary.loc["four"]
    assert (four.score, four.rule, four.rule_score) == (
        pytest.approx(0.7),
        "rule",
        pytest.approx(0.7),
    )
    assert four.dense_difference == pytest.approx(-0.1)
    assert four.dense_high == pytest.approx(-0.1)  # the same on every recording
    assert four.rule_difference == pytest.approx(0)
    assert four.rule_low == pytest.approx(-4.3027 * 0.17321 / 3**0.5, abs=1e-3)
    assert np.isnan(summary.dense_difference[["dense", "rule", "slow"]]).all()
    assert summary.dense_difference["eight"] == pytest.approx(-0.05)
    assert list(of_shelf(summary.reset_index()).estimator) == ["dense", "four", "eight"]


def test_whether_the_order_survives():
    (sentence,) = order_survives(summarised(rows_of()))
    assert sentence == (
        "kits (onset, 3 recordings): the score does not fall from ratio to ratio; 2 of 3 pairs of "
        "networks stand in the order of rendered pieces; of 2 trimmed networks, 1 are worse and 0 "
        "better than the dense one beyond the interval."
    )
    # As good as the dense network on every recording is neither worse nor better, and falls too.
    equal = {"dense": SCORES["dense"], "four": ("network", 4.0, SCORES["dense"][2])}
    (sentence,) = order_survives(summarised(rows_of(equal)))
    assert "the score falls from ratio to ratio; 0 of 1 pairs" in sentence
    assert "of 1 trimmed networks, 0 are worse and 0 better" in sentence
    better = {"dense": SCORES["dense"], "four": ("network", 4.0, (0.9, 1.0, 0.8))}
    (sentence,) = order_survives(summarised(rows_of(better)))
    assert "of 1 trimmed networks, 0 are worse and 1 better" in sentence
    alone = {name: of for name, of in SCORES.items() if name in ("rule", "dense")}
    assert list(order_survives(summarised(rows_of(alone)))) == []
    trimmed = {name: of for name, of in SCORES.items() if name != "dense"}
    (sentence,) = order_survives(summarised(rows_of(trimmed)))
    assert "there is no dense network to compare with" in sentence


def test_recordings_of_one_instrument_are_one_draw():
    """Differences −.1, −.1, +.2 of one flute and one horn: the flute adds −.2 and the horn +.2.

    Clusters' columns by `by_cluster`: mean 0 plus 2 / 3 of −.2 and of .2, deviation .18856; of
    their mean .13333, and t of 97.5 % with one degree of freedom 12.7062.
    """
    rows = rows_of({"dense": SCORES["dense"], "four": ("network", 4.0, (0.7, 0.8, 0.9))})
    names = {"r0": "flute_A4.wav", "r1": "flute_C5.wav", "r2": "horn_A4.wav"}
    rows = rows.assign(recording=rows.recording.map(names))
    four = summarised(rows, {"kits": "^([a-z]+)_"}).set_index("estimator").loc["four"]
    assert (four.recordings, four.clusters) == (3, 2)
    assert four.dense_difference == pytest.approx(0)
    assert four.dense_high == pytest.approx(12.7062 * 0.13333, rel=1e-4)
    alone = summarised(rows).set_index("estimator").loc["four"]
    assert alone.clusters == 3
    assert alone.dense_high == pytest.approx(4.3027 * 0.1, rel=1e-4)
    (sentence,) = order_survives(summarised(rows, {"kits": "^([a-z]+)_"}))
    assert sentence.startswith("kits (onset, 3 recordings in 2 clusters): ")
    # Without a group all of the match counts.
    assert summarised(rows, {"kits": "A4|C5"}).clusters.tolist() == [2, 2]


def test_one_recording_or_cluster_has_no_interval():
    rows = rows_of({"dense": SCORES["dense"], "four": SCORES["four"]})
    for few in (summarised(rows[rows.recording == "r0"]), summarised(rows, {"kits": "^r"})):
        (sentence,) = order_survives(few)
        assert "too little for an interval" in sentence
        assert "0 are worse" not in sentence


@pytest.mark.parametrize(
    ("pattern", "message"),
    [("^x", "cluster: ^x does not match in r0"), ("(", r"cluster: ( is no regular expression")],
)
def test_a_cluster_that_fits_no_name_is_refused(pattern, message):
    with pytest.raises(ConfigError) as caught:
        summarised(rows_of(), {"kits": pattern})
    assert message in str(caught.value)


def test_tables_are_written(tmp_path):
    clips = rows_of({"dense": ("network", 1.0, (1.0, 0.0))}, "clips", "instrument", "accuracy")
    other = [
        clips.assign(measure=m, value=v) for m, v in (("confidence", [0.9, 0.2]), ("sure", 1.0))
    ]
    parts = rows_of(measure="f_measure_kick")
    rows = pd.concat([rows_of(), parts, clips, *other], ignore_index=True)
    paths = [tmp_path / name for name in ("a.csv", "a.md", "shelf.csv")]
    write_recordings(rows, *paths)
    page = paths[1].read_text()
    headings = [line for line in page.splitlines() if line.startswith("## ")]
    assert headings == [
        "## kits: onset, 3 recordings",
        "## clips: instrument, 2 recordings",
        "## Does the order survive on recordings?",
    ]
    # In the order of the rows, which is that of the configuration.
    lines = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| ")]
    estimators = ["| slow", "| rule (librosa 1)", "| dense", "| four", "| eight"]
    assert lines[2:7] == estimators
    assert lines[9:14] == ["| slow", "| rule", *estimators[2:]]
    assert "| rule (librosa 1) |  |  | 0.700 |  |  |" in page
    assert "| four | 4.0 | 0.800 | 0.700 | -0.100 [-0.100, -0.100] | +0.000 [" in page
    assert "| estimator | kick (3) |" in page
    assert "* dense: 0.500 of the surest 80%" in page
    assert "## Does the order survive on recordings?" in page
    summary, shelf = (pd.read_csv(path) for path in (paths[0], paths[2]))
    assert list(shelf.estimator) == ["dense", "four", "eight", "dense"]
    assert shelf.score[0] == pytest.approx(0.8)
    # Numbers of lines are no column.
    assert list(summary.columns) == list(summarised(rows).columns)
    assert list(shelf.columns) == list(of_shelf(summary).columns)
