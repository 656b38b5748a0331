"""Dense networks beside rules without one: paired by piece, tested by cluster."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mirtrim.analysis.simple_rules import dense_beside_rules, read_rules
from mirtrim.utils.errors import ArtefactError
from tests.analysis.worlds import TRIM, about, world


def rule(scores: list[float], task: str = "onset") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "task": task, "corpus": "mini", "baseline": "spectral flux",
            "track_id": [f"drummer{1 + n // 2}/{n}" for n in range(len(scores))],
            "score": scores, "data_digest": "d",
        }
    )  # fmt: skip


def dense() -> pd.DataFrame:
    """Error 0.3 on every piece and seed, beside a trimmed network that does not count."""
    _, pieces = world({("dense", 1): np.full((3, 4), 0.3), (TRIM, 4): about(0.9)})
    pieces["track_id"] = [f"drummer{1 + n % 4 // 2}/{n % 4}" for n in range(len(pieces))]
    return pieces


CORPORA = {"mini": {"loader": "groove_midi", "mode": "embedded"}}


def test_the_difference_by_hand() -> None:
    """Errors of the rule 0.1, 0.1, 0.3, 0.3: 0.2 on the mean, 0.3 − 0.2 behind it."""
    found = dense_beside_rules(dense(), rule([0.9, 0.9, 0.7, 0.7]), CORPORA, 0).iloc[0]
    assert (found.task, found.baseline) == ("onset", "spectral flux")
    assert (found.error, found.dense) == pytest.approx((0.2, 0.3))
    assert found.difference == pytest.approx(0.1)
    assert (found.clusters, found.cluster_kind) == (2, "drummer")
    # Two drummers, 0.2 and 0 behind: nobody can tell.
    assert found.low < 0 < found.high
    alone = dense_beside_rules(dense(), rule([0.9, 0.9, 0.7, 0.7]), {}, 0).iloc[0]
    assert alone.clusters == 4
    assert alone.high - alone.low < found.high - found.low


def test_other_pieces_are_refused() -> None:
    with pytest.raises(ArtefactError, match="onset: spectral flux was scored on other pieces"):
        dense_beside_rules(dense(), rule([0.9] * 3), CORPORA, 0)


def test_a_task_without_networks_is_left_out() -> None:
    assert dense_beside_rules(dense(), rule([0.9] * 4, "pitch"), CORPORA, 0).empty


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "onset.csv"
    rule([0.9, 0.8]).to_csv(path, index=False)
    assert len(read_rules([path])) == 2
    rule([0.9, float("nan")]).to_csv(path, index=False)
    with pytest.raises(ArtefactError, match=r"onset\.csv .*score: not a finite number"):
        read_rules([path])
    rule([0.9]).drop(columns="baseline").to_csv(path, index=False)
    with pytest.raises(ArtefactError, match=r"onset\.csv .*column baseline is missing"):
        read_rules([path])
