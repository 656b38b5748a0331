"""Dense and compress jobs on a synthetic store: paired, repeatable, and resumed bit for bit."""

import json
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mirtrim.pruning.methods import settings_of
from mirtrim.runs.jobs.compress import Run, _stage_name, compress
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.jobs.ended import remove_ended
from mirtrim.runs.jobs.rounds import Cost, Stage
from mirtrim.runs.rows import read_rows
from mirtrim.training import EpochReport
from mirtrim.utils.errors import ArtefactError, CorpusError, RatioError
from tests.runs.jobs.synthetic import RATIOS, Job, store


def rows(path: Path) -> pd.DataFrame:
    return read_rows([path]).drop(columns=["train_seconds", "total_train_seconds"])


def test_rows_are_counted_and_scored(undisturbed: Path) -> None:
    trim, dense = rows(undisturbed / "trim.csv"), rows(undisturbed / "dense.csv").iloc[0]
    assert (trim.ratio >= RATIOS).all()
    assert trim["round"].tolist() == [1, 2]
    # Only what was cut is held against what was gated.
    assert dense.equivalence_difference == -1
    assert (trim.equivalence_difference >= 0).all()
    assert dense.training_macs == 3 * dense.macs * 3 * 64
    assert (dense["round"], dense.target_ratio, dense.trainings) == (0, 1.0, 1)
    assert 0 < dense.test_error < 0.7
    assert json.loads(dense.scores)["f_measure"] == pytest.approx(1 - dense.test_error, abs=1e-6)
    # Committed rows have digests of 16 letters and scores of six digits, by name.
    for row in (dense, *(row for _, row in trim.iterrows())):
        assert len(row.data_digest) == 16
        scores = json.loads(row.scores)
        assert list(scores) == sorted(scores)
        assert list(scores.values()) == [round(value, 6) for value in scores.values()]
        assert any(value != round(value, 5) for value in scores.values())


def test_a_person_who_watches_is_told_which_round_it_is() -> None:
    """The second of its own ratios, of which the task has another between them."""

    def told(stage: Stage, **run: Any) -> str:
        settings = settings_of({"scope": "local", **run})
        return _stage_name(Run(None, None, Cost(), settings, {1: 2.0, 3: 4.5}, 0), stage)  # type: ignore[arg-type]

    assert told(Stage(1, 2.0), method="trim") == "round 1/2, ratio 2"
    assert told(Stage(3, 4.5), method="trim") == "round 2/2, ratio 4.5"
    assert told(Stage(3, 4.5), method="soup") == "round 2/2, ratio 4.5, training 1/3"
    assert told(Stage(3, 4.5, 2), method="soup") == "round 2/2, ratio 4.5, training 3/3"


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

    job = Job(tmp_path)
    job.dense()
    with pytest.raises(Killed):
        job.compress(method, kill_at(killed_at))
    assert not (tmp_path / f"{method}.csv").exists()
    later: list[int] = []
    job.compress(method, lambda stage, epoch: later.append(epoch.epoch))
    assert len(later) == 6 - killed_at  # no epoch is trained twice
    pd.testing.assert_frame_equal(
        rows(tmp_path / f"{method}.csv"), rows(undisturbed / f"{method}.csv")
    )
    for network in (undisturbed / method).iterdir():
        assert network.read_bytes() == (tmp_path / method / network.name).read_bytes()


@pytest.mark.parametrize("kind", ["dense", "trim"])
def test_a_job_that_had_ended_trains_nothing_when_its_outputs_are_deleted(
    tmp_path: Path, kind: str
) -> None:
    """As Snakemake does when it was killed just after the job."""
    job = Job(tmp_path)
    if kind != "dense":
        job.dense()
    epochs: list[int] = []
    stages: list[str] = []
    run = partial(job.dense if kind == "dense" else partial(job.compress, kind))
    run(progress=lambda stage, epoch: stages.append(stage))
    told = ["dense"] if kind == "dense" else ["round 1/2, ratio 2", "round 2/2, ratio 4"]
    assert list(dict.fromkeys(stages)) == told
    first = (tmp_path / f"{kind}.csv").read_bytes()
    (tmp_path / f"{kind}.csv").unlink()
    run(progress=lambda stage, epoch: epochs.append(epoch.epoch))
    assert epochs == []
    assert (tmp_path / f"{kind}.csv").read_bytes() == first  # times included
    remove_ended(tmp_path / "resume")
    assert not list((tmp_path / "resume").iterdir())


def test_what_a_killed_job_has_kept_is_not_removed(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.dense()
    with pytest.raises(Killed):
        job.compress("trim", kill_at(4))
    assert len(list((tmp_path / "resume").iterdir())) == 2
    remove_ended(tmp_path / "resume")
    (kept,) = (tmp_path / "resume").iterdir()
    assert (kept / "round-01" / "complete.json").exists()


class Killed(Exception):
    """A job stops here."""


def kill_at(number: int) -> Callable[[str, EpochReport], None]:
    seen = []

    def progress(stage: str, epoch: EpochReport) -> None:
        seen.append(epoch.epoch)
        if len(seen) == number:
            raise Killed

    return progress


def flip(path: Path) -> None:
    """Change one bit near the end: still a file of the same length and form."""
    content = path.read_bytes()
    path.write_bytes(content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        ("flip", "network.safetensors"),
        ("flip", "state.safetensors"),
        ("flip", "row.json"),
        ("flip", "complete.json"),
        ("delete", "pieces.csv"),
    ],
)
def test_a_damaged_round_is_run_again_with_the_same_bits(
    undisturbed: Path, tmp_path: Path, damage: str, name: str
) -> None:
    shutil.copy(undisturbed / "dense.safetensors", tmp_path)
    shutil.copy(undisturbed / "dense.csv", tmp_path)
    job = Job(tmp_path)
    with pytest.raises(Killed):
        job.compress("trim", kill_at(5))  # in round 2
    (kept,) = tmp_path.glob("resume/*/round-01")
    flip(kept / name) if damage == "flip" else (kept / name).unlink()
    epochs: list[int] = []
    job.compress("trim", lambda stage, epoch: epochs.append(epoch.epoch))
    assert epochs == [1, 2, 3, 3]  # round 1 anew, round 2 from its own resume file
    pd.testing.assert_frame_equal(rows(tmp_path / "trim.csv"), rows(undisturbed / "trim.csv"))
    for network in (undisturbed / "trim").iterdir():
        assert network.read_bytes() == (tmp_path / "trim" / network.name).read_bytes()


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
                settings_of({"method": "trim"}), {1: 2, 2: 500}, 0,
            ),
            rows_path=tmp_path / "r.csv", pieces_path=tmp_path / "p.csv",
            networks_folder=tmp_path / "n", resume_folder=tmp_path / "resume",
        )  # fmt: skip
    assert not (tmp_path / "n").exists()


def test_a_damaged_dense_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "dense.safetensors").write_bytes(b"half a file")
    with pytest.raises(ArtefactError, match=r"dense.safetensors cannot be read .*; delete it and"):
        load_dense(tmp_path / "dense.safetensors")


def test_a_flipped_bit_in_a_dense_network_and_another_file_are_named(
    undisturbed: Path, tmp_path: Path
) -> None:
    path = tmp_path / "dense.safetensors"
    shutil.copy(undisturbed / "dense.safetensors", path)
    flip(path)
    with pytest.raises(ArtefactError, match=r"dense.safetensors is damaged; delete it and run"):
        load_dense(path)
    shutil.copy(undisturbed / "trim/ratio-2.safetensors", path)
    with pytest.raises(ArtefactError, match=r"dense.safetensors is not a dense network; delete"):
        load_dense(path)


def test_a_job_writes_the_score_of_every_piece_at_every_ratio(undisturbed: Path) -> None:
    rows = pd.read_csv(undisturbed / "trim.csv").set_index("target_ratio")
    pieces = pd.read_csv(undisturbed / "trim_pieces.csv")
    assert sorted(pieces.target_ratio.unique()) == sorted(rows.index)
    for ratio, of_ratio in pieces.groupby("target_ratio"):
        assert of_ratio.track_id.is_unique
        assert len(of_ratio) == pieces.track_id.nunique() > 1
        assert 1 - of_ratio.score.mean() == pytest.approx(rows.test_error[ratio], abs=1e-5)
