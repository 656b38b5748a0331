"""Which track belongs to which split, and the proof that no source is in two of them."""

import csv
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mirtrim.utils import files
from mirtrim.utils.errors import CorpusError

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class TrackRow:
    """One track of a corpus.

    Attributes:
        source: what must not be shared between splits (a piece, a player, an album).
    """

    track_id: str
    split: str
    source: str
    duration_seconds: float


def assert_disjoint(rows: Iterable[TrackRow]) -> None:
    """Raise a `CorpusError` that names a source or track that is in two splits."""
    split_of: dict[tuple[str, str], str] = {}
    for row in rows:
        for kind, name in (("source", row.source), ("track", row.track_id)):
            first = split_of.setdefault((kind, name), row.split)
            if first != row.split:
                raise CorpusError(
                    f"{kind} {name} is both in {first} and in {row.split}; "
                    "scores would be inflated, so assign it to one split"
                )


def write_table(path: Path, rows: Iterable[TrackRow]) -> None:
    """Write rows as CSV in one atomic step."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, [field.name for field in fields(TrackRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in rows)
    files.write_text(path, stream.getvalue())


def read_table(path: Path) -> list[TrackRow]:
    """Read what `write_table` wrote; a missing or damaged table is a `CorpusError`."""
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            return [
                TrackRow(
                    record["track_id"],
                    record["split"],
                    record["source"],
                    float(record["duration_seconds"]),
                )
                for record in csv.DictReader(stream)
            ]
    except (OSError, UnicodeDecodeError, KeyError, ValueError, TypeError) as error:
        raise CorpusError(f"{path}: no valid table of tracks ({error}); write it again") from error
