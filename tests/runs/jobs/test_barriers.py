"""The job of barriers: the tickets of a finished run, trained twice from where they began."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mirtrim.pruning.methods import settings_of
from mirtrim.pruning.settings import DENSE
from mirtrim.runs.jobs.compress import Run
from mirtrim.runs.jobs.connectivity import _begun, measure_barriers, tickets_of
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.jobs.networks import load_round
from mirtrim.runs.jobs.rounds import Cost
from mirtrim.runs.measured_rows import Barrier, read_measured
from mirtrim.runs.rows import read_rows
from mirtrim.training import state_of
from mirtrim.utils.errors import ArtefactError, ConfigError
from tests.runs.jobs.synthetic import RATIOS, Job


def run_of(folder: Path, method: str, **choices: str) -> Run:
    dense = load_dense(folder / "dense.safetensors")
    settings = settings_of({"method": method, "scope": "local", **choices})
    rounds = dict(enumerate(map(float, RATIOS), start=1))
    return Run(Job(folder).setting, dense, Cost(), settings, rounds, 0)


def test_tickets_have_the_shape_and_masks_of_their_networks_and_rewound_weights(
    undisturbed: Path,
) -> None:
    run = run_of(undisturbed, "mask")
    rewind = run.dense.rewind
    for ratio, _, ticket in tickets_of(run, undisturbed / "mask"):
        begin = state_of(ticket.network)
        trained = load_round(undisturbed / "mask", ratio, lambda: run.setting.new_network(0))
        for name, mask in ticket.masks.items():
            assert torch.equal(begin[name], rewind[name] * mask)
            # What the run's own mask held at zero is what this one holds.
            assert not trained.state_dict()[name][~mask].any()
    shapes = []
    for ratio, _, ticket in tickets_of(run_of(undisturbed, "trim"), undisturbed / "trim"):
        trained = load_round(undisturbed / "trim", ratio, lambda: run.setting.new_network(0))
        shapes.append({n: t.shape for n, t in ticket.network.state_dict().items()})
        assert shapes[-1] == {n: t.shape for n, t in trained.state_dict().items()}
        # Every value was one of the dense network at the rewind epoch.
        for name, value in ticket.network.named_parameters():
            assert torch.isin(value, rewind[name]).all()
    assert shapes[0] != shapes[1]


def test_no_network_behind_the_last_ratio_is_looked_for(undisturbed: Path, tmp_path: Path) -> None:
    """The first ticket is cut from the dense network alone, the second from the first network."""
    rows = read_rows([undisturbed / "trim.csv"])
    run = run_of(undisturbed, "trim")
    # A ratio that was not run is passed over.
    first = [row.target_ratio for row, _, _ in _begun(run, rows, tmp_path, [2.0, 3.0])]
    assert first == [2.0]
    with pytest.raises(ArtefactError, match="ratio-2"):
        list(_begun(run, rows, tmp_path, [2.0, 4.0]))
    for path in (undisturbed / "trim").glob("ratio-2.*"):
        shutil.copy(path, tmp_path)
    both = [row.target_ratio for row, _, _ in _begun(run, rows, tmp_path, [2.0, 4.0])]
    assert both == [2.0, 4.0]


def test_the_job_writes_a_barrier_for_each_ratio_that_is_asked_for(
    undisturbed: Path, tmp_path: Path
) -> None:
    rows = read_rows([undisturbed / "trim.csv"])
    said: list[str] = []
    measure_barriers(
        run_of(undisturbed, "trim"), rows, undisturbed / "trim", [4.0],
        tmp_path / "trim.csv", code_digest="0" * 64, tell=said.append,
    )  # fmt: skip
    found = read_measured(Barrier, [tmp_path / "trim.csv"])
    assert found.target_ratio.tolist() == [4.0]
    (line,) = found.to_dict("records")
    (of_row,) = rows[rows.target_ratio == 4].to_dict("records")
    assert [line[k] for k in ("parameters", "round", "network_digest")] == [
        of_row[k] for k in ("parameters", "round", "code_digest")
    ]
    errors = json.loads(line["errors"])
    assert len(errors) == 11
    assert [errors[0], errors[-1]] == pytest.approx([line["first_error"], line["second_error"]])
    expected = max(errors) - (errors[0] + errors[-1]) / 2
    assert line["error_barrier"] == pytest.approx(expected, abs=2e-6)
    assert line["epochs"] == 3
    assert len(said) == 1
    assert "ratio 4" in said[0]


def test_the_dense_network_is_trained_twice_from_its_rewind_epoch(
    undisturbed: Path, tmp_path: Path
) -> None:
    run = replace(run_of(undisturbed, "trim"), settings=DENSE)
    rows = read_rows([undisturbed / "dense.csv"])
    path = tmp_path / "dense.csv"
    measure_barriers(run, rows, None, [4.0], path, code_digest="0" * 64)
    found = read_measured(Barrier, [path])
    assert found.method.tolist() == ["dense"]
    assert found.error_barrier.notna().all()


def test_what_has_no_tickets_or_other_networks_is_refused(
    undisturbed: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="feedback_local does not go from ticket to ticket"):
        next(tickets_of(run_of(undisturbed, "feedback"), undisturbed / "trim"))
    # Masked networks where trimmed ones should be.
    wrong = tickets_of(run_of(undisturbed, "trim"), undisturbed / "mask")
    next(wrong)
    with pytest.raises(ArtefactError, match="is not of the ticket"):
        next(wrong)
    rows = read_rows([undisturbed / "trim.csv"])
    with pytest.raises(ConfigError, match="no ratio of 3.0 was run"):
        measure_barriers(
            run_of(undisturbed, "trim"), rows, undisturbed / "trim", [3.0],
            tmp_path / "x.csv", code_digest="-",
        )  # fmt: skip
    assert not list(tmp_path.iterdir())
