"""The tracks of a published corpus and their lengths."""

from collections.abc import Mapping
from typing import Any

from mirtrim.errors import CorpusError
from mirtrim.sound.decoder import AudioError, duration_of


def load_tracks(loader: str, dataset: Any) -> dict[str, Any]:
    """All tracks, with their table of tracks read."""
    try:
        dataset._metadata  # noqa: B018 - read now, to fail with a name
        tracks: dict[str, Any] = dataset.load_tracks()
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise CorpusError(
            f"{dataset.data_home}: the tables of {loader} cannot be read "
            f"({str(error) or type(error).__name__}); fetch the corpus again"
        ) from error
    return tracks


def audio_seconds(loader: str, tracks: Mapping[str, Any]) -> dict[str, float]:
    """Seconds of every track that has audio."""
    seconds = {}
    for track_id, track in tracks.items():
        path = getattr(track, "audio_path", None)
        if path is None:
            continue
        try:
            seconds[track_id] = duration_of(path)
        except AudioError as error:
            raise CorpusError(f"{error}, or fetch it again") from error
    if not seconds:
        raise CorpusError(
            f"{loader}: no track has an `audio_path`; this loader needs a reader of its own"
        )
    return seconds
