"""Reader of the guitarset loader: embedded, published audio."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mirtrim.corpora.embedded import embedded, open_corpus
from mirtrim.corpora.published import any_loader as published
from mirtrim.corpora.reader import Making, Reader, Settings, chosen
from mirtrim.corpora.rendering.chords.accompanists import ACCOMPANISTS
from mirtrim.corpora.rendering.chords.mini import MINI_GUITARSET, MINI_NAME
from mirtrim.corpora.splits import TrackRow
from mirtrim.sound.decoder import AudioError, duration_of
from mirtrim.utils.errors import CorpusError

# GuitarSet has no official split. Players differ in touch and voicings while all play the
# same charts, so only a split by player leaves something unheard for the test.
SPLIT_OF_PLAYER: Mapping[str, str] = {
    "00": "train",
    "01": "train",
    "02": "train",
    "03": "train",
    "04": "validation",
    "05": "test",
}


def guitarset_table(dataset: Any) -> list[TrackRow]:
    """Split by player: one row per comping excerpt, by track id.

    Solo excerpts are left out: their annotations are the chords of the accompaniment, which
    is not in the recording.

    Raises:
        CorpusError: a player belongs to no split, or a recording cannot be opened.
    """
    embedded = dataset.name == MINI_NAME
    splits = {p.name: p.split for p in ACCOMPANISTS.values()} if embedded else SPLIT_OF_PLAYER
    rows = []
    for track_id, track in sorted(dataset.load_tracks().items()):
        if track.mode != "comp":
            continue
        if track.player_id not in splits:
            raise CorpusError(
                f"{dataset.name}: track {track_id} has player {track.player_id!r}, not one of "
                f"{', '.join(sorted(splits))}; correct the index"
            )
        seconds = _duration_seconds(track.audio_mic_path)
        rows.append(TrackRow(track_id, splits[track.player_id], track.player_id, seconds))
    return rows


def _duration_seconds(path: str) -> float:
    try:
        return duration_of(path)
    except AudioError as error:
        raise CorpusError(f"{error}, or fetch or render it again") from error


LOADER = "guitarset"
# 0.7 GB of microphone recordings; the hexaphonic ones would be seven times as much.
PARTS = ("annotations", "audio_mic")
KINDS = ("audio_mic", "jams")


def audio(settings: Settings, folder: Path, making: Making) -> list[TrackRow]:
    """The published comping excerpts."""
    dataset = published.ready(LOADER, _with_parts(settings), folder, making, KINDS)
    return chosen(guitarset_table(dataset), settings)


def _open(settings: Settings, folder: Path) -> Any:
    return open_corpus(LOADER, _with_parts(settings), folder)


def _with_parts(settings: Settings) -> Settings:
    return {**settings, "parts": settings.get("parts") or PARTS}


READER = Reader(
    prepare={
        "embedded": embedded(
            MINI_GUITARSET, lambda dataset, settings: guitarset_table(dataset), KINDS
        ),
        "audio": audio,
    },
    open=_open,
)
