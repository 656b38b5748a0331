"""The table of tracks of the Groove MIDI Dataset, info.csv."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mirtrim.utils.errors import CorpusError

INFO_NAME = "info.csv"


@dataclass(frozen=True)
class InfoRow:
    """One row of info.csv, in the columns of the Groove MIDI Dataset."""

    drummer: str
    session: str
    id: str
    style: str
    bpm: int
    beat_type: str
    time_signature: str
    midi_filename: str
    audio_filename: str
    duration: float
    split: str

    @property
    def files(self) -> dict[str, str]:
        """Paths below the corpus' folder under mirdata's keys."""
        return {"midi": self.midi_filename, "audio": self.audio_filename}


def info_bytes(rows: Iterable[InfoRow]) -> bytes:
    """Content of an info.csv."""
    stream = io.StringIO()
    names = [field.name for field in fields(InfoRow)]
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    return stream.getvalue().encode()


def read_info(path: Path) -> dict[str, InfoRow]:
    """Rows of an info.csv by track id; a missing or damaged one is a `CorpusError`."""
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            records = list(csv.DictReader(stream))
        rows = [_info_row(record) for record in records]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise CorpusError(f"{path}: no valid table of tracks ({error}); fetch it again") from error
    return {row.id: row for row in rows}


def _info_row(record: Mapping[str, Any]) -> InfoRow:
    numbers = {"bpm": int(record["bpm"]), "duration": float(record["duration"])}
    return InfoRow(**{**record, **numbers})
