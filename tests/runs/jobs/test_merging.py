"""Two tasks on the trunk of one ticket: heads, sizes, choice of λ, and the job itself."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from mirtrim.models.spectral import SpectralCNN
from mirtrim.pruning.merging import Weights, task_vector, with_vectors
from mirtrim.pruning.methods import settings_of
from mirtrim.runs.jobs import merging
from mirtrim.runs.jobs.compress import Run
from mirtrim.runs.jobs.connectivity import tickets_of
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.jobs.merging import (
    STRENGTHS,
    Learner,
    measure_merging,
    merged_in_every_way,
    trunk_of,
    with_new_heads,
)
from mirtrim.runs.jobs.networks import load_round
from mirtrim.runs.jobs.rounds import Cost
from mirtrim.runs.jobs.setting import Evaluation, Setting, open_setting
from mirtrim.runs.measured_rows import Merge, read_measured
from mirtrim.runs.rows import read_rows
from mirtrim.tasks.store import write_store
from mirtrim.training import state_of
from mirtrim.utils.errors import ConfigError
from tests.runs.jobs.synthetic import CONFIG, RATIOS, Job


@pytest.fixture(scope="module")
def drums(tmp_path_factory: pytest.TempPathFactory) -> Setting:
    """Noise in which each of three drums raises a third of the bands."""
    folder = tmp_path_factory.mktemp("drums")
    rng = np.random.default_rng(1)
    tracks = []
    for split, count in (("train", 4), ("validation", 2), ("test", 2)):
        for number in range(count):
            targets = (rng.random((60, 3)) < 0.2).astype(np.uint8)
            frames = rng.standard_normal((60, 8)) + 2 * np.repeat(targets, 3, axis=1)[:, :8]
            found = [(0.05 * t, ("kick", "snare", "hihat")[d]) for t, d in np.argwhere(targets)]
            row = {
                "track_id": f"{split}{number}", "split": split, "source": f"{split}{number}",
                "duration_seconds": 3.0,
            }  # fmt: skip
            events = pd.DataFrame(found, columns=["time_seconds", "label"])
            arrays = {"frames": frames.astype(np.float32), "targets": targets}
            tracks.append((row, arrays, events))
    write_store(folder / "store", tracks, "frames")
    return open_setting("test", "drums", CONFIG, folder / "store")


def run_of(folder: Path, method: str, **choices: str) -> Run:
    settings = settings_of({"method": method, "scope": "local", **choices})
    dense, rounds = load_dense(folder / "dense.safetensors"), dict(enumerate(map(float, RATIOS), 1))
    return Run(Job(folder).setting, dense, Cost(), settings, rounds, 0)


def ticket_of(folder: Path, ratio: float = 2.0) -> nn.Module:
    return next(
        t.network for r, _, t in tickets_of(run_of(folder, "trim"), folder / "trim") if r == ratio
    )


def test_new_heads_have_the_trimmed_shape_and_leave_the_trunk(
    undisturbed: Path, drums: Setting
) -> None:
    start = ticket_of(undisturbed)
    before = state_of(start)
    network = with_new_heads(start, drums, 0)
    shapes = [[tuple(p.shape) for p in head.parameters()] for head in network.heads]  # type: ignore[union-attr]
    assert shapes == 3 * [[tuple(p.shape) for p in start.heads[0].parameters()]]  # type: ignore[index, union-attr]
    trunk = trunk_of(network)
    assert all(torch.equal(value, before[name]) for name, value in trunk.items())
    assert not any(name.startswith("heads") for name in trunk)
    # Fresh, each its own, the same for the same seed.
    first, second = (head[0].weight for head in list(network.heads)[:2])  # type: ignore[arg-type, union-attr]
    assert not torch.equal(first, second)
    assert not torch.equal(first, start.heads[0][0].weight)  # type: ignore[index, union-attr]
    again = with_new_heads(start, drums, 0)
    assert all(torch.equal(v, network.state_dict()[n]) for n, v in again.state_dict().items())
    assert not torch.equal(with_new_heads(start, drums, 1).heads[0][0].weight, first)  # type: ignore[index, union-attr]
    assert all(torch.equal(v, before[n]) for n, v in state_of(start).items())


def test_what_has_no_heads_or_other_outputs_is_refused(undisturbed: Path, drums: Setting) -> None:
    with pytest.raises(ConfigError, match="has no trunk with heads; choose onset and drums"):
        with_new_heads(nn.Sequential(nn.Linear(2, 2)), drums, 0)
    longer = SpectralCNN(frames=10, mel_bins=8, channels=4, hidden=16, outputs_per_frame=2)
    with pytest.raises(ConfigError, match=r"outputs of shape \(1, 3, 2, 10\), .*\(1, 3, 10\)"):
        with_new_heads(longer, drums, 0)


class Pretended:
    """A task whose error is the distance of a trunk of one number from where it would be best."""

    def __init__(self, best: float, heads: int) -> None:
        self.best, self.head_parameters, self.statistics = best, heads, 4
        self.trunk: Weights = {"w": torch.tensor([best])}

    def score(self, trunk: Weights) -> Evaluation:
        error = abs(float(trunk["w"]) - self.best)
        # On test, everything is 10 worse: what is chosen there would be told apart.
        return Evaluation(error, 10 - error, {}, pd.DataFrame())


def pretended() -> dict[str, merging.Merged]:
    """From 0 to 1 and to 0.4; λ · 1.4 lies between both for λ of 0.3 to 0.7."""
    learners: Any = [Pretended(1.0, 5), Pretended(0.4, 7)]
    found = merged_in_every_way({"w": torch.tensor([0.0])}, learners)
    return {one.way: one for one in found}


def test_ways_sizes_and_lambda_by_hand() -> None:
    """Both heads have 12 parameters, both networks 8 statistics, the trunk 1 weight.

    The mean error is 0.3 for all λ of 0.3 to 0.7; rounding decides among them.
    """
    ways = pretended()
    assert list(ways) == ["separate", "start", "average", "task_vectors", "emr"]
    errors = {w: [round(s.validation_error, 4) for s in one.scores] for w, one in ways.items()}
    assert errors["separate"] == [0, 0]
    assert errors["start"] == [1, 0.4]
    assert errors["average"] == [0.3, 0.3]
    # Elected is 1; both agree; rescaled by 1 and by 0.4.
    assert errors["emr"] == [0, 0]
    sizes = {way: (one.parameters, one.stored_bytes) for way, one in ways.items()}
    assert sizes["separate"] == (14, 4 * 22)
    for way in ("start", "average", "task_vectors"):
        assert sizes[way] == (13, 4 * 21)
    # Two trunks, two rescalers, two masks of one bit.
    assert sizes["emr"] == (16, 4 * 24 + 1)
    assert ways["average"].strength == 0.5
    assert np.isnan(ways["separate"].strength)
    chosen = ways["task_vectors"]
    searched = [(abs(1.4 * s - 1) + abs(1.4 * s - 0.4)) / 2 for s in STRENGTHS]
    assert chosen.searched == pytest.approx(searched, abs=1e-6)
    assert min(chosen.searched) == chosen.searched[STRENGTHS.index(chosen.strength)]
    assert 0.3 <= chosen.strength <= 0.7


def test_lambda_is_chosen_on_validation_and_the_smallest_of_equals() -> None:
    class Level(Pretended):
        def score(self, trunk: Weights) -> Evaluation:
            error = 0.2 if 0.15 < float(trunk["w"]) < 0.55 else 0.5
            return Evaluation(error, 1 - error, {}, pd.DataFrame())

    learners: Any = [Level(1.0, 1), Level(0.0, 1)]
    found = merged_in_every_way({"w": torch.tensor([0.0])}, learners)
    assert next(one for one in found if one.way == "task_vectors").strength == 0.2


def test_a_trunk_is_scored_with_the_heads_of_the_task_and_its_own_statistics(
    undisturbed: Path, drums: Setting
) -> None:
    start = ticket_of(undisturbed)
    network = with_new_heads(start, drums, 0)
    before = state_of(network)
    learner = Learner(drums, network, 0)
    seen: list[nn.Module] = []

    def evaluate(self: Setting, found: nn.Module) -> Evaluation:
        seen.append(found)
        return Evaluation(0, 0, {}, pd.DataFrame())

    doubled = {name: 2 * value for name, value in learner.trunk.items()}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Setting, "evaluate", evaluate)
        learner.score(doubled)
    (found,) = seen
    state = found.state_dict()
    for name, value in network.named_parameters():
        assert torch.equal(state[name], doubled.get(name, value))
    # By hand: the mean of what goes into the first norm.
    inputs = torch.cat([batch for batch, _ in learner._seen])
    with torch.no_grad():
        mean = found.conv1[0](inputs).mean(dim=(0, 2, 3))  # type: ignore[index, operator, union-attr]
    torch.testing.assert_close(state["conv1.1.running_mean"], mean, rtol=1e-3, atol=1e-4)
    assert not found.training
    assert all(torch.equal(v, before[n]) for n, v in state_of(network).items())
    heads = sum(p.numel() for p in network.heads.parameters())  # type: ignore[union-attr]
    assert learner.head_parameters == heads
    norms = [m for m in network.modules() if hasattr(m, "running_mean")]
    assert learner.statistics == sum(2 * m.running_mean.numel() for m in norms)  # type: ignore[operator, union-attr]


def test_the_job_writes_five_ways_for_each_ratio(
    undisturbed: Path, drums: Setting, tmp_path: Path
) -> None:
    run, rows = run_of(undisturbed, "trim"), read_rows([undisturbed / "trim.csv"])
    said: list[str] = []
    started: list[tuple[nn.Module, Weights]] = []
    real: Callable[..., Any] = merging.fit

    def fit(network: nn.Module, *more: Any, **named: Any) -> Any:
        started.append((network, trunk_of(network)))
        return real(network, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(merging, "fit", fit)
        measure_merging(
            run, drums, rows, undisturbed / "trim", [4.0], tmp_path / "m.csv",
            code_digest="0" * 64, tell=said.append,
        )  # fmt: skip
    found = read_measured(Merge, [tmp_path / "m.csv"])
    assert found.way.tolist() == ["separate", "start", "average", "task_vectors", "emr"]
    assert set(found.target_ratio) == {4.0}
    assert set(found.other_task) == {"drums"}
    assert len(said) == 5
    # The other task begins at the weights from which the run's own network was trained.
    ((second, begun),) = started
    ticket = ticket_of(undisturbed, 4.0)
    assert all(torch.equal(begun[name], value) for name, value in trunk_of(ticket).items())
    assert any(not torch.equal(begun[n], v) for n, v in trunk_of(second).items())
    # The separate network of the first task is that of the run.
    finished = load_round(undisturbed / "trim", 4.0, lambda: run.setting.new_network(0))
    own = Learner(run.setting, finished, 0)
    line = found.set_index("way")
    assert line.test_error["separate"] == pytest.approx(own.score(own.trunk).test_error)
    # Of the average, what both have learnt is half each.
    theirs = Learner(drums, second, 0)
    vectors = [task_vector(begun, one.trunk) for one in (own, theirs)]
    average = with_vectors(begun, vectors, 0.5)
    assert line.other_test_error["average"] == pytest.approx(theirs.score(average).test_error)
    searched = json.loads(line["errors"]["task_vectors"])
    assert len(searched) == 11
    assert searched.index(min(searched)) == round(10 * line.strength["task_vectors"])
    of_row = rows[rows.target_ratio == 4].iloc[0]
    assert set(found.parameters) == {of_row.parameters}
    trunk = sum(value.numel() for value in begun.values())
    whole = [sum(p.numel() for p in network.parameters()) for network in (finished, second)]
    assert line.stored_parameters["separate"] == sum(whole)
    assert line.stored_parameters["average"] == sum(whole) - trunk
    assert line.stored_parameters["emr"] == sum(whole) + 2
    assert line.stored_bytes["emr"] > line.stored_bytes["separate"]


def test_runs_that_mask_and_ratios_that_were_not_run_are_refused(
    undisturbed: Path, drums: Setting, tmp_path: Path
) -> None:
    rows = read_rows([undisturbed / "trim.csv"])
    with pytest.raises(ConfigError, match="merging: mask_magnitude_local_rewind masks"):
        measure_merging(
            run_of(undisturbed, "mask"), drums, rows, undisturbed / "mask", [4.0],
            tmp_path / "x.csv", code_digest="-",
        )  # fmt: skip
    with pytest.raises(ConfigError, match="merging: no ratio of 3.0 was run"):
        measure_merging(
            run_of(undisturbed, "trim"), drums, rows, undisturbed / "trim", [3.0],
            tmp_path / "x.csv", code_digest="-",
        )  # fmt: skip
    narrow = {**CONFIG["features"], "window_frames": 12}
    with pytest.raises(ConfigError, match="onset and drums have different features"):
        measure_merging(
            run_of(undisturbed, "trim"), replace(drums, config={**CONFIG, "features": narrow}),
            rows, undisturbed / "trim", [4.0], tmp_path / "x.csv", code_digest="-",
        )  # fmt: skip
    assert not list(tmp_path.iterdir())
