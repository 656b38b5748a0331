"""The job of singular directions: each run beside the weights of the dense network that it kept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mirtrim.pruning.methods import settings_of
from mirtrim.pruning.settings import DENSE
from mirtrim.pruning.singular import matrices_of
from mirtrim.runs.jobs.compress import Run
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.jobs.networks import trained_networks
from mirtrim.runs.jobs.rounds import Cost
from mirtrim.runs.jobs.singular import changed_networks, layers_compared, measure_directions
from mirtrim.runs.measured_rows import SingularView, read_measured
from mirtrim.runs.rows import read_rows
from mirtrim.utils.errors import ConfigError
from tests.runs.jobs.synthetic import RATIOS, Job

LOW = {"low_rank": [2, 2.5]}  # of rank 1 the network is not smaller than that


def run_of(folder: Path, method: str, **choices: str) -> Run:
    dense = load_dense(folder / "dense.safetensors")
    settings = settings_of({"method": method, "scope": "local", **choices})
    rounds = dict(enumerate(map(float, LOW.get(method, RATIOS)), start=1))
    return Run(Job(folder).setting, dense, Cost(), settings, rounds, 0)


@pytest.fixture(scope="module")
def others(undisturbed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A low-rank and a separable run of that dense network."""
    folder = tmp_path_factory.mktemp("others")
    for name in ("dense.safetensors", "dense.csv"):
        (folder / name).write_bytes((undisturbed / name).read_bytes())
    for method in ("low_rank", "depthwise"):
        Job(folder).compress(method, ratios=LOW.get(method, RATIOS))
    return folder


def test_kept_units_are_compared_with_their_own_weights(undisturbed: Path) -> None:
    """Rows and columns of the dense weight, as in the ticket that a chain has cut of it."""
    run = run_of(undisturbed, "trim", reset="finetune")
    job = Job(undisturbed)
    rows = read_rows([undisturbed / "trim.csv"])
    trained = dict(
        (row.target_ratio, network)
        for row, network in trained_networks(job.setting, rows, undisturbed / "trim")
    )
    sizes = []
    for ratio, network, dense in changed_networks(
        run_of(undisturbed, "trim"), undisturbed / "trim"
    ):
        assert {n: t.shape for n, t in network.state_dict().items()} == {
            n: t.shape for n, t in dense.items()
        }
        assert torch.equal(matrices_of(network)["branch"], matrices_of(trained[ratio])["branch"])
        # Every row that is left is a part of one row of the dense network.
        whole = run.dense.best["linear1.0.weight"]
        for line in dense["linear1.0.weight"]:
            assert any(torch.isin(line, row).all() for row in whole)
        sizes.append(sum(t.numel() for t in dense.values()))
    assert sizes[0] > sizes[1]


def test_a_network_that_has_not_changed_has_no_intruders(undisturbed: Path) -> None:
    run = replace(run_of(undisturbed, "trim"), settings=DENSE)
    ((ratio, network, dense),) = changed_networks(run, None)
    assert ratio == 1.0
    found = layers_compared(network, dense, 0.99)
    assert {name: layer.intruders for name, layer in found.items()} == dict.fromkeys(found, 0)
    assert "conv3" not in found  # one output
    assert {"conv1.0", "conv2.0", "linear1.0", "branch", "heads.0.output"} <= set(found)
    with torch.no_grad():
        network.branch.weight.copy_(torch.roll(torch.eye(16), 1, 0) @ network.branch.weight)
    assert layers_compared(network, dense, 0.99)["branch"].intruders > 0


@pytest.mark.parametrize("method", ["trim", "mask", "low_rank"])
def test_the_job_writes_a_line_for_each_ratio_that_is_asked_for(
    undisturbed: Path, others: Path, tmp_path: Path, method: str
) -> None:
    folder = others if method == "low_rank" else undisturbed
    rows = read_rows([folder / f"{method}.csv"])
    path = tmp_path / f"{method}.csv"
    run = run_of(folder, method)
    measure_directions(run, rows, folder / method, [2.0, 5.0], path, code_digest="0" * 64)
    found = read_measured(SingularView, [path])
    assert found.target_ratio.tolist() == [2.0]
    (line,) = found.to_dict("records")
    assert line["threshold"] == 0.5
    layers = json.loads(line["layers"]).values()
    shares = [layer["intruders"] / layer["directions"] for layer in layers]
    assert line["intruder_share"] == pytest.approx(sum(shares) / len(shares))
    ranks = [layer["effective_rank"] for layer in layers]
    assert line["effective_rank"] == pytest.approx(sum(ranks) / len(ranks), abs=1e-5)
    assert all(1 <= rank <= layer["directions"] for rank, layer in zip(ranks, layers, strict=True))
    assert 0 < line["leading_energy"] <= 1
    # Of the dense network, one line.
    dense = replace(run, settings=DENSE)
    dense_rows = read_rows([folder / "dense.csv"])
    measure_directions(dense, dense_rows, None, [2.0], path, code_digest="0" * 64)
    (whole,) = read_measured(SingularView, [path]).to_dict("records")
    assert (whole["method"], whole["target_ratio"], whole["intruder_share"]) == ("dense", 1.0, 0.0)
    if method == "low_rank":
        assert line["effective_rank"] < whole["effective_rank"]


def test_what_no_dense_network_is_behind_is_refused(
    undisturbed: Path, others: Path, tmp_path: Path
) -> None:
    path = tmp_path / "x.csv"
    rows = read_rows([others / "depthwise.csv"])
    run = run_of(others, "depthwise")
    with pytest.raises(ConfigError, match="depthwise is trained from scratch"):
        measure_directions(run, rows, others / "depthwise", [2.0], path, code_digest="-")
    rows = read_rows([undisturbed / "trim.csv"])
    run = run_of(undisturbed, "trim")
    _, network, _ = next(changed_networks(run, undisturbed / "trim"))
    with pytest.raises(ConfigError, match="layer .* is not of the dense network's sizes"):
        layers_compared(network, run.dense.best)
    with pytest.raises(ConfigError, match="trim_magnitude_local_rewind has no ratio of 3"):
        measure_directions(run, rows, undisturbed / "trim", [3.0], path, code_digest="-")
    assert not path.exists()


@pytest.mark.parametrize("method", ["low_rank", "depthwise"])
def test_networks_of_pairs_are_read_back_and_killed_jobs_go_on(
    others: Path, tmp_path: Path, method: str
) -> None:
    """Killed after its first round, a job reads that round again and trains the second only."""

    class Killed(Exception):
        pass

    for name in ("dense.safetensors", "dense.csv"):
        (tmp_path / name).write_bytes((others / name).read_bytes())
    stages: list[str] = []
    ratios = LOW.get(method, RATIOS)

    def kill(stage: str, epoch: object) -> None:
        stages.append(stage)
        if "round 2" in stage:
            raise Killed

    with pytest.raises(Killed):
        Job(tmp_path).compress(method, progress=kill, ratios=ratios)
    stages.clear()
    Job(tmp_path).compress(
        method, progress=lambda stage, epoch: stages.append(stage), ratios=ratios
    )
    assert {stage[:9] for stage in stages} == {"round 2/2"}
    for ratio in ratios:
        name = f"{method}/ratio-{ratio}.safetensors"
        assert (tmp_path / name).read_bytes() == (others / name).read_bytes()
    rows = read_rows([tmp_path / f"{method}.csv"])
    for row, network in trained_networks(Job(tmp_path).setting, rows, tmp_path / method):
        assert sum(p.numel() for p in network.parameters()) == row.parameters
        assert Job(tmp_path).setting.evaluate(network).test_error == pytest.approx(row.test_error)
