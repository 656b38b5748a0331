"""Rows of scores on recordings: what goes in comes out, and what cannot be is refused."""

from pathlib import Path

import pandas as pd
import pytest

from mirtrim.runs.recording_rows import COLUMNS, read_recording_rows
from mirtrim.runs.tables_on_disk import write_csv
from mirtrim.utils.errors import ArtefactError


def rows() -> pd.DataFrame:
    """A network and a rule on one recording, whose name looks like a number."""
    both = {"set": "kits", "task": "onset", "recording": "07", "measure": "f_measure"}
    network = {
        "estimator": "dense", "kind": "network", "library": "-", "ratio": 1.0, "weights": "w",
        "rendered": 0.75, "value": 0.5, "digest": "1e5",
    }  # fmt: skip
    rule = {
        "estimator": "flux", "kind": "rule", "library": "librosa 1", "ratio": float("nan"),
        "weights": "-", "rendered": float("nan"), "value": 0.25, "digest": "d",
    }  # fmt: skip
    return pd.DataFrame([both | network, both | rule])[list(COLUMNS)]


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    write_csv(path, rows())
    assert path.read_text().startswith("set,task,recording,")  # no numbers of lines
    pd.testing.assert_frame_equal(read_recording_rows([path]), rows())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (rows().assign(value=[0.5, float("nan")]), "column value: not a finite number"),
        (rows().assign(value=[float("inf"), 0.5]), "column value: not a finite number"),
        (rows().assign(kind="person"), "column kind: person is neither network nor rule"),
        (rows().drop(columns="digest"), "column digest is missing"),
    ],
)
def test_what_are_no_scores_is_refused(tmp_path: Path, changed: pd.DataFrame, message: str) -> None:
    path = tmp_path / "rows.csv"
    write_csv(path, changed)
    with pytest.raises(ArtefactError, match=rf"rows\.csv .* \({message}\); delete it and run"):
        read_recording_rows([path])
