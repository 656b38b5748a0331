"""The embedded corpus: invented drummers play, and the sound bank renders them."""

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pretty_midi

from mirtrim.corpora import layout
from mirtrim.corpora.annotations.groove_info import INFO_NAME, InfoRow, info_bytes
from mirtrim.corpora.rendering.audio import write_audio
from mirtrim.corpora.rendering.drums.drummers import DRUMMERS, PLAYERS_OF_SPLIT
from mirtrim.corpora.rendering.drums.performance import Performance, perform
from mirtrim.corpora.rendering.drums.recording import draw_scene, drum_notes, record
from mirtrim.corpora.rendering.generation import Embedded
from mirtrim.corpora.rendering.midi import midi_bytes
from mirtrim.corpora.rendering.production import Form, Job
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, Part
from mirtrim.corpora.splits import SPLITS
from mirtrim.utils.seeds import numpy_generator


def groove_form(rows: Iterable[InfoRow], folder: str = "drums") -> Form:
    """The form of a corpus with the tracks `rows`."""
    return Form(
        folder=folder,
        owned=(INFO_NAME, "drummer*/*/*.mid", "drummer*/*/*.flac"),
        tables={"info": (INFO_NAME, info_bytes(rows))},
    )


SESSION_OF_SPLIT = {"train": "session1", "validation": "session2", "test": "eval_session"}
TICKS_PER_QUARTER = 480  # as in the Groove MIDI Dataset


@dataclass(frozen=True)
class GrooveJob(Job):
    """One piece of a corpus in the layout of the Groove MIDI Dataset."""

    row: InfoRow
    seed: int

    @property
    def track_id(self) -> str:
        """Id of the performance."""
        return self.row.id

    @property
    def files(self) -> Mapping[str, str]:
        """The MIDI and the audio file."""
        return self.row.files


@dataclass(frozen=True)
class MiniJob(GrooveJob):
    """One generated piece."""

    def make(self, data_home: Path) -> None:
        """Play, write and render the piece."""
        drummer = DRUMMERS[self.row.drummer]
        played = _play(self.row.drummer, self.row.id, self.row.duration, self.seed)
        part = Part(DRUM_CHANNEL, 0, played.notes)
        midi = midi_bytes([part], "Drums", played.meter, played.tempo, TICKS_PER_QUARTER)
        scene = draw_scene(self.seed, self.row.id, drummer)
        # Rendered from the file, not from the plan: the file's ticks are the truth.
        notes = drum_notes(pretty_midi.PrettyMIDI(io.BytesIO(midi)))
        samples = record(notes, self.row.duration, played.tempo, scene, self.seed, self.row.id)
        write_audio(data_home / self.row.audio_filename, samples)
        layout.write_bytes(data_home / self.row.midi_filename, midi)


def _jobs(counts: Mapping[str, int], seconds: float, seed: int) -> list[MiniJob]:
    return [
        MiniJob(_mini_row(players[number % len(players)], split, number + 1, seconds, seed), seed)
        for split in SPLITS
        for players in [PLAYERS_OF_SPLIT[split]]
        for number in range(counts[split])
    ]


def _mini_row(player: str, split: str, number: int, seconds: float, seed: int) -> InfoRow:
    session = f"{player}/{SESSION_OF_SPLIT[split]}"
    track_id = f"{session}/{number}"
    played = _play(player, track_id, seconds, seed)
    meter = f"{played.meter[0]}-{played.meter[1]}"
    stem = f"{track_id}_{played.style}_{played.tempo}_beat_{meter}"
    return InfoRow(
        player, session, track_id, played.style, played.tempo, "beat", meter,
        f"{stem}.mid", f"{stem}.flac", seconds, split,
    )  # fmt: skip


def _play(player: str, track_id: str, seconds: float, seed: int) -> Performance:
    rng = numpy_generator(seed, "performance", track_id)
    return perform(DRUMMERS[player], seconds, rng)


MINI_GROOVE = Embedded(
    name="mini_groove_midi",
    loader="groove_midi",
    shortest_seconds=2.0,
    jobs=_jobs,
    form=lambda jobs: groove_form(job.row for job in jobs),
)
