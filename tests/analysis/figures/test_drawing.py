"""What stands in the figures: the right numbers, nothing on top of each other, the same bytes."""

from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend

from mirtrim.analysis import style
from mirtrim.analysis.figures import catalogue
from mirtrim.analysis.figures.choices import drawable
from mirtrim.analysis.figures.lines import nearest_ratio
from mirtrim.analysis.figures.speed_up import with_measured
from mirtrim.analysis.recorded_curves import RecordedCurve, RecordedCurves
from mirtrim.analysis.style import save_figure
from mirtrim.utils.errors import ArtefactError
from tests.analysis.figures.rows import DENSE, MASK, REINIT, ROWS, TRIM, table, trimmed
from tests.analysis.test_rows_tables import row

LATENCY = pd.DataFrame(
    [
        ("onset", "dense", 1.0, 0, "torch", 2.0),
        ("onset", "dense", 1.0, 1, "torch", 3.0),
        ("onset", "trim_magnitude_local_rewind", 2.0, 0, "torch", 1.0),
        ("onset", "trim_magnitude_local_rewind", 2.0, 1, "torch", 1.2),
        ("onset", "dense", 1.0, 0, "onnxruntime", 1.0),
        ("onset", "trim_magnitude_local_rewind", 2.0, 0, "onnxruntime", 0.8),
    ],
    columns=["task", "run", "target_ratio", "seed", "runtime", "median_ms"],
)
CURVES = (
    RecordedCurve("trim", "onset", "a.pdf", (1, 2, 40), (1, 2, 40), (1.0, 0.9, 30.0), False),
    RecordedCurve("mask", "onset", "a.pdf", (1, 10), (1, 3.1), (1.0, 1.1), True),
)
CRITERIA = (RecordedCurve("magnitude", "-", "b.pdf", (1, 8), (1, 8), (1.0, 1.4), False),)
RECORDED = RecordedCurves(CURVES, CRITERIA)
CONTRASTED = pd.concat(
    [
        ROWS,
        REINIT,
        table(
            *(trimmed(seed, 0.35, criterion="random") for seed in (0, 1)),
            *(trimmed(seed, 0.36, scope="global") for seed in (0, 1)),
        ),
    ],
    ignore_index=True,
)
NAMES = drawable([CONTRASTED.to_dict("records")])


def draw(name: str, tasks: tuple[str, ...] = ("onset",)) -> Figure:
    rows = pd.concat([CONTRASTED.assign(task=task) for task in tasks], ignore_index=True)
    return catalogue.draw(name, rows, RECORDED, LATENCY)


def line(axes: Axes, label: str) -> np.ndarray:
    """Points of the line of that label, shape (points, 2)."""
    (found,) = (drawn for drawn in axes.lines if drawn.get_label() == label)
    return np.asarray(found.get_xydata())


def test_every_figure_has_something_to_draw_here() -> None:
    assert NAMES == ["relative_error", "speed_up", "training_cost", "criteria", "scopes", "resets"]


def test_relative_error_by_hand() -> None:
    figure = draw("relative_error")
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "onset (2 seeds)"
    # Ratio 1 is the dense network itself; then means over seeds, at the ratios reached.
    trim = line(axes, "trim: units removed")
    np.testing.assert_allclose(trim, [[1, 1], [2.05, 1.75], [4.2, 2.5]])
    mask = line(axes, "mask: weights set to zero")
    np.testing.assert_allclose(mask, [[1, 1], [4, 1.0]])
    # The mask's true ratio; recorded curves do not stretch the axes.
    np.testing.assert_allclose(line(axes, "mask, at its true ratio"), [[1, 1], [3.1, 1.1]])
    assert axes.get_xlim()[1] < 5
    assert axes.get_ylim()[1] < 5
    assert axes.get_xscale() == axes.get_yscale() == "log"
    words = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert words[0] == "dense (band: its seeds)"
    assert words[-3:] == [
        "recorded by the authors on other data:",
        "trim",
        "mask, at its true ratio",
    ]
    plt.close(figure)


def test_without_recorded_curves_there_is_no_heading() -> None:
    figure = catalogue.draw("relative_error", ROWS)
    words = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert words == ["dense (band: its seeds)", "mask: weights set to zero", "trim: units removed"]
    plt.close(figure)


def test_controls_stand_beside_trims() -> None:
    shuffled = table(*(trimmed(seed, 0.45, order="shuffled") for seed in (0, 1)))
    rows = pd.concat([ROWS, shuffled], ignore_index=True)
    assert "controls" in drawable([rows.to_dict("records")])
    assert "controls" not in drawable([ROWS.to_dict("records")])
    figure = catalogue.draw("controls", rows, RECORDED)
    words = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    # The authors have recorded none.
    assert words == [
        "dense (band: its seeds)",
        "trim: units removed",
        "mask: weights set to zero",
        "control: as many units per layer, at random",
    ]
    drawn = line(figure.axes[0], "control: as many units per layer, at random")
    # The mean of 0.45 / 0.2 and 0.45 / 0.1.
    np.testing.assert_allclose(drawn, [[1, 1], [2, 3.375]])
    plt.close(figure)


def test_a_panel_says_how_many_seeds_its_lines_have() -> None:
    lonely = table(trimmed(0, 0.45, order="shuffled"))
    figure = catalogue.draw("controls", pd.concat([ROWS, lonely], ignore_index=True))
    assert figure.axes[0].get_title(loc="left") == "onset (1 to 2 seeds)"
    plt.close(figure)


def test_contrasts_use_the_seeds_that_all_lines_have() -> None:
    rows = pd.concat([ROWS, REINIT[REINIT.seed == 0]])
    figure = catalogue.draw("resets", rows)
    axes = figure.axes[0]
    assert axes.get_title(loc="left") == "onset: trim (1 seed)"
    # Seed 0 alone: 0.3 / 0.2, 0.4 / 0.2 and 0.5 / 0.2.
    np.testing.assert_allclose(line(axes, "rewind"), [[1, 1], [2.0, 1.5], [4.1, 2.0]])
    np.testing.assert_allclose(line(axes, "reinit"), [[1, 1], [2.0, 2.5]])
    plt.close(figure)


def test_runs_without_a_common_seed_cannot_be_compared() -> None:
    rows = table(*DENSE, trimmed(0, 0.3), trimmed(1, 0.3, reset="reinit"))
    with pytest.raises(ArtefactError, match="onset: trim: the runs to compare share no seed"):
        catalogue.draw("resets", rows)


@pytest.mark.parametrize("name", ["criteria", "scopes", "resets"])
def test_nothing_to_compare_is_said(name: str) -> None:
    with pytest.raises(ArtefactError, match=f"figure {name}: no task has rows of one method"):
        catalogue.draw(name, ROWS)


@pytest.mark.parametrize("name", ["relative_error", "speed_up", "training_cost"])
def test_dense_networks_alone_are_no_figure(name: str) -> None:
    with pytest.raises(ArtefactError, match=f"figure {name}: no rows of mask, trim or feedback"):
        catalogue.draw(name, table(*DENSE))


def test_speed_up_theoretical_and_measured_by_hand() -> None:
    timed = with_measured(table(*DENSE, *TRIM, *MASK), LATENCY)
    of_trim = timed[timed.method == "trim"].sort_values(["runtime", "seed"])
    assert of_trim.runtime.tolist() == ["onnxruntime", "torch", "torch"]
    assert of_trim.speed_up_measured.tolist() == pytest.approx([1.25, 2.0, 2.5])
    figure = catalogue.draw("speed_up", table(*DENSE, *TRIM, *MASK), latency=LATENCY)
    counted, onnx, torch = figure.axes
    label = "trim: units removed"
    np.testing.assert_allclose(line(counted, label), [[1, 1], [4, 1.75], [4, 2.5]])
    np.testing.assert_allclose(line(onnx, label), [[1, 1], [1.25, 1.5]])
    np.testing.assert_allclose(line(torch, label), [[1, 1], [2.25, 1.75]])
    # A mask has as many MACs as the dense network.
    np.testing.assert_allclose(line(counted, "mask: weights set to zero"), [[1, 1], [1, 1]])
    assert "measured" in torch.get_xlabel()
    assert "theoretical" in counted.get_xlabel()
    plt.close(figure)


def test_shapes_of_different_resets_keep_their_own_latency() -> None:
    """Networks of one method that copy two trims are told apart by the run, not by a label."""
    references = ("trim_magnitude_local_rewind", "trim_magnitude_local_finetune")
    shapes = [trimmed(0, 0.4, method="same_shape", reference=name) for name in references]
    timed = [
        ("onset", name, 2.0, 0, "torch", milliseconds)
        for name, milliseconds in zip(
            (f"same_shape_magnitude_local_rewind_reference_{name}" for name in references),
            (0.5, 0.25),
            strict=True,
        )
    ]
    latency = pd.concat([LATENCY, pd.DataFrame(timed, columns=LATENCY.columns)])
    found = with_measured(table(*DENSE, *shapes), latency)
    speed_ups = found[found.method == "same_shape"].set_index("reference").speed_up_measured
    assert speed_ups.to_dict() == pytest.approx(dict(zip(references, (4.0, 8.0), strict=True)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.drop(columns="median_ms"), "no column median_ms"),
        (lambda t: pd.concat([t, t.iloc[2:3]]), "rewind, ratio 2, seed 0, torch is there twice"),
        (lambda t: t[~((t.run == "dense") & (t.seed == 1))], "no dense network of onset, seed 1"),
    ],
)
def test_a_damaged_latency_table_is_named(damage: object, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        with_measured(ROWS, damage(LATENCY))  # type: ignore[operator]


def test_cost_stands_at_the_nearest_ratio_asked_for() -> None:
    assert nearest_ratio(ROWS, 4) == 4
    assert nearest_ratio(ROWS, 16) == 4
    assert nearest_ratio(ROWS, 2.8) == 2  # 2.8 / 2 is less than 4 / 2.8
    figure = catalogue.draw("training_cost", ROWS, ratios=[2, 4])
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["onset, ratio 2", "onset, ratio 4"]
    plt.close(figure)


def test_equal_costs_stand_beside_each_other() -> None:
    figure = catalogue.draw("training_cost", ROWS, ratios=[4])
    figure.canvas.draw()
    axes = figure.axes[0]
    # Trim and mask both cost two dense trainings.
    places = [
        drawn.get_transform().transform(drawn.get_xydata())[0, 0]
        for drawn in axes.lines
        if len(drawn.get_xydata()) == 1 and drawn.get_marker() in ("s", "o")
    ]
    assert len(places) == 2
    assert abs(places[0] - places[1]) == pytest.approx(6 * figure.dpi / 72)
    plt.close(figure)


def test_an_error_of_zero_does_not_stop_a_figure(tmp_path: Path) -> None:
    rows = table(row(test_error=0.0), trimmed(0, 0.3), trimmed(0, 0.4, 4.0, 4.0))
    figure = catalogue.draw("relative_error", rows)
    save_figure(figure, [tmp_path / "a.png"])
    assert (tmp_path / "a.png").stat().st_size > 2000


@pytest.mark.parametrize("tasks", [("onset",), ("chord", "drums", "instrument", "onset", "pitch")])
@pytest.mark.parametrize("name", NAMES)
def test_no_words_cover_others(name: str, tasks: tuple[str, ...]) -> None:
    figure = draw(name, tasks)
    figure.canvas.draw()
    words = [text for text in (figure._supxlabel, figure._supylabel) if text is not None]
    for axes in figure.axes:
        words += [axes.xaxis.label, *(t for t in (axes.title, axes._left_title))]
    legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
    assert len(legends) == 1
    boxes = [
        thing.get_window_extent()
        for thing in [*words, *legends]
        if isinstance(thing, Legend) or thing.get_text()
    ]
    boxes += [axes.get_window_extent() for axes in figure.axes if axes.axison]
    inside = figure.bbox.padded(1)
    for box in boxes:
        corners = [(box.x0, box.y0), (box.x1, box.y1)]
        assert all(inside.contains(x, y) for x, y in corners)
    for first, second in combinations(boxes, 2):
        assert not first.padded(-1).overlaps(second.padded(-1))
    plt.close(figure)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_twice(name: str, tmp_path: Path) -> None:
    ends = ("svg", "png") if name == "criteria" else ("svg",)
    for folder in ("x", "y"):
        save_figure(draw(name), [tmp_path / folder / f"a.{end}" for end in ends])
    for end in ends:
        first, second = ((tmp_path / folder / f"a.{end}").read_bytes() for folder in "xy")
        assert first == second
        assert len(first) > 5000


def test_a_figure_is_written_as_matplotlib_would_write_it(tmp_path: Path) -> None:
    figure, axes = plt.subplots()
    axes.plot([1, 2, 3], [2, 1, 3], label="a")
    axes.legend()
    with style.styled():
        figure.savefig(tmp_path / "usual.png", dpi=style.PNG_DPI)
        figure.savefig(tmp_path / "usual.svg", metadata={"Date": None})
        figure.savefig(tmp_path / "usual.pdf", metadata={"CreationDate": None})
        save_figure(figure, [tmp_path / f"ours.{ending}" for ending in ("svg", "pdf", "png")])
    for ending in ("svg", "pdf", "png"):
        ours, usual = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("ours", "usual"))
        assert ours == usual


def test_a_format_that_is_not_known_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"not as \.jpg"):
        save_figure(plt.figure(), [tmp_path / "a.jpg"])
    assert not list(tmp_path.iterdir())
