"""The inspection job: rows of finished networks, in a table of their own."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch import nn

from mirtrim.runs.jobs.inspections import inspect_networks, units_of
from mirtrim.runs.jobs.networks import trained_networks
from mirtrim.runs.measured_rows import Inspection, read_measured
from mirtrim.runs.rows import read_rows
from mirtrim.runs.tables import job_path, read_cells, record, table_path
from mirtrim.utils.errors import ArtefactError
from tests.runs.jobs.synthetic import Job


def inspected(folder: Path, path: Path, method: str) -> pd.DataFrame:
    network = folder / ("dense.safetensors" if method == "dense" else method)
    rows = read_rows([folder / f"{method}.csv"])
    done: list[tuple[int, int]] = []
    inspect_networks(
        Job(folder).setting, rows, network, path, code_digest="0" * 64,
        count=lambda now, of_all: done.append((now, of_all)),
    )  # fmt: skip
    assert done == [(n, len(rows)) for n in range(1, len(rows) + 1)]
    return read_measured(Inspection, [path])


@pytest.mark.parametrize("method", ["dense", "trim", "mask"])
def test_every_network_of_a_run_is_inspected(
    undisturbed: Path, tmp_path: Path, method: str
) -> None:
    found = inspected(undisturbed, tmp_path / "found.csv", method)
    rows = read_rows([undisturbed / f"{method}.csv"])
    assert found.target_ratio.tolist() == rows.target_ratio.tolist()
    assert found.parameters.tolist() == rows.parameters.tolist()
    assert found.network_digest.tolist() == rows.code_digest.tolist()
    assert found.test_error.to_numpy() == pytest.approx(rows.test_error.to_numpy(), abs=1e-6)
    for line in found.to_dict("records"):
        # Two test tracks of 60 frames, one detector.
        assert line["judgements"] == 120
        counts, probability, share = np.array(json.loads(line["reliability"])).T
        assert counts.sum() == 120
        assert line["share_true"] == pytest.approx((counts * share).sum() / 120, abs=1e-5)
        error = (counts * np.abs(share - probability)).sum() / 120
        assert line["calibration_error"] == pytest.approx(error, abs=1e-5)
        mean = (counts * probability).sum() / 120
        assert line["overconfidence"] == pytest.approx(mean - line["share_true"], abs=1e-5)
        assert 0 < line["brier"] < 1
        assert line["worst_class"] == "-"


def test_units_are_those_of_the_networks(undisturbed: Path, tmp_path: Path) -> None:
    dense, trim, mask = (
        [json.loads(text) for text in inspected(undisturbed, tmp_path / "x.csv", method).units]
        for method in ("dense", "trim", "mask")
    )
    assert list(mask[0]) == list(dense[0])
    assert mask == [dense[0]] * 2
    assert all(trim[1][name] <= trim[0][name] <= dense[0][name] for name in dense[0])
    assert sum(trim[1].values()) < sum(trim[0].values()) < sum(dense[0].values())
    setting, rows = Job(undisturbed).setting, read_rows([undisturbed / "trim.csv"])
    networks = [n for _, n in trained_networks(setting, rows, undisturbed / "trim")]
    assert [units_of(network) for network in networks] == trim


def test_units_of_layers_by_hand() -> None:
    network = nn.Sequential(
        nn.Conv1d(2, 6, 3), nn.BatchNorm1d(6), nn.ReLU(), nn.Flatten(), nn.Linear(12, 5)
    )
    assert units_of(network) == {"0": 6, "4": 5}


def test_inspections_are_recorded_beside_the_rows(undisturbed: Path, tmp_path: Path) -> None:
    path = job_path(tmp_path, "inspections", "onset", "trim_magnitude_local_rewind_seed0")
    inspected(undisturbed, path, "trim")
    record(path)
    table = table_path(tmp_path, "inspections", "onset")
    assert table == tmp_path / "inspections" / "onset.csv"
    assert [line["target_ratio"] for line in read_cells(table)] == ["2", "4"]
    jobs = {"onset": ["trim_magnitude_local_rewind_seed0"]}
    assert len(read_measured(Inspection, [], [table], jobs)) == 2
    with pytest.raises(ArtefactError, match="no rows of this job"):
        read_measured(Inspection, [], [table], {"onset": ["dense_seed0"]})
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0].replace("brier", "beer"), *lines[1:]]))
    with pytest.raises(ArtefactError, match="beer, brier differ"):
        read_measured(Inspection, [], [table])


def test_no_files_are_no_lines() -> None:
    assert "calibration_error" in read_measured(Inspection, []).columns
