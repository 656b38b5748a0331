"""What a mirdata loader says about a track: its class, its source and its official subset.

Loaders name these things differently. The functions here look for the usual attributes; a
loader that means something else by them, or has nothing, has a line in a table below.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mirtrim.corpora.splits import SPLITS, TrackRow
from mirtrim.utils.errors import CorpusError
from mirtrim.utils.seeds import numpy_generator

LABELS = ("instrument_full", "predominant_instrument", "instrument", "genre", "style")
SOURCES = ("song_id", "player_id", "singer_id", "artist", "mtrack_id")
SUBSETS = ("subset", "split")
SPLIT_OF_SUBSET = {
    "train": "train", "training": "train", "validation": "validation", "valid": "validation",
    "val": "validation", "dev": "validation", "test": "test", "testing": "test",
}  # fmt: skip
OMITTED = "omitted"  # of Slakh: what its publishers advise against, as pieces are there twice
VALIDATION_SHARE, TEST_SHARE = 0.2, 0.2


def _medley_song(track: Any) -> str:
    # Test songs come from a separate collection with its own numbers (Lostanlen & Cella, ISMIR
    # 2016).
    return f"{'test song' if track.subset == 'test' else 'song'} {track.song_id}"


def _tabla_subset(track: Any) -> str:
    # The loader's own `train` looks for the word in the absolute path, home folder included.
    return "train" if "/train/" in track._track_paths["audio"][0] else "test"


def _beatles_album(track: Any) -> str:
    # "10CD1_-_The_Beatles" and "10CD2_-_The_Beatles" are one album.
    return track._track_paths["chords"][0].split("/")[-2].split("_-_")[-1]


def _irmas_recording(track: Any) -> str:
    # Training ids are <recording>__<number>; test ids are numbers of another collection, which
    # must not be taken for recordings.
    recording, dashes, _ = str(track.track_id).partition("__")
    return recording + dashes


def _track_id(track: Any) -> str:
    return str(track.track_id)


SOURCE_OF_LOADER: Mapping[str, Callable[[Any], str]] = {
    "beatles": _beatles_album,
    "irmas": _irmas_recording,
    "medley_solos_db": _medley_song,
    "tinysol": _track_id,  # one note file; the official folds mix pitches of one instrument
    "four_way_tabla": lambda track: str(track.track_id).split("_")[0],
    # Ids are <artist>_<song>_STEM_<number>; an artist's songs share players and instruments.
    "mdb_stem_synth": lambda track: str(track.track_id).split("_")[0],
}
SUBSET_OF_LOADER: Mapping[str, Callable[[Any], Any]] = {"four_way_tabla": _tabla_subset}
# The replicated paper's thirteen instruments do not contain it.
LABELS_LEFT_OUT: Mapping[str, frozenset[str]] = {"tinysol": frozenset({"Accordion"})}


def label_of(track: Any, attributes: Sequence[str] = LABELS) -> str | None:
    """The class of a track: the first of `attributes` that the loader gives; None if there is none,
    or more than one in it."""
    labels = labels_of(track, attributes)
    return labels[0] if len(labels) == 1 else None


def labels_of(track: Any, attributes: Sequence[str] = LABELS) -> list[str]:
    """All labels in the first of `attributes` that the loader gives, each once."""
    for attribute in attributes:
        value = getattr(track, attribute, None)
        if value is not None and not (isinstance(value, (list, str)) and not value):
            values = value if isinstance(value, list) else [value]
            return list(dict.fromkeys(map(str, values)))
    return []


def source_of(loader: str, track: Any) -> str:
    """What must not be shared between splits; the track itself where nothing is known."""
    if loader in SOURCE_OF_LOADER:
        return SOURCE_OF_LOADER[loader](track)
    return next(iter(labels_of(track, SOURCES)), str(track.track_id))


def subset_of(loader: str, track: Any) -> Any:
    """The official subset or fold of a track, as the loader gives it, or None."""
    if loader in SUBSET_OF_LOADER:
        return SUBSET_OF_LOADER[loader](track)
    return next((v for v in (getattr(track, a, None) for a in SUBSETS) if v is not None), None)


def split_rows(
    loader: str, tracks: Mapping[str, Any], durations: Mapping[str, float], seed: int
) -> list[TrackRow]:
    """Split tracks as their publishers do, or else at random by source.

    Subsets called train, validation and test are used as they are; of train and test alone,
    a part of the training sources becomes validation; of numbered folds the last is test, the
    one before it validation. Without official subsets, 60/20/20 % of the sources are drawn,
    class by class. Tracks with several labels, or of a subset called omitted, are left out.

    Args:
        tracks: track id → mirdata track.
        durations: track id → seconds; only these tracks are used.
        seed: of what is drawn.

    Raises:
        CorpusError: the loader's subsets are of no known kind.
    """
    wanted = {
        track_id: tracks[track_id]
        for track_id in sorted(durations)
        if len(labels := labels_of(tracks[track_id])) < 2
        and not LABELS_LEFT_OUT.get(loader, frozenset()).intersection(labels)
        and subset_of(loader, tracks[track_id]) != OMITTED
    }
    sources = {track_id: source_of(loader, track) for track_id, track in wanted.items()}
    label = {track_id: label_of(track) or "" for track_id, track in wanted.items()}
    subsets = {track_id: subset_of(loader, track) for track_id, track in wanted.items()}
    splits = _official(loader, subsets)
    if splits is None:
        splits = _drawn(sources, label, ("train", "validation", "test"), seed)
    elif "validation" not in splits.values():
        inner = {k: source for k, source in sources.items() if splits[k] == "train"}
        splits = {**splits, **_drawn(inner, label, ("train", "validation"), seed)}
    return [TrackRow(k, splits[k], sources[k], float(durations[k])) for k in wanted]


def _official(loader: str, subsets: Mapping[str, Any]) -> dict[str, str] | None:
    known = set(subsets.values())
    if known <= {None}:
        return None
    if all(isinstance(subset, int) for subset in known) and len(known) >= len(SPLITS):
        *_, validation, test = sorted(known)
        names = {validation: "validation", test: "test"}
        return {track_id: names.get(subset, "train") for track_id, subset in subsets.items()}
    strange = sorted({str(s) for s in known if str(s).lower() not in SPLIT_OF_SUBSET})
    if strange:
        raise CorpusError(
            f"{loader}: subset {strange[0]!r} is none of {', '.join(SPLIT_OF_SUBSET)}; "
            "add a rule to mirtrim.corpora.published.official"
        )
    return {track_id: SPLIT_OF_SUBSET[str(s).lower()] for track_id, s in subsets.items()}


def _drawn(
    sources: Mapping[str, str], labels: Mapping[str, str], names: Sequence[str], seed: int
) -> dict[str, str]:
    """A seeded split by source, stratified by the most frequent label of each source."""
    labels_of_source: dict[str, list[str]] = {}
    for track_id, source in sources.items():
        labels_of_source.setdefault(source, []).append(labels[track_id])
    stratum = {s: max(sorted(set(known)), key=known.count) for s, known in labels_of_source.items()}
    shares = {"validation": VALIDATION_SHARE, "test": TEST_SHARE}
    split_of: dict[str, str] = {}
    for label in sorted(set(stratum.values())):
        members = np.array(sorted(s for s in stratum if stratum[s] == label), dtype=object)
        order = list(numpy_generator(seed, "split", label).permutation(members))
        for name in names[1:]:
            # A label with few sources still reaches every split, training first.
            count = max(round(shares[name] * len(members)), 1)
            for source in order[: count if len(order) > count else len(order) - 1]:
                split_of[source] = name
            order = [source for source in order if source not in split_of]
        split_of.update({source: "train" for source in order})
    return {track_id: split_of[source] for track_id, source in sources.items()}
