"""Fetching the Groove MIDI Dataset: all of it through mirdata, or its MIDI files alone."""

from functools import partial
from pathlib import Path

from mirdata.datasets import groove_midi

from mirtrim.corpora import layout
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.fetching.fetch import clear_staging, fetch_publication
from mirtrim.corpora.fetching.publication import Publication, Remote
from mirtrim.corpora.loaders.groove_midi.dataset import LOADER, OFFICIAL_INDEX_NAME
from mirtrim.corpora.loaders.groove_midi.info import INFO_NAME
from mirtrim.corpora.progress import Progress, Tell
from mirtrim.corpora.validation import validate
from mirtrim.errors import CorpusError

LICENCE = "Creative Commons Attribution 4.0 (CC BY 4.0), Google LLC; cite Gillick et al., ICML 2019"
TOP_FOLDER = "groove"


SOURCES = {
    # The MIDI files alone are not among mirdata's archives, so there is no published checksum.
    "midi": Remote(
        "midi",
        "https://storage.googleapis.com/magentadata/datasets/groove/groove-v1.0.0-midionly.zip",
        "groove-v1.0.0-midionly.zip",
        None,
        unpack_folders=(TOP_FOLDER,),
        megabytes=4,
    ),
    "all": Remote(
        "all",
        groove_midi.REMOTES["all"].url,
        groove_midi.REMOTES["all"].filename,
        groove_midi.REMOTES["all"].checksum,
        unpack_folders=(TOP_FOLDER,),
        megabytes=5100,
    ),
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
        # The audio is checked where it lies in the end, which every use of it does anyway.
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
