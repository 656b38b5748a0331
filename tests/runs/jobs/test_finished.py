"""Finished rounds are read as they were kept."""

from pathlib import Path

import pandas as pd
import pytest
from torch import nn

from mirtrim.pruning.methods.interface import Ticket
from mirtrim.runs.jobs.finished import Finished, load_finished, save_finished
from mirtrim.runs.jobs.rounds import Cost
from tests.analysis.test_rows_tables import row


@pytest.mark.parametrize(
    "names", [["007", "1e3"], ["7", "08"], ["NA", "None"], ["nan", "null"], ["True", "a"]]
)
def test_pieces_keep_their_names(names: list[str], tmp_path: Path) -> None:
    """Rounds before and after a stop are compared piece by piece."""
    pieces = pd.DataFrame({"track_id": names, "score": [0.25, 1.0], "task": "onset"})
    network = nn.Linear(2, 2)
    kept = Finished(Ticket(network, network.state_dict()), row(), pieces, Cost(1, 1.0, 1))
    save_finished(tmp_path, kept)
    found = load_finished(tmp_path, lambda: nn.Linear(2, 2))
    assert found is not None
    pd.testing.assert_frame_equal(found.pieces, pieces, check_dtype=False)
    assert found.row == kept.row
