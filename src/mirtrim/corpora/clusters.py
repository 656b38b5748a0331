"""Which pieces of a corpus belong together, for tests that must not take them for independent.

Two pieces by one player share the instrument, the habits and often the style, so a network that
fails on one of them tends to fail on the other. What matters is the number of players, not of
pieces. Only this module knows how players follow from the names of pieces or the settings of the
corpus. It says nothing about splits (`corpora.splits`) and no training reads it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mirtrim.utils.errors import CorpusError

Settings = Mapping[str, Any]
Finder = Callable[[Sequence[str], Settings], dict[str, str]]


@dataclass(frozen=True)
class Clusters:
    """Pieces and what they belong to.

    Attributes:
        kind: what a cluster is, for instance "player"; "piece" where every piece stands alone.
        of_piece: track id → name of its cluster.
    """

    kind: str
    of_piece: Mapping[str, str]


def clusters_of(track_ids: Sequence[str], settings: Settings | None) -> Clusters:
    """What the pieces of a corpus belong to.

    Args:
        track_ids: as in the scores of pieces.
        settings: of the corpus, as configured; None, as a loader or mode that is not known here,
            gives every piece a cluster of its own.

    Raises:
        CorpusError: a track id is not one that the corpus of these settings has.
    """
    if settings is not None:
        for mode in (settings["mode"], None):
            if (known := FINDERS.get((settings["loader"], mode))) is not None:
                kind, find = known
                return Clusters(kind, find(track_ids, settings))
    return Clusters("piece", {track_id: track_id for track_id in track_ids})


def _word(separator: str, place: int) -> Finder:
    """The cluster is one word of the track id."""

    def find(track_ids: Sequence[str], settings: Settings) -> dict[str, str]:
        found = {}
        for track_id in track_ids:
            words = track_id.split(separator)
            if len(words) <= place:
                raise CorpusError(
                    f"{settings['loader']}: track {track_id} has no part {place + 1} between "
                    f"{separator!r}; mend its cluster in mirtrim.corpora.clusters"
                )
            found[track_id] = words[place]
        return found

    return find


def _songs_of_mini_solos(track_ids: Sequence[str], settings: Settings) -> dict[str, str]:
    """Names of clips are drawn from the seed, the song and the clip's place in it."""
    from mirtrim.corpora.rendering.solos import mini  # rendering comes with it

    soloist, split = mini.SOLOISTS[0], "test"  # of no influence on the name
    wanted, found = set(track_ids), {}
    # Every clip is of one song, so there are at most as many songs as clips.
    for song in range(sum(settings["pieces"].values())):
        for clip in range(mini.CLIPS_PER_SONG):
            job = mini.ClipJob(soloist, split, song, "", clip, 0.0, int(settings["seed"]))
            if job.track_id in wanted:
                found[job.track_id] = f"song {song}"
        if len(found) == len(wanted):
            return found
    odd = sorted(wanted - set(found))[0]
    raise CorpusError(
        f"medley_solos_db: track {odd} is no clip of the corpus with seed {settings['seed']} and "
        "these numbers of pieces; run the task again, or give the corpus its settings back"
    )


# (loader, mode; None: all other modes) → what a cluster is, and how it is found. Not here, and so
# every piece alone: corpora whose ids do not say who plays.
FINDERS: Mapping[tuple[str, str | None], tuple[str, Finder]] = {
    ("groove_midi", None): ("drummer", _word("/", 0)),  # drummer1/eval_session/1
    ("guitarset", None): ("player", _word("_", 0)),  # 08_BN1-117-G_comp
    ("mdb_stem_synth", "embedded"): ("melodist", _word("_", 1)),  # <tune>_<melodist>_STEM_01
    ("mdb_stem_synth", None): ("artist", _word("_", 0)),  # <artist>_<song>_STEM_01
    ("medley_solos_db", "embedded"): ("song", _songs_of_mini_solos),
    ("four_way_tabla", None): ("recording", _word("_", 0)),
}
