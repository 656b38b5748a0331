"""The authors' curves: the file is whole, and masks stand where their networks really were."""

from pathlib import Path

import pytest

from mirtrim.analysis.recorded_curves import RecordedCurves, read_recorded_curves, true_ratio
from mirtrim.utils.errors import ConfigError

PATH = Path(__file__).parents[2] / "config" / "recorded_curves.yaml"


@pytest.fixture(scope="module")
def recorded() -> RecordedCurves:
    return read_recorded_curves(PATH)


def test_true_ratio_by_hand() -> None:
    # One round of 30 % where a fifth is never masked: 0.2 + 0.8 · 0.7 = 0.76 is left.
    assert true_ratio(1 / 0.7, 0.3, 0.2, 0.3) == pytest.approx(1 / 0.76)
    # Two rounds that really removed half: 0.2 + 0.8 · 0.25 = 0.4 is left.
    assert true_ratio(1 / 0.49, 0.3, 0.2, 0.5) == pytest.approx(2.5)
    assert true_ratio(1.0, 0.3, 0.2, 0.5) == 1.0


@pytest.mark.parametrize(
    ("task", "true"), [("instrument", 8.9), ("chord", 3.6), ("drums", 4.0), ("onset", 3.1)]
)
def test_ten_times_was_less(recorded: RecordedCurves, task: str, true: float) -> None:
    """True ratios where the figures say ten, counted from the recorded runs."""
    (mask,) = (curve for curve in recorded.of_task(task) if curve.name == "mask")
    assert mask.corrected
    assert mask.ratio[mask.plotted_ratio.index(10)] == pytest.approx(true, abs=0.05)


def test_pitch_is_the_mean_of_two_networks() -> None:
    """After 14 rounds the tiny one had reached 2.1, the medium one 2.4."""
    last = 1 / 0.7**14
    assert true_ratio(last, 0.3, 0.46, 0.2) == pytest.approx(2.07, abs=0.005)
    assert true_ratio(last, 0.3, 0.42, 0.4) == pytest.approx(2.38, abs=0.005)


def test_trimming_was_counted_and_stays(recorded: RecordedCurves) -> None:
    trims = [curve for curve in recorded.curves if curve.name != "mask"]
    assert len(trims) == 8  # two for each of four tasks; pitch was only masked
    for curve in (*trims, *recorded.criteria):
        assert not curve.corrected
        assert curve.ratio == curve.plotted_ratio
    assert [curve.name for curve in recorded.of_task("pitch")] == ["mask"]
    assert recorded.of_task("genre") == ()
    assert [curve.name for curve in recorded.criteria] == ["magnitude", "activation", "batchnorm"]


def test_some_values(recorded: RecordedCurves) -> None:
    """Relative errors at ten times, as digitised."""
    at_ten = {
        (curve.task, curve.name): curve.relative_error[curve.plotted_ratio.index(10)]
        for curve in (*recorded.curves, *recorded.criteria)
    }
    assert at_ten["drums", "trim"] == 1.33
    assert at_ten["drums", "mask"] == 0.94
    assert at_ten["instrument", "trim_reinit"] == 7.04
    assert at_ten["onset", "trim"] == 1.16
    assert at_ten["chord", "mask"] == 1.21
    assert at_ten["-", "batchnorm"] == 1.89


GOOD = """
plotted_removed_per_round: 0.3
curves:
  - task: onset
    series: mask
    source: a.pdf
    plotted_ratio: [1, 2]
    relative_error: [1.0, 1.1]
    masked_networks: [{never_masked: 0.2, removed_per_round: 0.3}]
criteria: []
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[1, 2]", "[1, 2, 3]", r"curves.0: 3 values of plotted_ratio, 2 of relative_error"),
        ("[1, 2]", "[2, 1]", r"curves.0.plotted_ratio: must rise"),
        ("[1, 2]", "[0.5, 2]", r"key curves.0.plotted_ratio.0: 0.5 is less than"),
        ("[1.0, 1.1]", "[1.0, x]", r"key curves.0.relative_error.1: 'x' is not of type 'number'"),
        ("series: mask", "series: masks", r"key curves.0.series: 'masks' is not one of"),
        ("series: mask", "series: trim", r"curves.0.masked_networks: needed for mask, and only"),
        ("    source: a.pdf\n", "    source: a.pdf\n    colour: red\n", r"key curves.0: .*colour"),
        ("    source: a.pdf\n", "", r"key curves.0: 'source' is a required property"),
        ("never_masked: 0.2", "never_masked: 20", r"key .*never_masked: 20 is greater"),
        ("criteria: []", "criteria: [", r"recorded.yaml: not readable as YAML"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "recorded.yaml"
    path.write_text(GOOD)
    assert len(read_recorded_curves(path).curves) == 1
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ConfigError, match=message) as error:
        read_recorded_curves(path)
    assert "recorded.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_curve_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "recorded.yaml"
    entry = GOOD[GOOD.index("  - task") : GOOD.index("criteria")]
    path.write_text(GOOD.replace(entry, entry + entry))
    with pytest.raises(ConfigError, match=r"curves.1: mask of onset is there twice"):
        read_recorded_curves(path)
