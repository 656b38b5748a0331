"""Jobs on another device: nothing is left behind on the processor, and the numbers are the same."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from mirtrim.pruning.criteria import UNIT_CRITERIA, Scoring, score_units
from mirtrim.pruning.methods import METHODS
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.rows import read_rows
from mirtrim.training import CPU, EpochReport
from mirtrim.units.finding import discover
from tests.pretend_gpu import GPU, PretendGpu
from tests.runs.jobs.synthetic import Job

SHORT = {"epochs": 1, "examples_per_epoch": 48}
# They need a run to copy, inputs in groups of four, and layers of more than eight units.
LEFT_OUT = (
    "same_shape", "same_mask", "trim_fast",
    *(name for name in METHODS if name.startswith("semi_structured")),
)  # fmt: skip
# Of rank 1, the synthetic network is not smaller than a third of itself.
RATIOS = {"low_rank": [2, 2.5]}
RUNS: list[dict[str, Any]] = [
    *({"method": name} for name in sorted(METHODS) if name not in LEFT_OUT),
    {"method": "mask", "criterion": "gradient"},
    {"method": "mask", "order": "shuffled", "criterion": "random"},
    {"method": "mask", "scope": "global"},
]


def rows(path: Path) -> pd.DataFrame:
    return read_rows([path]).drop(columns=["train_seconds", "total_train_seconds"])


@pytest.mark.parametrize("run", RUNS, ids=lambda run: "-".join(run.values()))
def test_a_job_on_another_device_gives_the_rows_of_the_processor(
    undisturbed: Path, tmp_path: Path, run: dict[str, Any]
) -> None:
    here, there = Job(tmp_path / "here", CPU, SHORT), Job(tmp_path / "there", GPU, SHORT)
    for job in (here, there):
        for name in ("dense.safetensors", "dense.csv"):
            (job.folder / name).write_bytes((undisturbed / name).read_bytes())
    ratios = RATIOS.get(run["method"], [2, 4])
    here.compress(**run, ratios=ratios)
    with PretendGpu():
        there.compress(**run, ratios=ratios)
    name = f"{run['method']}.csv"
    pd.testing.assert_frame_equal(rows(there.folder / name), rows(here.folder / name))
    networks = [
        folder / run["method"] / f"ratio-{ratios[-1]}.safetensors"
        for folder in (here.folder, there.folder)
    ]
    assert networks[0].read_bytes() == networks[1].read_bytes()


def test_a_dense_job_killed_on_another_device_goes_on_there(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(stage: str, epoch: EpochReport) -> None:
        if epoch.epoch == 2:
            raise Killed

    here, there = Job(tmp_path / "here"), Job(tmp_path / "there", GPU)
    here.dense()
    with PretendGpu():
        with pytest.raises(Killed):
            there.dense(progress=kill)
        assert list((there.folder / "resume").glob("*/fit.safetensors"))
        there.dense()
    pd.testing.assert_frame_equal(rows(there.folder / "dense.csv"), rows(here.folder / "dense.csv"))
    dense = [load_dense(job.folder / "dense.safetensors") for job in (here, there)]
    for part in ("initial", "rewind", "best"):
        states = [getattr(one, part) for one in dense]
        assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


@pytest.mark.parametrize("criterion", sorted(UNIT_CRITERIA))
def test_a_criterion_scores_units_on_another_device(undisturbed: Path, criterion: str) -> None:
    setting = Job(undisturbed).setting
    generator = torch.Generator()
    inputs, targets = torch.randn(24, 1, 8, 10), torch.rand(24, 1, 10).round()

    def scores(device: torch.device) -> dict[str, torch.Tensor]:
        network = setting.new_network(0).to(device).eval()
        graph = discover(network, inputs[:1].to(device))
        batch = (inputs.to(device), targets.to(device))
        scoring = Scoring(
            network, graph, generator.manual_seed(0), batches=lambda: iter([batch]),
            loss=lambda outputs, targets: setting.task.loss(outputs, targets, setting.training),
        )  # fmt: skip
        return {name: value.cpu() for name, value in score_units(criterion, scoring).items()}

    here = scores(CPU)
    with PretendGpu():
        there = scores(GPU)
    assert len(here) > 1
    assert here.keys() == there.keys()
    for name, value in here.items():
        assert torch.equal(value, there[name]), name
