"""When is trimming free: planted rows with literal answers, verdicts, tables and pictures."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.figures import free_ratios as figures
from mirtrim.analysis.figures.lines import from_dense
from mirtrim.analysis.free_ratios import (
    KEPT,
    RANDOM,
    SCRATCH,
    TRIM,
    at_equal_size,
    free_ratios,
    growth,
    largest_free_ratio,
    levels_compared,
    read_variants,
    write_free_ratios,
)
from mirtrim.analysis.hypotheses import COMPUTATIONS
from mirtrim.analysis.hypotheses.free_ratios import over_seeds
from mirtrim.analysis.hypotheses.loading import load_hypotheses
from mirtrim.analysis.recorded_curves import read_recorded_curves
from mirtrim.analysis.spread import seeds_to_decide
from mirtrim.analysis.task_evidence import NotRun, TaskEvidence
from mirtrim.analysis.verdicts import verdicts
from mirtrim.pruning.settings import DENSE as DENSE_SETTINGS
from mirtrim.pruning.settings import PruningSettings
from mirtrim.runs.rows import Row, write_rows
from mirtrim.runs.tables import record, tell_variant
from mirtrim.utils.errors import ArtefactError

ROOT = Path(__file__).resolve().parents[2]
RUNS = (TRIM, KEPT, RANDOM, SCRATCH)


def line(run: str, seed: int, ratio: float, size: int, error: float, **levels: float) -> dict:
    told = {f"level_{name}": value for name, value in levels.items()}
    return {"task": "chord", "study": "regimes", "run": run, "seed": seed, "ratio": ratio,
            "target_ratio": ratio, "parameters": size, "test_error": error, **told}  # fmt: skip


def world(free: dict[tuple[float, float], float], seeds: int = 3) -> pd.DataFrame:
    """Error .1 (dense .1 at any width) up to the free ratio of each (width, epochs), .2 beyond;
    random units and kept weights a hundredth more for every seed but for its own thousandth."""
    rows = []
    for (width, epochs), limit in free.items():
        size = int(6400 * width**2)
        levels = {"width": width, "epochs": epochs}
        for seed in range(seeds):
            rows.append(line("dense", seed, 1, size, 0.1, **levels))
            for run in RUNS:
                more = 0 if run == TRIM else 0.01 + seed * 1e-3
                for ratio in (2, 4, 8):
                    error = (0.1 if ratio <= limit else 0.2) + more
                    rows.append(line(run, seed, ratio, size // ratio, error, **levels))
    return pd.DataFrame(rows)


GROWING = {(0.25, 5): 1, (0.5, 5): 2, (1, 5): 4, (0.25, 20): 2, (0.5, 20): 4, (1, 20): 8}


def test_the_largest_ratio_without_loss() -> None:
    """Dense .1; 2x .105, 4x .12, 8x .108: within a point at 8x, within a twentieth at 2x."""
    errors = {1: 0.1, 2: 0.105, 4: 0.12, 8: 0.108}
    rows = pd.DataFrame(
        [line("dense" if r == 1 else TRIM, 0, r, 64 // r, e) for r, e in errors.items()]
    )
    assert largest_free_ratio(rows, margin=0.01) == 8
    assert largest_free_ratio(rows, times=1.05) == 2
    assert largest_free_ratio(rows, times=1.1) == 8
    assert largest_free_ratio(rows, margin=0.008) == 8  # at the very line
    assert largest_free_ratio(rows) == 1
    assert np.isnan(largest_free_ratio(rows[rows.run == "dense"]))
    # A seed without a ratio, and one without a dense network, do not count.
    more = pd.concat([rows, rows[rows.ratio < 8].assign(seed=1), rows[1:].assign(seed=2)])
    assert largest_free_ratio(more, margin=0.01) == 2


def test_growth_is_told_in_doublings() -> None:
    """One, two, four of three widths and two, four, eight: a doubling a doubling. Four times the
    epochs give twice the ratio: half a doubling a doubling."""
    rows = world(GROWING)
    assert free_ratios(rows, ["width", "epochs"]).ratio.tolist() == [1, 2, 2, 4, 4, 8]
    assert growth(rows, "width", ["epochs"], margin=0.01).tolist() == pytest.approx([1, 1, 1])
    assert growth(rows, "epochs", ["width"], margin=0.01).tolist() == pytest.approx([0.5] * 3)


def test_growth_where_nothing_else_is_varied() -> None:
    """One, two, four of three widths; of one width nobody can say how it grows."""
    rows = world({(0.25, 5): 1, (0.5, 5): 2, (1, 5): 4})
    assert growth(rows, "width", [], margin=0.01).to_dict() == pytest.approx({0: 1, 1: 1, 2: 1})
    assert growth(rows[rows.level_width == 1], "width", []).empty


def test_trimmed_is_compared_with_trained_at_equal_size() -> None:
    """Dense .3 at 100 and .1 at 10 000: .2 at 1000 (half way in the logarithm). The trim of 1000
    has .15; one of 50 is smaller than all that were trained."""
    rows = pd.DataFrame([
        line("dense", 0, 1, 100, 0.3, width=0.1), line("dense", 0, 1, 10_000, 0.1, width=1),
        line(TRIM, 0, 10, 1000, 0.15, width=1), line(TRIM, 0, 200, 50, 0.9, width=1),
    ])  # fmt: skip
    assert at_equal_size(rows, TRIM, []).to_dict() == pytest.approx({0: -0.05})


def test_a_finding_says_which_levels_it_rests_on() -> None:
    """Half the width has no long training, and of three epochs there is one width alone."""
    rows = world({(0.25, 5): 1, (0.5, 5): 2, (0.25, 20): 1, (1, 20): 2, (1, 3): 4})
    assert levels_compared(rows, "width", TRIM) == (
        "width 0.25, 0.5 at epochs 5; width 0.25, 1 at epochs 20"
    )
    assert levels_compared(rows, "epochs", TRIM) == (
        "epochs 5, 20 at width 0.25; epochs 3, 20 at width 1"
    )
    assert levels_compared(rows.drop(columns="level_epochs"), "width", TRIM) == "width 0.25, 0.5, 1"


def found(hypothesis: str, rows: pd.DataFrame | None) -> Any:
    by_id = {one.id: one for one in load_hypotheses(ROOT / "config/hypotheses.yaml")}
    one = by_id[hypothesis]
    evidence = TaskEvidence("chord", pd.DataFrame(), {}, variants=rows)
    return COMPUTATIONS[one.computation](evidence, np.random.default_rng(0), **one.settings)


@pytest.mark.parametrize(
    ("hypothesis", "effect"),
    [("H14", -1.0), ("H15", -0.5), ("H17", -0.011), ("H18", -0.011)],
)
def test_hypotheses_that_hold(hypothesis: str, effect: float) -> None:
    finding = found(hypothesis, world(GROWING))
    assert finding.effect == pytest.approx(effect)
    assert finding.favourable
    assert finding.seeds == 3
    # All seeds alike: a quarter, by the signs of three; and with a spread a t test.
    p_value = 0.25 if hypothesis in ("H14", "H15") else 0.0027
    assert finding.p_value == pytest.approx(p_value, rel=0.05)


def test_only_cells_that_all_seeds_have_are_averaged() -> None:
    """Of the third seed no kept weights at a quarter, where the others are a whole point worse."""
    rows = world(GROWING)
    quarter = (rows.run == KEPT) & (rows.level_width == 0.25)
    rows.loc[quarter, "test_error"] += 1
    finding = found("H17", rows[~(quarter & (rows.seed == 2))])
    assert finding.effect == pytest.approx(-0.011)
    assert finding.note == "levels: epochs 20 at width 0.5, 1"


def rewound(errors: dict[float, list[float]]) -> pd.DataFrame:
    """Trims at 4x and 8x, 0.1 worse there, at half width, by rewind point and seed."""
    lines = [
        line(TRIM, seed, ratio, 10, error + (0.1 if ratio == 8 else 0), width=0.5, rewind=rewind)
        for rewind, of_seeds in errors.items()
        for seed, error in enumerate(of_seeds)
        for ratio in (4.0, 8.0)
    ]
    return pd.DataFrame(lines).assign(study="rewinding")


def test_levels_are_compared_seed_by_seed() -> None:
    """0.4 minus 0: −0.01, −0.02, −0.03; mean −0.02, t = −3.46, p = 0.074 two-sided."""
    rows = rewound({0: [0.11, 0.12, 0.13], 0.4: [0.1, 0.1, 0.1], 1: [0.1, 0.1]})
    finding = found("H20", rows)
    assert finding.effect == pytest.approx(-0.02)
    assert finding.favourable
    assert finding.p_value == pytest.approx(0.0742, abs=1e-4)
    assert finding.note == "levels: width 0.5, rewind 0.4, 0"
    assert (finding.seeds, tuple(finding.ratios)) == (3, (4.0, 8.0))
    end = found("H20'", rows)
    assert (end.effect, end.seeds) == (0.0, 2)
    with pytest.raises(NotRun, match="rewind 0.4 and 1"):
        found("H20'", rows[rows.level_rewind < 1])


def test_what_else_a_level_averages_and_where_the_grid_ends_are_told() -> None:
    assert found("H18", world(GROWING)).note == "levels: width 1 at epochs 5, 20"
    # Ratios end at 8, which is free at one of six combinations of width and length.
    told = "; the largest ratio run is free in 3 of 18 cells"
    assert found("H14", world(GROWING)).note.endswith(told)
    assert "largest ratio run" not in found("H14", world(dict.fromkeys(GROWING, 4))).note


def test_hypotheses_that_do_not_hold_and_those_without_rows() -> None:
    shrinking = {(0.25, 5): 4, (0.5, 5): 2, (1, 5): 1, (0.25, 20): 4, (0.5, 20): 2, (1, 20): 1}
    finding = found("H14", world(shrinking))
    assert finding.effect == pytest.approx(1.0)
    assert not finding.favourable
    assert found("H15", world(shrinking)).p_value == 1.0
    # Half the ratio costs a tenth everywhere, and training at a size costs nothing.
    assert not found("H16", world(dict.fromkeys(GROWING, 1))).favourable
    assert "one seed decides nothing" in found("H14", world(GROWING, seeds=1)).note
    for nothing in (None, pd.DataFrame(columns=["study", "task"]), world({(1, 5): 2})):
        with pytest.raises(NotRun, match="study regimes"):
            found("H14", nothing)


def test_a_task_of_which_only_other_widths_were_trained_is_asked_about_these_alone() -> None:
    by_id = {one.id: one for one in load_hypotheses(ROOT / "config/hypotheses.yaml")}
    narrow = world(GROWING).query("level_width < 1")
    alone = TaskEvidence("chord", pd.DataFrame(columns=["run"]), {}, variants=narrow)
    own = {"chord": "one width and length, which is not what these are about"}
    lines = verdicts([alone], [by_id["H1"], by_id["H14"], by_id["H18"]], 0, own)
    assert {line.conditions for line in lines} == {""}
    told = {(line.hypothesis, line.task): line for line in lines}
    assert set(told) == {
        ("H1", "overall"),
        *((h, t) for h in ("H14", "H18") for t in ("chord", "overall")),
    }
    assert told["H1", "overall"].verdict == "not run"
    assert told["H14", "chord"].verdict == "undecided"
    assert told["H14", "chord"].effect == pytest.approx(-1.0)
    # Wide networks are those at the published width.
    assert told["H18", "chord"].note == "missing: study regimes at the published width"


def planted(folder: Path, name: str, task: str, values: dict[str, float] | None) -> Path:
    """The rows of a dense network and a trim, recorded as a job records them."""
    trim = PruningSettings("trim")
    for settings, ratio in ((DENSE_SETTINGS, 1.0), (trim, 2.0)):
        row = Row(
            "p", task, "c", **settings.columns, seed=0, round=int(ratio > 1), target_ratio=ratio,
            ratio=ratio, parameters=int(100 / ratio), nonzeros=50, macs=1, bytes_raw=1,
            bytes_gzip=1, peak_activation_bytes=1, validation_error=0.1, test_error=0.1 * ratio,
            scores="{}",
            epochs=1, best_epoch=1, train_seconds=1.0, training_macs=1, trainings=1,
            total_train_seconds=1.0, total_training_macs=1, equivalence_difference=-1.0,
            diagnostics="{}",
            code_digest="a", data_digest="b", config_digest="c", versions="v", machine="m",
        )  # fmt: skip
        path = folder / "jobs/rows" / name / f"{settings.name}_seed0.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(path, [row])
        if values:
            tell_variant(path, values)
        record(path)
    return folder / "rows" / f"{name}.csv"


def test_rows_of_variants_are_told_apart_by_columns(tmp_path: Path) -> None:
    half = planted(tmp_path, "chord-width_0p5", "chord", {"width": 0.5})
    whole = planted(tmp_path, "chord", "chord", None)
    assert '{""width"": 0.5}' in half.read_text()
    # Tables of tasks as they are have no such column.
    assert "variant" not in whole.read_text()
    variants = {
        "chord-width_0p5": {"study": ["regimes"], "task": "chord", "values": {"width": 0.5},
                            "rows": "chord-width_0p5"},
        "chord-width_1": {"study": ["regimes", "more"], "task": "chord", "values": {"width": 1},
                          "rows": "chord"},
        "chord-width_2": {"study": ["regimes"], "task": "chord", "values": {"width": 2},
                          "rows": "chord-width_2"},
    }  # fmt: skip
    rows = read_variants(variants, [half, whole])
    of = rows[rows.study == "regimes"]
    assert of.level_width.tolist() == [0.5, 0.5, 1, 1]
    assert of.variant.tolist() == ['{"width": 0.5}'] * 2 + ['{"width": 1}'] * 2
    assert rows[rows.study == "more"].level_width.tolist() == [1, 1]
    only = read_variants(variants, [half, whole], (), {"regimes": [KEPT], "more": [TRIM]})
    assert only[only.study == "regimes"].run.tolist() == ["dense", "dense"]
    # A file of a job comes before the table.
    job = tmp_path / "jobs/rows/chord-width_0p5/dense_seed0.csv"
    job.write_text(job.read_text().replace(",0.1,{}", ",0.75,{}"))
    # A variant that two studies share is read for one of them.
    (study,) = set(read_variants(variants, [half, whole], (), {"more": [TRIM]}).study)
    assert study == "more"
    newer = read_variants(variants, [half], [job])
    assert newer[newer.run == "dense"].test_error.tolist() == [0.75]
    assert read_variants(variants, []).empty


def test_tables_of_free_ratios(tmp_path: Path) -> None:
    csv, markdown = tmp_path / "free.csv", tmp_path / "free.md"
    rows = world(GROWING)
    write_free_ratios(pd.concat([rows, replaced(rows)]), csv, markdown)
    table = pd.read_csv(csv)
    assert list(table.columns[:3]) == ["task", "width", "epochs"]
    chosen = table[(table.task == "chord") & (table.run == TRIM) & (table.epochs == 20)]
    assert chosen.free_within_a_point.tolist() == [2, 4, 8]
    assert chosen.dense_error.tolist() == pytest.approx([0.1] * 3)
    onset = table[(table.task == "onset") & (table.run == TRIM)]
    assert onset.epochs.isna().all()
    page = markdown.read_text()
    assert "same shape (of trim)" in page
    assert "nan" not in page
    # Ratios end at 8: the widest is free there, and perhaps beyond.
    assert chosen.point_is_last.tolist() == [False, False, True]
    assert "| chord | 1 | 20 | trim | 3 | 6,400 | 0.1 | ≥ 8 | ≥ 8 |" in page
    assert "| chord | 0.5 | 20 | trim | 3 | 1,600 | 0.1 | 4 | 4 |" in page


def test_a_run_of_fewer_seeds_is_told_beside_their_dense_networks(tmp_path: Path) -> None:
    """Dense .1, .3 and .3; the trim of the first seed alone has .105, which is free at .1."""
    rows = [
        line("dense", seed, 1, 100, error, width=1) for seed, error in enumerate((0.1, 0.3, 0.3))
    ]
    rows.append(line(TRIM, 0, 4, 25, 0.105, width=1))
    write_free_ratios(pd.DataFrame(rows), tmp_path / "free.csv", tmp_path / "free.md")
    (told,) = pd.read_csv(tmp_path / "free.csv").to_dict("records")
    assert (told["seeds"], told["dense_error"], told["free_within_a_point"]) == (1, 0.1, 4)
    assert from_dense(*(pd.DataFrame(part) for part in (rows[:3], rows[3:]))).seed.tolist() == [
        0,
        0,
    ]


def replaced(rows: pd.DataFrame) -> pd.DataFrame:
    """A task of which the lengths are not varied."""
    return rows[rows.level_epochs == 20].assign(task="onset", level_epochs=np.nan)


def test_the_figures_show_every_width_run_and_length() -> None:
    rows = world(GROWING)
    figure = figures.draw_task(rows)
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == 3 * 2  # runs, lengths
    widths = {text for axes in panels for text in axes.get_legend_handles_labels()[1]}
    assert widths == {"width 1/4", "width 1/2", "width 1", "trained at that size, 3 seeds",
                      "trained in the shape of a trim, 3 seeds"}  # fmt: skip
    scratch = next(one for one in panels[0].lines if one.get_label().startswith("trained at"))
    assert scratch.get_xdata().tolist() == [400, 1600, 6400]
    narrow = next(one for one in panels[0].lines if one.get_label() == "width 1/4")
    assert narrow.get_xdata().tolist() == [50, 100, 200, 400]
    recorded = read_recorded_curves(ROOT / "config/recorded_curves.yaml")
    sizes = figure.axes[0].xaxis.get_major_formatter()
    assert [sizes(size) for size in (300, 30_000, 1_000_000)] == ["300", "30k", "1M"]
    assert not len(figure.axes[0].xaxis.get_minorticklocs())
    free = figures.draw_free(pd.concat([rows, replaced(rows)]), recorded)
    chord = next(axes for axes in free.axes if axes.get_title(loc="left") == "chord (3 seeds)")
    solid = [one for one in chord.lines if one.get_linestyle() == "-" and len(one.get_xdata()) == 3]
    assert [one.get_ydata().tolist() for one in solid] == [[1, 2, 4], [2, 4, 8]]
    (star,) = [one for one in chord.lines if one.get_marker() == "*"]
    curve = next(c for c in recorded.of_task("chord") if c.name == "trim")
    pairs = zip(curve.ratio, curve.relative_error, strict=True)
    assert star.get_ydata() == [max(ratio for ratio, error in pairs if error <= 1.1)]
    told = [axes.get_title(loc="left") for axes in panels]
    assert told[0] == "trim, rewound, 5 epochs, 3 seeds"
    fewer = rows[(rows.level_width < 1) | (rows.seed == 0)]
    panel = figures.draw_task(fewer).axes[0]
    assert panel.get_title(loc="left") == "trim, rewound, 5 epochs, 1–3 seeds"
    assert "trained at that size, 1–3 seeds" in panel.get_legend_handles_labels()[1]
    one = figures.draw_free(fewer[fewer.seed == 0]).axes[0].get_title(loc="left")
    assert one == "chord (1 seed)"
    with pytest.raises(ArtefactError, match="no rows of trims"):
        figures.draw_task(rows[rows.run == "dense"])
    with pytest.raises(ArtefactError, match="no rows of trims"):
        figures.draw_free(rows[rows.run == "dense"])


def test_evidence_without_variants_is_what_it_was() -> None:
    evidence = TaskEvidence("chord", pd.DataFrame(), {})
    assert replace(evidence, variants=None) == evidence


def test_the_interval_of_seeds_is_that_of_student() -> None:
    """Mean −3, deviation √7; t of 0.975 with two degrees of freedom is 4.302653."""
    found = over_seeds(pd.Series([-1.0, -2.0, -6.0]), "a", "b", [4], "")
    assert found.effect == -3
    # t of 3 / √(7 / n) with n − 1 degrees of freedom: n seeds decide with a chance of 80 %.
    assert found.spread is not None
    assert (found.spread.freedom(), found.spread.of_seeds) == (2, 7)
    assert seeds_to_decide(found.distance, found.spread) == 9
    assert found.low == pytest.approx(-3 - 4.302653 * np.sqrt(7 / 3), abs=1e-5)
    assert found.high == pytest.approx(-3 + 4.302653 * np.sqrt(7 / 3), abs=1e-5)
    assert found.p_value == pytest.approx(0.188497, abs=1e-6)
    # Seeds that agree to the last digit: the sign test, 2 / 2³.
    found = over_seeds(pd.Series([-1.0, -1.0, -1.0]), "a", "b", [4], "")
    assert (found.effect, found.p_value) == (-1, 0.25)
    assert np.isnan([found.low, found.high]).all()  # none that p would not contradict
    assert found.spread is None
    found = over_seeds(pd.Series([-1.0]), "a", "b", [4], "x")
    assert found.note == "x; one seed decides nothing"
    assert np.isnan(found.p_value)
