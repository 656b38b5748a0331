"""Dense and compress jobs on a synthetic store: paired, repeatable, and resumed bit for bit."""

import json
from pathlib import Path

import pandas as pd
import pytest

from mirtrim.errors import ArtefactError, CorpusError, RatioError
from mirtrim.evidence.rows import read_rows
from mirtrim.experiments.compress import Run, compress
from mirtrim.experiments.dense import load_dense
from mirtrim.experiments.rounds import Cost
from mirtrim.pruning.methods import choices_of
from mirtrim.training import EpochReport
from tests.experiments.synthetic import RATIOS, Job, store


def rows(path: Path) -> pd.DataFrame:
    return read_rows([path]).drop(columns=["train_seconds", "total_train_seconds"])


def test_rows_are_counted_and_scored(undisturbed: Path) -> None:
    trim, dense = rows(undisturbed / "trim.csv"), rows(undisturbed / "dense.csv").iloc[0]
    assert (trim.ratio >= RATIOS).all()
    assert trim["round"].tolist() == [1, 2]
    assert dense.training_macs == 3 * dense.macs * 3 * 64
    assert 0 < dense.test_error < 0.7
    assert json.loads(dense.scores)["f_measure"] == pytest.approx(1 - dense.test_error, abs=1e-6)


def test_another_seed_is_another_network_and_the_same_one_is_not(
    undisturbed: Path, tmp_path: Path
) -> None:
    first = (undisturbed / "dense.safetensors").read_bytes()
    Job(tmp_path).dense(seed=0)
    assert (tmp_path / "dense.safetensors").read_bytes() == first
    Job(tmp_path).dense(seed=1)
    assert (tmp_path / "dense.safetensors").read_bytes() != first


@pytest.mark.parametrize("method", ["trim", "mask"])
@pytest.mark.parametrize("killed_at", [2, 3, 4, 6])
def test_a_killed_job_ends_with_the_same_bits(
    undisturbed: Path, tmp_path: Path, method: str, killed_at: int
) -> None:
    """Epoch 3 ends round 1, epoch 6 ends round 2: kills within, between and after rounds."""

    class Killed(Exception):
        pass

    seen = []

    def kill(stage: str, epoch: EpochReport) -> None:
        seen.append(epoch.epoch)
        if len(seen) == killed_at:
            raise Killed

    job = Job(tmp_path)
    job.dense()
    with pytest.raises(Killed):
        job.compress(method, kill)
    assert not (tmp_path / f"{method}.csv").exists()
    later: list[int] = []
    job.compress(method, lambda stage, epoch: later.append(epoch.epoch))
    assert len(later) == 6 - killed_at  # no epoch is trained twice
    pd.testing.assert_frame_equal(
        rows(tmp_path / f"{method}.csv"), rows(undisturbed / f"{method}.csv")
    )
    for network in (undisturbed / method).iterdir():
        assert network.read_bytes() == (tmp_path / method / network.name).read_bytes()
    assert not list((tmp_path / "resume").iterdir())


def test_sources_in_two_splits_stop_a_training(tmp_path: Path) -> None:
    store(tmp_path / "store", lambda split, number: f"song{number}")
    with pytest.raises(CorpusError, match="source song0 is both in train and in validation"):
        Job(tmp_path).dense()


def test_a_ratio_out_of_reach_stops_before_training(undisturbed: Path, tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.dense()
    with pytest.raises(RatioError, match=r"trim cannot reach ratio 500 on its network of \d+"):
        compress(
            Run(
                job.setting, load_dense(tmp_path / "dense.safetensors"), Cost(),
                choices_of({"method": "trim"}), {1: 2, 2: 500}, 0,
            ),
            rows_path=tmp_path / "r.csv", pieces_path=tmp_path / "p.csv",
            networks_folder=tmp_path / "n", resume_folder=tmp_path / "resume",
        )  # fmt: skip
    assert not (tmp_path / "n").exists()


def test_a_damaged_dense_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "dense.safetensors").write_bytes(b"half a file")
    with pytest.raises(ArtefactError, match=r"dense.safetensors: not a dense network"):
        load_dense(tmp_path / "dense.safetensors")
