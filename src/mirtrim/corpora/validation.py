"""Are all files of a corpus there, and are they the right ones?"""

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mirtrim.corpora.annotations.groove_info import INFO_NAME, read_info
from mirtrim.utils.errors import CorpusError

SHOWN = 2
REMEDY = "fetch or render them again"


def validate(
    dataset: Any,
    data_home: Path,
    keys: Sequence[str] | None = None,
    warn: Callable[[str], None] | None = None,
) -> None:
    """Check a corpus with mirdata's `Dataset.validate()`: existence and MD5 of every file.

    Args:
        data_home: folder of the corpus, for messages.
        keys: kinds of track file to check ("midi", "audio"); None checks all.
        warn: receives one sentence if info.csv differs from the index byte for byte but
            describes every track of it, which is then accepted, as the split is in it. None
            accepts such a table silently where `keys` is given (an incomplete copy on
            purpose) and refuses it otherwise.

    Raises:
        CorpusError: files are missing or damaged; names the first two, how many there are,
            and what to do.
    """
    missing, invalid = _selected(dataset, keys).validate(verbose=False)
    missing_files, damaged_files = _paths(missing), _paths(invalid)
    info = str(Path(data_home) / INFO_NAME)
    if info in damaged_files and (warn is not None or keys is not None):
        _check_info(dataset, Path(info))
        damaged_files.remove(info)
        if warn is not None:
            warn(
                f"{info} is not the published file byte for byte, but it describes every track; "
                "its split is used"
            )
    if missing_files or damaged_files:
        parts = [
            f"{len(paths)} files {problem} ({_first(paths, Path(data_home))})"
            for problem, paths in (("missing", missing_files), ("damaged", damaged_files))
            if paths
        ]
        raise CorpusError(f"{data_home}: {' and '.join(parts)}; {REMEDY}")


def _selected(dataset: Any, keys: Sequence[str] | None) -> Any:
    """The dataset with an index of the files under `keys` only."""
    if keys is None:
        return dataset
    view = copy.copy(dataset)
    index = dataset._index
    for track_id, entry in index["tracks"].items():
        unknown = set(keys) - set(entry)
        if unknown:
            raise CorpusError(
                f"track {track_id} has no file of kind {sorted(unknown)[0]!r}; "
                f"use {', '.join(sorted(entry))}"
            )
    view._index = {
        **index,
        "tracks": {
            track_id: {key: entry[key] for key in keys}
            for track_id, entry in index["tracks"].items()
        },
    }
    return view


def _paths(report: Mapping[str, Mapping[str, Sequence[str]]]) -> list[str]:
    return [path for kind in report.values() for paths in kind.values() for path in paths]


def _first(paths: Sequence[str], data_home: Path) -> str:
    names = [
        str(Path(path).relative_to(data_home)) if Path(path).is_relative_to(data_home) else path
        for path in paths[:SHOWN]
    ]
    return ", ".join(names) + (", …" if len(paths) > SHOWN else "")


def _check_info(dataset: Any, path: Path) -> None:
    absent = sorted(set(dataset.track_ids) - set(read_info(path)))
    if absent:
        raise CorpusError(
            f"{path}: {len(absent)} tracks of the index have no row ({absent[0]}); fetch it again"
        )
