"""Labels, sources and splits that follow from what a loader says about its tracks."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mirdata.datasets import four_way_tabla

from mirtrim.corpora.published.official import label_of, source_of, split_rows, subset_of
from mirtrim.corpora.reader import chosen
from mirtrim.corpora.splits import SPLITS, assert_disjoint
from mirtrim.utils.errors import CorpusError


def track(track_id: str, **attributes: Any) -> SimpleNamespace:
    return SimpleNamespace(track_id=track_id, **attributes)


def table(tracks: list[SimpleNamespace]) -> dict[str, SimpleNamespace]:
    return {one.track_id: one for one in tracks}


def seconds(tracks: dict[str, SimpleNamespace]) -> dict[str, float]:
    return dict.fromkeys(tracks, 2.0)


def test_the_first_label_that_a_loader_gives_is_taken() -> None:
    assert label_of(track("a", instrument_full="Flute", instrument="Fl")) == "Flute"
    assert label_of(track("a", predominant_instrument=["cello", "cello"])) == "cello"
    assert label_of(track("a", predominant_instrument=["cello", "cla"], genre="jazz")) is None
    assert label_of(track("a", genre="jazz"), ("instrument",)) is None
    assert label_of(track("a", instrument=None, genre="jazz")) == "jazz"


def test_sources_are_songs_players_or_the_tracks_themselves() -> None:
    assert source_of("x", track("a/1", player_id="03")) == "03"
    assert source_of("x", track("a/1")) == "a/1"
    assert source_of("tinysol", track("Fl-C4", artist="someone")) == "Fl-C4"
    assert source_of("medley_solos_db", track("u", subset="validation", song_id=7)) == "song 7"
    assert source_of("medley_solos_db", track("u", subset="test", song_id=7)) == "test song 7"


def test_excerpts_of_one_irmas_recording_stay_together() -> None:
    tracks = table(
        [
            track(f"{recording:04}__{part}", split="train", predominant_instrument=name)
            for recording, name in enumerate(("cel", "flu", "voi") * 5)
            for part in (1, 2, 3)
        ]
        + [track("0004", split="test", instrument=["flu"])]  # another 4 than 0004__1
        + [track("1", split="test", instrument=["gel", "voi"])]
    )
    rows = split_rows("irmas", tracks, seconds(tracks), 0)
    assert_disjoint(rows)
    assert [row.track_id for row in rows if row.split == "test"] == ["0004"]
    homes = {row.track_id[:4]: set() for row in rows if row.split != "test"}
    for row in rows:
        if row.split != "test":
            homes[row.track_id[:4]].add(row.split)
    assert len(homes) == 15
    assert all(len(splits) == 1 for splits in homes.values())
    assert {"train"} in homes.values()
    assert {"validation"} in homes.values()


def test_named_subsets_are_used() -> None:
    tracks = table(
        [track("a", subset="train"), track("b", subset="valid"), track("c", subset="TEST")]
    )
    assert [row.split for row in split_rows("x", tracks, seconds(tracks), 0)] == list(SPLITS)


def test_what_publishers_omit_is_left_out() -> None:
    subsets = ("test", "omitted", "train", "validation", "omitted")
    tracks = table([track(f"Track{n}", split=subset) for n, subset in enumerate(subsets)])
    rows = split_rows("slakh", tracks, seconds(tracks), 0)
    assert [(row.track_id, row.split) for row in rows] == [
        ("Track0", "test"), ("Track2", "train"), ("Track3", "validation"),
    ]  # fmt: skip


def test_it_is_said_why_a_split_is_empty() -> None:
    two_of_each = [track(f"{g}{n}", genre=g) for g in ("jazz", "rock", "folk") for n in range(2)]
    no_test = [track(f"s{n}", split=("train", "validation")[n % 2]) for n in range(6)]
    for tracks in map(table, (two_of_each, no_test)):
        rows = split_rows("x", tracks, seconds(tracks), 0)
        message = r"test empty; three sources of one class at least .*, or a subset of that name"
        with pytest.raises(CorpusError, match=message):
            chosen(rows, {"minimum_seconds": 0, "train_share": 1, "seed": 0})


def test_numbered_folds_become_three_one_one() -> None:
    tracks = table([track(f"n{fold}", split=fold, instrument_full="Oboe") for fold in range(5)])
    splits = [row.split for row in split_rows("tinysol", tracks, seconds(tracks), 0)]
    assert splits == ["train", "train", "train", "validation", "test"]


def test_the_accordion_of_tinysol_is_left_out() -> None:
    tracks = table(
        [
            track(f"{n}{fold}", split=fold, instrument_full=n)
            for fold in range(5)
            for n in ("Accordion", "Oboe")
        ]
    )
    rows = split_rows("tinysol", tracks, seconds(tracks), 0)
    assert [row.track_id for row in rows] == [f"Oboe{fold}" for fold in range(5)]


def test_a_validation_split_is_taken_from_the_training_sources() -> None:
    tracks = table(
        [track(f"{p}{n}", split="train", player_id=p) for p in "abcde" for n in range(3)]
        + [track("z", split="test", player_id="z")]
    )
    rows = split_rows("x", tracks, seconds(tracks), 0)
    assert_disjoint(rows)
    assert {s: sum(r.split == s for r in rows) for s in SPLITS} == {
        "train": 12,
        "validation": 3,
        "test": 1,
    }


def test_an_unknown_subset_is_refused() -> None:
    tracks = table([track("a", split="train"), track("b", split="extra")])
    with pytest.raises(CorpusError, match="x: subset 'extra' is none of train"):
        split_rows("x", tracks, seconds(tracks), 0)


def test_a_drawn_split_has_every_class_everywhere() -> None:
    tracks = table([track(f"{g}{n}", genre=g) for g in ("jazz", "rock") for n in range(10)])
    rows = split_rows("x", tracks, seconds(tracks), 0)
    for genre in ("jazz", "rock"):
        counts = [sum(r.split == s and r.track_id.startswith(genre) for r in rows) for s in SPLITS]
        assert counts == [6, 2, 2]
    assert rows == split_rows("x", tracks, seconds(tracks), 0)
    assert rows != split_rows("x", tracks, seconds(tracks), 1)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefghij"), st.sampled_from(["x", "y", None])), max_size=60
    ),
    st.integers(0, 5),
)
def test_drawn_splits_never_share_a_source(pairs: list[tuple[str, str | None]], seed: int) -> None:
    tracks = table([track(f"{i}", artist=artist, genre=g) for i, (artist, g) in enumerate(pairs)])
    rows = split_rows("x", tracks, seconds(tracks), seed)
    assert_disjoint(rows)
    assert len(rows) == len(pairs)
    assert not pairs or any(row.split == "train" for row in rows)


def test_four_way_tabla_ignores_the_word_train_in_the_home_folder(tmp_path: Path) -> None:
    index = {"tracks": {"t": {"audio": ["set/test/audios/t.wav", ""]}}}
    for kind in ("b", "d", "rb", "rt"):
        index["tracks"]["t"][f"onsets_{kind}"] = [f"set/test/onsets/{kind}/t.onsets", ""]
    one = four_way_tabla.Track("t", "/home/train/tabla", "four_way_tabla", index, None)
    assert one.train  # the loader's own answer is wrong
    assert subset_of("four_way_tabla", one) == "test"
