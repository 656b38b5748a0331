"""The embedded corpus `mini_guitarset`: invented accompanists play chord charts.

It has the layout of GuitarSet (Xi et al., ISMIR 2018), so mirdata's guitarset loader reads it,
but its instruments are those of the sound bank: pianos, organs and strings as well as guitars.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirtrim.corpora import layout
from mirtrim.corpora.rendering.audio import write_audio
from mirtrim.corpora.rendering.chords.accompaniment import Played, play
from mirtrim.corpora.rendering.chords.accompanists import ACCOMPANISTS, players_of_split
from mirtrim.corpora.rendering.chords.harmony import PITCH_NAMES, STYLES, Style
from mirtrim.corpora.rendering.generation import Embedded
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.scene import draw_scene, rms, take
from mirtrim.corpora.rendering.soundbank import render
from mirtrim.corpora.splits import SPLITS
from mirtrim.utils.seeds import numpy_generator

MINI_NAME = "mini_guitarset"
BEATS_PER_BAR = 4
FORM = Form(
    folder="chords",
    owned=("annotation/*.jams", "audio_mono-mic/*.flac"),
    absent=("audio_hex", "audio_hex_cln", "audio_mix"),
)


@dataclass(frozen=True)
class ChordJob:
    """One generated piece.

    Attributes:
        number: which piece of its player, from 0.
        tonic: pitch class of the key.
    """

    player: str
    number: int
    style: Style
    tempo: int
    tonic: int
    minor: bool
    seconds: float
    seed: int

    @property
    def track_id(self) -> str:
        """Named as in GuitarSet: player, style and take, tempo, key, kind of excerpt."""
        take_number = self.number // len(STYLES) % 9 + 1
        return excerpt_name(self.player, self.style, take_number, self.tempo, self.tonic)

    @property
    def files(self) -> Mapping[str, str]:
        """Annotation and audio; FLAC where GuitarSet has WAV."""
        return files_of(self.track_id)

    def make(self, data_home: Path) -> None:
        """Play, render and write the piece."""
        played = self.played()
        mix = render(played.parts, self.seconds)
        rng = numpy_generator(self.seed, "recording", self.track_id)
        scene = draw_scene(rng, 0.85, (-18, -3), (0.2, 1.0), (0, 25))
        samples = take(mix, self.seconds, rms(mix), scene, self.seed, self.track_id)
        write_audio(data_home / self.files["audio_mic"], samples)
        key = key_name(self.tonic, self.minor)
        jams = jams_bytes(self.track_id, played, self.tempo, key, self.seconds)
        layout.write_bytes(data_home / self.files["jams"], jams)

    def played(self) -> Played:
        """The notes and chords of the piece."""
        rng = numpy_generator(self.seed, "piece", self.track_id)
        player = ACCOMPANISTS[self.player]
        return play(player, self.style, self.tempo, self.tonic, self.minor, self.seconds, rng)


def _jobs(counts: Mapping[str, int], seconds: float, seed: int) -> list[ChordJob]:
    jobs = []
    for split in SPLITS:
        players = players_of_split(split)
        known: set[str] = set()
        for index in range(counts[split]):
            player, number = players[index % len(players)], index // len(players)
            # Tempo and key make names unique unless a player has hundreds of pieces.
            attempt = 0
            while (job := _job(player, number, attempt, seconds, seed)).track_id in known:
                attempt += 1
            known.add(job.track_id)
            jobs.append(job)
    return jobs


def _job(player: str, number: int, attempt: int, seconds: float, seed: int) -> ChordJob:
    rng = numpy_generator(seed, "chart", player, number, attempt)
    # Every player begins with another style, so that a small corpus has several.
    style = STYLES[(list(ACCOMPANISTS).index(player) + number) % len(STYLES)]
    tempo = int(rng.integers(style.tempo[0], style.tempo[1] + 1))
    tonic, minor = int(rng.integers(12)), bool(rng.random() < 0.4)
    return ChordJob(player, number, style, tempo, tonic, minor, seconds, seed)


def excerpt_name(player: str, style: Style, number: int, tempo: int, tonic: int) -> str:
    """A track id of GuitarSet: player, style and take, tempo, key, kind of excerpt."""
    return f"{player}_{style.name}{number}-{tempo}-{PITCH_NAMES[tonic]}_comp"


def files_of(track_id: str) -> dict[str, str]:
    """Annotation and audio of a track; FLAC where GuitarSet has WAV."""
    return {
        "jams": f"annotation/{track_id}.jams",
        "audio_mic": f"audio_mono-mic/{track_id}_mic.flac",
    }


def key_name(tonic: int, minor: bool) -> str:
    """A key as JAMS writes it."""
    return f"{PITCH_NAMES[tonic]}:{'minor' if minor else 'major'}"


def jams_bytes(title: str, played: Played, tempo: int, key: str, seconds: float) -> bytes:
    """A JAMS file with beats, tempo, both chord annotations and the key.

    The first chord annotation is the lead sheet (triads), the second what is played.
    """
    spans = [(s.start_seconds, s.end_seconds, s.chord) for s in played.segments]
    beats = [(time, time, _position(i)) for i, time in enumerate(played.beats_seconds)]
    annotations: list[tuple[str, list[tuple[float, float, Any]]]] = [
        ("beat_position", beats),
        ("tempo", [(0.0, seconds, float(tempo))]),
        ("chord", [(a, b, chord.triad_label if chord else "N") for a, b, chord in spans]),
        ("chord", [(a, b, chord.label if chord else "N") for a, b, chord in spans]),
        ("key_mode", [(0.0, seconds, key)]),
    ]
    content = {
        "annotations": [_annotation(namespace, rows, seconds) for namespace, rows in annotations],
        "file_metadata": {"title": title, "duration": seconds, "jams_version": "0.3.1"},
        "sandbox": {},
    }
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def _position(index: int) -> dict[str, int]:
    return {
        "position": index % BEATS_PER_BAR + 1,
        "measure": index // BEATS_PER_BAR + 1,
        "num_beats": BEATS_PER_BAR,
        "beat_units": 4,
    }


def _annotation(
    namespace: str, rows: Sequence[tuple[float, float, Any]], seconds: float
) -> dict[str, Any]:
    """One annotation; rows are (start, end, value)."""
    data = [
        {"time": start, "duration": end - start, "value": value, "confidence": None}
        for start, end, value in rows
    ]
    return {"namespace": namespace, "data": data, "time": 0, "duration": seconds, "sandbox": {}}


MINI_GUITARSET = Embedded(
    MINI_NAME, "guitarset", shortest_seconds=4.0, jobs=_jobs, form=lambda jobs: FORM
)
