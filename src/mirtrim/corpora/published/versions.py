"""The version of a corpus that mirdata's loader uses, and the location of its index."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mirdata

from mirtrim.corpora.reader import Settings, published_index
from mirtrim.sound.decoder import AudioError, duration_of
from mirtrim.utils.errors import ConfigError, CorpusError


def initialise(loader: str, settings: Settings) -> Any:
    """mirdata's dataset of the wanted version, over no particular folder."""
    version = settings.get("version") or "default"
    try:
        return mirdata.initialize(loader, data_home="", version=version)
    except ImportError as error:
        raise CorpusError(
            f"loader {loader} needs a package that is missing ({error}); install it"
        ) from error
    except ValueError as error:
        known = mirdata.list_datasets()
        remedy = "correct `version`" if loader in known else f"known: {', '.join(known)}"
        raise ConfigError(f"loader {loader}, version {version}: {error}; {remedy}") from error


def find_index(bare: Any, settings: Settings, folder: Path, home: Path) -> Path | None:
    """The user's own index, or the first in the user's folder, the corpus' folder, mirdata."""
    own = published_index(settings)
    if own is not None:
        return own
    name = bare._index_data.filename
    places = (home / name, folder / name, Path(bare.index_path))
    return next((place for place in places if place.exists()), None)


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
