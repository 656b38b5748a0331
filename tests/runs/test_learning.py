"""Learning curves: read back from logs, through kills and repetitions, and drawn."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.analysis.figures.learning import draw_learning
from mirtrim.pruning.settings import DENSE, PruningSettings
from mirtrim.runs.learning import (
    Epoch,
    epoch_text,
    read_learning,
    read_log,
    write_learning,
)
from mirtrim.runs.tables import job_path, record, table_path
from mirtrim.utils.errors import ArtefactError

TRIM = PruningSettings("trim")


def log(path: Path, *told: tuple[str, int, float, float]) -> Path:
    lines = ["2026-01-01 INFO features are there"]
    for stage, epoch, train, validation in told:
        text = epoch_text(stage, epoch, 3, train, validation)
        lines.append(f"2026-01-01 10:00:00,1 INFO {text} | about 3 s left in this job")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_is_told_is_read(tmp_path: Path) -> None:
    path = log(
        tmp_path / "a.log",
        ("round 1/2, ratio 1.5", 1, 0.5, 0.25),
        ("round 1/2, ratio 1.5", 2, 0.4, 1e6),
        ("round 2/2, ratio 16, training 2/3", 1, 3.14159, float("nan")),
    )
    *first, last = read_log(path)
    assert first == [Epoch(1.5, 1, 1, 0.5, 0.25), Epoch(1.5, 1, 2, 0.4, 1e6)]
    assert (last.target_ratio, last.part, last.train_loss) == (16.0, 2, 3.14159)
    (dense,) = read_log(log(tmp_path / "b.log", ("dense", 1, 1.0, 2.0)))
    assert dense == Epoch(1.0, 1, 1, 1.0, 2.0)


def test_a_job_that_went_on_or_began_again_has_every_epoch_once(tmp_path: Path) -> None:
    """Killed after epoch 3, on from 2; then a shorter training of the same ratio from 1."""
    stage = "round 1/1, ratio 2"
    on = [(stage, 1, 9, 9), (stage, 2, 8, 8), (stage, 3, 7, 7), (stage, 2, 6, 6), (stage, 3, 5, 5)]
    path = log(tmp_path / "a.log", *on)
    assert [(e.epoch, e.train_loss) for e in read_log(path)] == [(1, 9.0), (2, 6.0), (3, 5.0)]
    path = log(tmp_path / "a.log", *on, (stage, 1, 4, 4), (stage, 2, 3, 3))
    assert [(e.epoch, e.train_loss) for e in read_log(path)] == [(1, 4.0), (2, 3.0)]


def test_a_log_without_epochs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="tells of no epoch"):
        read_log(log(tmp_path / "a.log"))


def curves(folder: Path) -> pd.DataFrame:
    """Dense: 1, 0.5. Trim at 4: 0.8, 0.4, of the second training of two 0.6, 0.2."""
    for settings, ratio, losses in (
        (DENSE, 1.0, [(1, [1.0, 0.5])]),
        (TRIM, 4.0, [(1, [0.8, 0.4]), (2, [0.6, 0.2])]),
    ):
        path = job_path(folder, "learning", "chord", f"{settings.name}_seed0")
        epochs = [
            Epoch(ratio, part, n, 2 * loss, loss)
            for part, of_part in losses
            for n, loss in enumerate(of_part, start=1)
        ]
        write_learning(path, "chord", settings.columns, 0, epochs)
        record(path)
    return read_learning([table_path(folder, "learning", "chord")])


def test_curves_are_recorded_and_drawn(tmp_path: Path) -> None:
    found = curves(tmp_path)
    assert len(found) == 6
    figure = draw_learning(found)
    panel = figure.axes[0]
    assert panel.get_title(loc="left") == "trim"
    solid = {
        line.get_label(): list(line.get_ydata())
        for line in panel.lines
        if line.get_linestyle() == "-"
    }
    assert solid == {"dense": [1.0, 0.5], "4x": [0.6, 0.2]}
    dotted = [list(line.get_ydata()) for line in panel.lines if line.get_linestyle() == ":"]
    assert dotted == [[2.0, 1.0], [1.2, 0.4]]
    with pytest.raises(ArtefactError, match="no epochs of a run"):
        draw_learning(found[found.method == "dense"])


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    curves(tmp_path)
    table = table_path(tmp_path, "learning", "chord")
    assert table.name == "chord.csv.gz"
    frame = pd.read_csv(table).drop(columns="epoch")
    frame.to_csv(table, index=False)
    with pytest.raises(ArtefactError, match="columns epoch differ"):
        read_learning([table])
