"""Finished rounds of a job, kept until the run that the job belongs to has succeeded."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd
from torch import nn

from mirtrim.pruning.methods.interface import Ticket
from mirtrim.runs.jobs.rounds import Cost
from mirtrim.runs.rows import PIECE_TEXTS, Row, write_pieces
from mirtrim.runs.tables_on_disk import parse_csv
from mirtrim.training.records import joined, parted
from mirtrim.units import storage
from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import read_json, sha256_of_file, write_json
from mirtrim.utils.tensors import read_tensors, write_tensors

FILES = (
    "network.safetensors", "network.json", "state.safetensors", "pieces.csv", "cost.json",
    "row.json",
)  # fmt: skip
COMPLETE = "complete.json"


@dataclass(frozen=True)
class Finished:
    """What a round leaves to the next one and to the results.

    Attributes:
        cost: of everything that led to this network.
    """

    ticket: Ticket
    row: Row
    pieces: pd.DataFrame
    cost: Cost


def save_finished(folder: Path, finished: Finished) -> None:
    """Keep a finished round; the digests of its files come last and mark it complete."""
    ticket = finished.ticket
    storage.save(ticket.network, folder / "network")
    tensors = joined({"rewind": ticket.rewind, "masks": ticket.masks})
    write_tensors(folder / "state.safetensors", tensors)
    write_pieces(folder / "pieces.csv", [finished.pieces])
    write_json(folder / "cost.json", asdict(finished.cost))
    write_json(folder / "row.json", asdict(finished.row))
    write_json(folder / COMPLETE, {name: sha256_of_file(folder / name) for name in FILES})


def load_finished(folder: Path, factory: Callable[[], nn.Module]) -> Finished | None:
    """Read what `save_finished` wrote; `factory` makes the dense network.

    Returns:
        None if the round has not finished; also if a file of it is damaged or missing, and
        then the round is deleted.
    """
    if not (folder / COMPLETE).exists():
        return None
    try:
        digests = read_json(folder / COMPLETE)
        if digests != {name: sha256_of_file(folder / name) for name in FILES}:
            raise ArtefactError(f"{folder} is damaged; run the round again")
        return _read(folder, factory)
    except (ArtefactError, FileNotFoundError):
        shutil.rmtree(folder, ignore_errors=True)
        return None


def _read(folder: Path, factory: Callable[[], nn.Module]) -> Finished:
    network = storage.load(folder / "network", factory).eval()
    parts = parted(read_tensors(folder / "state.safetensors")[0])
    return Finished(
        Ticket(network, parts.get("rewind", {}), masks=parts.get("masks", {})),
        Row(**read_json(folder / "row.json")),
        parse_csv((folder / "pieces.csv").read_text(encoding="utf-8"), PIECE_TEXTS),
        Cost(**read_json(folder / "cost.json")),
    )
