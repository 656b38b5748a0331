"""Who is in which split of GuitarSet and of the embedded corpus in its layout."""

from collections.abc import Mapping
from typing import Any

from mirtrim.corpora.loaders.guitarset.accompanists import ACCOMPANISTS
from mirtrim.corpora.loaders.guitarset.mini import MINI_NAME
from mirtrim.corpora.splits import TrackRow
from mirtrim.errors import CorpusError
from mirtrim.sound.decoder import AudioError, duration_of

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
