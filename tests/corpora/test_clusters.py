"""What pieces belong together: every kind of id, and the committed pieces."""

from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from mirtrim.corpora.clusters import clusters_of
from mirtrim.corpora.rendering.solos.mini import MINI_SOLOS
from mirtrim.utils.errors import CorpusError

ROOT = Path(__file__).parents[2]
CONFIG = yaml.safe_load((ROOT / "config/default.yaml").read_text())
SOLOS = {
    "loader": "medley_solos_db", "mode": "embedded", "seed": 7,
    "pieces": {"train": 20, "validation": 9, "test": 24},
}  # fmt: skip


@pytest.mark.parametrize(
    ("loader", "mode", "track_id", "kind", "cluster"),
    [
        ("groove_midi", "embedded", "drummer3/eval_session/11", "drummer", "drummer3"),
        ("groove_midi", "performances", "drummer10/session1/4", "drummer", "drummer10"),
        ("guitarset", "embedded", "08_Funk3-118-Bb_comp", "player", "08"),
        ("guitarset", "audio", "05_SS3-98-C_comp", "player", "05"),
        ("mdb_stem_synth", "embedded", "FoxHuntersJig_Kalimba_STEM_01", "melodist", "Kalimba"),
        ("mdb_stem_synth", "audio", "AClassicEducation_NightOwl_STEM_08", "artist",
         "AClassicEducation"),
        ("medley_solos_db", "audio", "0d80743f-fd7d-4d8f", "piece", "0d80743f-fd7d-4d8f"),
        ("gtzan_genre", "audio", "blues.00001", "piece", "blues.00001"),
    ],
)  # fmt: skip
def test_ids_say_who_plays(loader: str, mode: str, track_id: str, kind: str, cluster: str) -> None:
    found = clusters_of([track_id], {"loader": loader, "mode": mode})
    assert (found.kind, found.of_piece) == (kind, {track_id: cluster})


def test_without_settings_every_piece_stands_alone() -> None:
    assert clusters_of(["a", "b"], None).of_piece == {"a": "a", "b": "b"}


def test_clips_of_a_song_are_found_from_the_seed() -> None:
    """As they were made: the same song of the same soloist, in all splits."""
    jobs = MINI_SOLOS.jobs(SOLOS["pieces"], 3.0, 7)
    found = clusters_of([job.track_id for job in jobs], SOLOS)
    assert found.kind == "song"
    assert found.of_piece == {job.track_id: f"song {job.song_id}" for job in jobs}
    assert set(Counter(found.of_piece.values()).values()) == {1, 2}


def test_an_id_of_another_corpus_is_named() -> None:
    other = MINI_SOLOS.jobs(SOLOS["pieces"], 3.0, 8)[0].track_id
    with pytest.raises(CorpusError, match=f"track {other} is no clip of the corpus with seed 7"):
        clusters_of([other], SOLOS)
    with pytest.raises(CorpusError, match="mdb_stem_synth: track solo has no part 2") as caught:
        clusters_of(["solo"], {"loader": "mdb_stem_synth", "mode": "embedded"})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("profile", "task", "kind", "count"),
    [
        ("default", "chord", "player", 3),
        ("default", "pitch", "melodist", 8),
        ("default", "instrument", "song", 104),
        ("default", "drums", "drummer", 8),
        ("default", "onset", "drummer", 8),
        ("feedback", "onset", "drummer", 8),
        ("published", "chord", "player", 3),
        ("published", "pitch", "melodist", 8),
    ],
)
def test_committed_pieces_have_a_cluster(profile: str, task: str, kind: str, count: int) -> None:
    pieces = pd.read_csv(ROOT / f"results/{profile}/pieces/{task}.csv.gz", usecols=["track_id"])
    settings = CONFIG["corpora"][CONFIG["tasks"][task]["corpus"]]
    found = clusters_of(sorted(set(pieces.track_id)), settings)
    assert (found.kind, len(set(found.of_piece.values()))) == (kind, count)
