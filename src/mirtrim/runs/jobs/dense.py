"""The dense job: train the network that every method of the same seed starts from."""

import json
from dataclasses import dataclass
from pathlib import Path

from mirtrim.pruning.settings import DENSE
from mirtrim.runs.jobs.ended import mark_ended
from mirtrim.runs.jobs.rounds import Cost, Stage, job_digest, measure, train
from mirtrim.runs.jobs.setting import Progress, Setting, silent
from mirtrim.runs.rows import read_rows, write_pieces, write_rows
from mirtrim.training import State, state_of
from mirtrim.training.records import joined, parted
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.tensors import read_tensors, write_tensors

PARTS = ("initial", "rewind", "best")


@dataclass(frozen=True)
class Dense:
    """The saved states of a dense training."""

    initial: State
    rewind: State
    best: State


def train_dense(
    setting: Setting,
    seed: int,
    rewind_epoch: int,
    *,
    network_path: Path,
    rows_path: Path,
    pieces_path: Path,
    resume_folder: Path,
    code: str = "-",
    progress: Progress = silent,
) -> None:
    """Train the dense network; write its states, its row and its scores per piece.

    What a killed job needs to continue is kept in `resume_folder`; `remove_ended` clears that.

    Args:
        code: digest of the code behind the job (`runs.code`), for its row.
    """
    network = setting.new_network(seed)
    initial = state_of(network)
    network.to(setting.device)
    folder = resume_folder / job_digest(setting, seed, code, "dense", rewind_epoch)
    folder.mkdir(parents=True, exist_ok=True)
    stage = Stage(0, 1.0)
    trained = train(
        setting,
        network,
        seed,
        stage,
        snapshot_epoch=rewind_epoch,
        resume_path=folder / "fit.safetensors",
        progress=progress,
        name="dense",
    )
    row, pieces = measure(
        setting,
        network,
        seed,
        stage,
        trained,
        settings=DENSE,
        masked=False,
        dense_parameters=sum(p.numel() for p in network.parameters()),
        total=trained.cost,
        equivalence_difference=-1.0,
        code_digest=code,
    )
    states = (initial, trained.fitted.snapshot, state_of(network))
    save_dense(network_path, Dense(*states))
    write_pieces(pieces_path, [pieces])
    write_rows(rows_path, [row])
    mark_ended(folder)


def save_dense(path: Path, dense: Dense) -> None:
    """Write the three states into one safetensors file."""
    write_tensors(path, joined(vars(dense)), {"format": json.dumps("mirtrim dense 1")})


def load_dense(path: Path) -> Dense:
    """Read what `save_dense` wrote; a damaged file is an `ArtefactError`."""
    parts = parted(read_tensors(path, "delete it and run again")[0])
    if parts.keys() - set(PARTS):
        raise ArtefactError(f"{path} is not a dense network; delete it and run again")
    return Dense(**{part: parts.get(part, {}) for part in PARTS})


def dense_cost(rows_path: Path) -> Cost:
    """What the dense training of a row file has cost."""
    row = read_rows([rows_path]).iloc[0]
    return Cost(int(row.trainings), float(row.total_train_seconds), int(row.total_training_macs))
