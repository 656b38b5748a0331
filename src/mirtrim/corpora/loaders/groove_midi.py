"""Reader of the groove_midi loader: embedded, rendered performances, published audio."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mirdata.datasets import groove_midi

from mirtrim.corpora import layout
from mirtrim.corpora.annotations.groove_index import OFFICIAL_INDEX_NAME, find_index
from mirtrim.corpora.annotations.groove_info import INFO_NAME
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.embedded import embedded
from mirtrim.corpora.fetching.fetch import clear_staging, fetch_publication
from mirtrim.corpora.fetching.publication import Publication, Remote
from mirtrim.corpora.progress import Progress, Tell
from mirtrim.corpora.published.remotes import remote_of
from mirtrim.corpora.reader import Making, Reader, Settings, chosen, published_home, published_index
from mirtrim.corpora.rendering.drums.mini import MINI_GROOVE
from mirtrim.corpora.rendering.drums.performances import render_performances
from mirtrim.corpora.splits import SPLITS, TrackRow
from mirtrim.corpora.validation import validate
from mirtrim.utils.errors import CorpusError

LOADER = "groove_midi"


def open_groove(data_home: Path, index: Path | None = None) -> Any:
    """Dataset over the folder `data_home`; touches neither the network nor the audio.

    Args:
        index: mirdata index file. None looks for `index.json` in the folder (written by
            rendering), then for the official index in the folder (written by downloading),
            then for the file that mirdata keeps beside its own code.

    Returns:
        A mirdata groove_midi dataset; `load_tracks()` gives tracks with `audio_path`,
        `midi`, `drum_events`, `split`, `drummer` and so on. It is named mini_groove_midi
        where the performances are generated.

    Raises:
        CorpusError: there is no index, or it is damaged.
    """
    data_home = Path(data_home)
    index = find_index(data_home) if index is None else Path(index)
    dataset = open_dataset(LOADER, data_home, index)
    try:
        dataset._metadata  # noqa: B018 - read now, to fail with a name and not in a worker
    except (OSError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"{data_home / INFO_NAME}: no valid table of tracks "
            f"({str(error) or type(error).__name__}); fetch or generate the corpus again"
        ) from error
    return dataset


LICENCE = "Creative Commons Attribution 4.0 (CC BY 4.0), Google LLC; cite Gillick et al., ICML 2019"
SOURCES = {
    # The MIDI files alone are not among mirdata's archives, so there is no published checksum.
    "midi": Remote(
        "midi",
        "https://storage.googleapis.com/magentadata/datasets/groove/groove-v1.0.0-midionly.zip",
        "groove-v1.0.0-midionly.zip",
        None,
        unpack_folders=("groove",),
        megabytes=4,
    ),
    "all": replace(remote_of("all", groove_midi.REMOTES["all"]), megabytes=5100),
}
INDEX_SOURCE = Remote(
    "index",
    groove_midi.INDEXES["1.0.0"].remote.url,
    OFFICIAL_INDEX_NAME,
    groove_midi.INDEXES["1.0.0"].remote.checksum,
)


def download_groove(
    data_home: Path, part: str, tell: Tell | None = None, progress: Progress | None = None
) -> None:
    """Bring the published corpus, or its MIDI alone, into `data_home`.

    A folder that is complete already is left alone; an interrupted run goes on where it
    stopped. The official index is put into the folder last.

    Args:
        part: "midi" (3 MB, performances without audio), "all" (4.8 GB, MIDI and audio) or
            "index" (checksums only, for a folder that holds the files already).
        tell: receives what is about to be fetched, its size and its licence.
        progress: called with (bytes fetched, bytes in all) of the current file.

    Raises:
        CorpusError: no connection, a dead link, too little disk space, wrong checksums.
    """
    if part not in (*SOURCES, "index"):
        raise CorpusError(f"part {part!r} of groove_midi is unknown; use midi, all or index")
    data_home = Path(data_home)
    if _complete(data_home, part):
        clear_staging(data_home)
        return
    publication = Publication(
        LOADER,
        LICENCE,
        INDEX_SOURCE,
        [] if part == "index" else [SOURCES[part]],
        partial(open_dataset, LOADER),
        # The audio is checked in its final place, as in every use of it.
        check=lambda dataset, folder: (
            validate(dataset, folder, ["midi"]) if part == "midi" else None
        ),
    )
    fetch_publication(publication, data_home, tell, progress)


def _complete(data_home: Path, part: str) -> bool:
    """Whether every file of the part exists; whether they are right is for `validate`."""
    if not (data_home / OFFICIAL_INDEX_NAME).exists():
        return False
    if part == "index":
        return True
    keys = ("midi",) if part == "midi" else ("midi", "audio")
    tracks = layout.read_index(data_home / OFFICIAL_INDEX_NAME)
    names = [entry[key][0] for entry in tracks.values() for key in keys]
    return (data_home / INFO_NAME).exists() and all(
        (data_home / name).exists() for name in names if name is not None
    )


def split_table(dataset: Any) -> list[TrackRow]:
    """The official split of a mirdata dataset, one row per track of its index, by track id.

    The split of the Groove MIDI Dataset shares drummers and sessions between splits and keeps
    performances apart, so a track (drummer/session/number), one performance, is its own source.

    Raises:
        CorpusError: the index or the table of tracks is missing or damaged, a track has no
            row in it, or a split is not one of train, validation, test.
    """
    try:
        tracks = dataset.load_tracks()
        known = dataset._metadata
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CorpusError(
            f"{dataset.name}: index or info.csv in {dataset.data_home} cannot be read "
            f"({str(error) or type(error).__name__}); fetch or generate the corpus again"
        ) from error
    rows = []
    for track_id in sorted(tracks):
        if track_id not in known:
            raise CorpusError(
                f"{dataset.name}: track {track_id} of the index has no row in "
                f"{Path(dataset.data_home) / 'info.csv'}; fetch the corpus again"
            )
        track = tracks[track_id]
        if track.split not in SPLITS:
            raise CorpusError(
                f"{dataset.name}: track {track_id} has split {track.split!r}, "
                f"not one of {', '.join(SPLITS)}; fetch info.csv again"
            )
        rows.append(TrackRow(track_id, track.split, track_id, float(track.duration)))
    return rows


PUBLISHED = "published"


def ready(settings: Settings, folder: Path, making: Making, part: str) -> tuple[Any, Path]:
    """Validate a part ("midi" or "all") that the user has, or else fetch it into `folder`.

    Returns:
        The dataset, and the folder that it is in.
    """
    home, index = published_home(settings, folder), published_index(settings)
    if settings["folder"] is None:
        download_groove(home, part, tell=making.tell, progress=making.count)
    dataset = open_groove(home, index)
    validate(dataset, home, ["midi"] if part == "midi" else None, warn=making.tell)
    return dataset, home


def performances(settings: Settings, folder: Path, making: Making) -> list[TrackRow]:
    """The published MIDI files, rendered here."""
    dataset, home = ready(settings, folder / PUBLISHED, making, "midi")
    rows = chosen(split_table(dataset), settings)
    render_performances(
        home,
        folder,
        int(settings["seed"]),
        [row.track_id for row in rows],
        making.workers,
        making.count,
    )
    validate(open_groove(folder), folder, warn=making.tell)
    return rows


def audio(settings: Settings, folder: Path, making: Making) -> list[TrackRow]:
    """The published recordings."""
    dataset, _ = ready(settings, folder, making, "all")
    # Some performances were never recorded; the index gives them no audio.
    recorded = {k for k, track in dataset.load_tracks().items() if track.audio_path is not None}
    return chosen([row for row in split_table(dataset) if row.track_id in recorded], settings)


def open_corpus(settings: Settings, folder: Path) -> Any:
    """The dataset that the mode's function made or checked."""
    if settings["mode"] == "audio":
        return open_groove(published_home(settings, folder), published_index(settings))
    return open_groove(folder)


READER = Reader(
    prepare={
        "embedded": embedded(MINI_GROOVE, lambda dataset, settings: split_table(dataset)),
        "performances": performances,
        "audio": audio,
    },
    open=open_corpus,
)
