"""Features on disk: arrays that are read by memory map, and a table of tracks.

A store is a folder with one `.npy` per array (all tracks one after the other along the first
axis), `tracks.csv` (where each track begins and ends, and its split), `reference.csv` (what
predictions are scored against) and `store.json`, which is written last and so marks a
complete store.
"""

import shutil
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from mirtrim.utils import files
from mirtrim.utils.errors import ArtefactError

SPLITS = ("train", "validation", "test")
MARK = "store.json"


class ArrayWriter:
    """Writes an array of unknown length to a `.npy` file, block by block."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.row_shape: tuple[int, ...] | None = None
        self.dtype: np.dtype | None = None
        self.stream: IO[bytes] = open(path, "wb")  # noqa: SIM115 - closed by close()

    def append(self, block: np.ndarray) -> None:
        """Append `block`, (rows, …); later blocks must agree in dtype and row shape."""
        if self.row_shape is None:
            self.row_shape, self.dtype = block.shape[1:], block.dtype
            self._write_header()
        if block.shape[1:] != self.row_shape or block.dtype != self.dtype:
            raise ValueError(
                f"{self.path.name}: block {block.dtype}{list(block.shape[1:])} after "
                f"{self.dtype}{list(self.row_shape)}"
            )
        self.stream.write(np.ascontiguousarray(block).tobytes())
        self.rows += len(block)

    def close(self) -> None:
        """Write the header and close the file."""
        if self.row_shape is None or self.dtype is None:
            raise ValueError(f"{self.path.name}: nothing was written")
        self.stream.seek(0)
        self._write_header()
        self.stream.close()

    def _write_header(self) -> None:
        """The header for as many rows as there are. NumPy pads it so that it can be written again
        with more of them."""
        assert self.row_shape is not None
        assert self.dtype is not None
        shape = (self.rows, *self.row_shape)
        said = {"descr": self.dtype.str, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self.stream, said)


@dataclass(frozen=True)
class FeatureStore:
    """A complete store.

    Attributes:
        arrays: name → tensor over the memory map, (rows of all tracks, …).
        tracks: index track_id; columns split, source, first, count, duration_seconds.
        reference: column track_id and the columns of the task.
        statistics: numbers measured on the training split (normalisation).
        digest: digest of every byte that training and scoring depend on.
    """

    arrays: Mapping[str, Tensor]
    tracks: pd.DataFrame
    reference: pd.DataFrame
    statistics: Mapping[str, list[float]]
    digest: str

    def of_split(self, split: str) -> pd.DataFrame:
        """The rows of `tracks` in `split`, in a fixed order."""
        return self.tracks[self.tracks.split == split]

    def rows(self, name: str, track_id: str) -> Tensor:
        """Array `name` of one track, (count, …)."""
        track = self.tracks.loc[track_id]
        return self.arrays[name][int(track["first"]) : int(track["first"] + track["count"])]


def write_store(
    folder: Path,
    recordings: Iterable[tuple[Mapping[str, Any], Mapping[str, np.ndarray], pd.DataFrame]],
    normalise: str | None,
) -> None:
    """Write a store from (track row, arrays, reference) triples, one track in memory at a time.

    Args:
        folder: replaced as a whole once everything has been written.
        recordings: the track row has track_id, split, source and duration_seconds.
        normalise: name of the array whose per-column mean and deviation over the training
            split are kept as statistics, or None.

    Raises:
        OSError: names `folder`, for instance if the disk is full; nothing half-written is left.
    """
    temporary = folder.with_name(folder.name + ".partial")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        with files.naming(folder):
            _write(temporary, recordings, normalise)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(
    folder: Path,
    recordings: Iterable[tuple[Mapping[str, Any], Mapping[str, np.ndarray], pd.DataFrame]],
    normalise: str | None,
) -> None:
    writers: dict[str, ArrayWriter] = {}
    tracks, references, first = [], [], 0
    moments: list[np.ndarray] = []
    for row, arrays, reference in recordings:
        counts = {len(array) for array in arrays.values()}
        if len(counts) != 1:
            raise ValueError(f"{row['track_id']}: arrays of different lengths {sorted(counts)}")
        for name, array in arrays.items():
            if name not in writers:
                writers[name] = ArrayWriter(folder / f"{name}.npy")
            writers[name].append(array)
        count = counts.pop()
        tracks.append({**row, "first": first, "count": count})
        references.append(reference.assign(track_id=row["track_id"]))
        first += count
        if normalise is not None and row["split"] == "train":
            block = arrays[normalise].astype(np.float64)
            moments.append(
                np.stack([block.sum(0), (block**2).sum(0), np.full(block.shape[1:], count)])
            )
    for writer in writers.values():
        writer.close()
    pd.DataFrame(tracks).to_csv(folder / "tracks.csv", index=False)
    pd.concat(references, ignore_index=True).to_csv(folder / "reference.csv", index=False)
    statistics = {}
    if moments:
        total, squares, rows = np.sum(moments, axis=0)
        mean = total / rows
        deviation = np.sqrt(np.maximum(squares / rows - mean**2, 1e-12))
        statistics = {"mean": mean.tolist(), "deviation": deviation.tolist()}
    digests = {p.name: files.sha256_of_file(p) for p in sorted(folder.iterdir())}
    about = {"arrays": sorted(writers), "statistics": statistics, "digests": digests}
    files.write_json(folder / MARK, {**about, "digest": files.sha256_of_value(about)})


def open_store(folder: Path) -> FeatureStore:
    """Open a complete store; a missing or damaged one is an `ArtefactError`.

    A damaged one loses its mark of being complete, so that the next run makes it again.
    """
    if not (folder / MARK).exists():
        raise ArtefactError(f"{folder} holds no complete features; run again to make them")
    about = _verified(folder)
    # mode "c" (private, copy on write) lets torch wrap the map without a copy or a warning.
    arrays = {
        name: torch.from_numpy(np.load(folder / f"{name}.npy", mmap_mode="c"))
        for name in about["arrays"]
    }
    text = {"track_id": str, "source": str, "split": str}
    return FeatureStore(
        arrays=arrays,
        tracks=pd.read_csv(folder / "tracks.csv", dtype=text).set_index("track_id"),
        reference=pd.read_csv(folder / "reference.csv", dtype={"track_id": str}),
        statistics=about["statistics"],
        digest=files.sha256_of_value(about["digests"]),
    )


def _verified(folder: Path) -> dict[str, Any]:
    """The content of the mark; an `ArtefactError` unless it and all files are as written."""
    mark = folder / MARK
    try:
        about: dict[str, Any] = files.read_json(mark)
        wrong = [] if about.pop("digest") == files.sha256_of_value(about) else [mark]
        for name, digest in {} if wrong else about["digests"].items():
            path = folder / name
            if not path.exists() or files.sha256_of_file(path) != digest:
                wrong.append(path)
    except (ArtefactError, LookupError, TypeError, AttributeError):
        wrong = [mark]
    if not wrong:
        return about
    with suppress(OSError):
        mark.unlink()
    how = "delete the folder and run" if mark.exists() else "run"
    raise ArtefactError(
        f"{wrong[0]} is missing or damaged; {how} again to make these features anew"
    )
