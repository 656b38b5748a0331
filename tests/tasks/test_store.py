"""The feature store: what goes in comes out, and damage is noticed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mirtrim.tasks.store import ArrayWriter, open_store, write_store
from mirtrim.utils.errors import ArtefactError

Triple = tuple[dict[str, object], dict[str, np.ndarray], pd.DataFrame]


def track(name: str, split: str, frames: np.ndarray, onset: float) -> Triple:
    row = {"track_id": name, "split": split, "source": name, "duration_seconds": 1.5}
    arrays = {"frames": frames.astype(np.float32), "targets": np.ones((len(frames), 1), np.uint8)}
    return row, arrays, pd.DataFrame({"time_seconds": [onset], "label": ["onset"]})


TRACKS = [
    track("1", "train", np.array([[0, 10], [2, 10], [4, 10]]), 0.5),
    track("2/b", "test", np.array([[9, 9], [9, 9]]), 0.25),
    track("3", "train", np.array([[6, 14]]), 0.75),
]


def test_written_arrays_are_read_as_written(tmp_path: Path) -> None:
    writer = ArrayWriter(tmp_path / "a.npy")
    blocks = [np.arange(6.0).reshape(2, 3), np.arange(9.0).reshape(3, 3)]
    for block in blocks:
        writer.append(block)
    writer.close()
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.concatenate(blocks))


def test_blocks_must_agree(tmp_path: Path) -> None:
    writer = ArrayWriter(tmp_path / "a.npy")
    writer.append(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"a.npy: block float64\[4\] after float64\[3\]"):
        writer.append(np.zeros((2, 4)))
    writer.close()


def test_round_trip(tmp_path: Path) -> None:
    write_store(tmp_path / "s", TRACKS, "frames")
    store = open_store(tmp_path / "s")
    assert store.rows("frames", "2/b").tolist() == [[9, 9], [9, 9]]
    assert store.rows("frames", "3").tolist() == [[6, 14]]
    assert store.of_split("train").index.tolist() == ["1", "3"]
    assert store.reference.track_id.tolist() == ["1", "2/b", "3"]
    # Numbers of lines are no columns.
    assert list(store.tracks) == ["split", "source", "duration_seconds", "first", "count"]
    assert list(store.reference) == ["time_seconds", "label", "track_id"]
    assert (store.tracks["first"].tolist(), store.tracks["count"].tolist()) == (
        [0, 3, 5],
        [3, 2, 1],
    )
    assert store.arrays["targets"].dtype == torch.uint8
    # Training frames only: columns 0 2 4 6 and 10 10 10 14.
    np.testing.assert_allclose(store.statistics["mean"], [3, 11])
    np.testing.assert_allclose(store.statistics["deviation"], [5**0.5, 3**0.5])


def test_same_content_same_digest_and_other_content_another(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_store(tmp_path / name, TRACKS, "frames")
    write_store(tmp_path / "c", TRACKS[:2], "frames")
    digests = [open_store(tmp_path / name).digest for name in "abc"]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize("name", ["frames.npy", "tracks.csv", "reference.csv", "store.json"])
def test_damage_is_named_and_the_store_is_no_longer_complete(tmp_path: Path, name: str) -> None:
    write_store(tmp_path / "s", TRACKS, "frames")
    damaged = tmp_path / "s" / name
    content = damaged.read_bytes()
    # One digit or sample, somewhere in the middle: still a file that can be read.
    place = next(i for i in range(len(content) - 9, 0, -1) if content[i : i + 1].isalnum())
    damaged.write_bytes(content[:place] + b"9" + content[place + 1 :])
    assert damaged.read_bytes() != content
    with pytest.raises(ArtefactError, match=f"{name} is missing or damaged; run again to make"):
        open_store(tmp_path / "s")
    assert not (tmp_path / "s" / "store.json").exists()
    with pytest.raises(ArtefactError, match="holds no complete features; run again"):
        open_store(tmp_path / "s")


def test_a_damaged_store_that_cannot_be_changed_is_left_to_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_store(tmp_path / "s", TRACKS, "frames")
    (tmp_path / "s" / "frames.npy").unlink()

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ArtefactError, match=r"frames\.npy is .*; delete the folder and run again"):
        open_store(tmp_path / "s")


def test_a_full_disk_names_the_store_and_leaves_nothing(tmp_path: Path) -> None:
    def filling() -> object:
        yield TRACKS[0]
        raise OSError(28, "No space left on device")  # as a write to a full disk: no name

    with pytest.raises(OSError, match=r"No space left on device: '.*/s'"):
        write_store(tmp_path / "s", filling(), "frames")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_failure_leaves_no_store_and_keeps_the_old_one(tmp_path: Path) -> None:
    def failing() -> object:
        yield TRACKS[0]
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_store(tmp_path / "s", failing(), "frames")  # type: ignore[arg-type]
    with pytest.raises(ArtefactError, match="holds no complete features"):
        open_store(tmp_path / "s")
    write_store(tmp_path / "s", TRACKS, "frames")
    with pytest.raises(RuntimeError):
        write_store(tmp_path / "s", failing(), "frames")  # type: ignore[arg-type]
    assert len(open_store(tmp_path / "s").tracks) == 3
