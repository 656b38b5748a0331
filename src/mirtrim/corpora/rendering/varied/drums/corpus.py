"""Drum kits of all kinds, in the layout of the Groove MIDI Dataset.

Performances are the published ones, a stretch of each, and those of the invented drummers; they
are played on every kit of every bank and folder, alone or in layers, and recorded in many ways.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pretty_midi
from scipy.signal import resample_poly

from mirtrim.corpora import layout
from mirtrim.corpora.annotations.drums import FIVE_CLASSES, read_midi
from mirtrim.corpora.annotations.groove_info import INFO_NAME, InfoRow, info_bytes
from mirtrim.corpora.rendering.audio import SAMPLE_RATE, write_audio
from mirtrim.corpora.rendering.backing import backing_parts
from mirtrim.corpora.rendering.drums.drummers import DRUMMERS
from mirtrim.corpora.rendering.drums.performance import perform
from mirtrim.corpora.rendering.drums.recording import drum_notes
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, Note
from mirtrim.corpora.rendering.varied.audible import audible
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.corpora.rendering.varied.kits import Kit, draw_hits, in_turn, kits_of, play_kits
from mirtrim.corpora.rendering.varied.making import Sounds
from mirtrim.corpora.rendering.varied.synth import render
from mirtrim.corpora.splits import SPLITS, TrackRow
from mirtrim.sound.chain import Chain
from mirtrim.sound.effects import amplitude, at_level, rms
from mirtrim.utils.errors import CorpusError
from mirtrim.utils.seeds import numpy_generator

NAME = "varied_drums"
RECORDING = Chain(
    room=0.75, room_seconds=1.0, tilt_db=3, equaliser_db=7, band_limit=0.3, noise=0.6,
    noise_db=(15, 55), clipping=0.2, codec=0.1,
)  # fmt: skip
BACKED_SHARE = 0.35
BACKING_DB = (-28.0, -6.0)
LEVELS_DB = (-26.0, -0.3)
INVENTED_SHARE = 0.3
FEWEST_STROKES = 4
TAIL_SECONDS = 0.2
# A 48th of a beat at 120 beats per minute would be ten milliseconds.
TICKS_PER_QUARTER = 960


@dataclass(frozen=True)
class Drumming:
    """One published performance.

    Attributes:
        row: its row in info.csv.
        midi: its file.
    """

    row: InfoRow
    midi: Path


@dataclass(frozen=True)
class DrumsJob:
    """One track.

    Attributes:
        drumming: the performance of which a stretch is played; None is an invented one.
        kits: all there are; number `kit` is the main one.
    """

    split: str
    number: int
    drumming: Drumming | None
    kit: int
    kits: tuple[Kit, ...]
    banks: tuple[Bank, ...]
    seconds: float
    seed: int

    @property
    def track_id(self) -> str:
        """Like drummer/session/number."""
        return f"drummer{1 + self.number % 10}/{self.split}/{self.number}"

    @property
    def files(self) -> Mapping[str, str]:
        """The MIDI and the audio file."""
        return {"midi": f"{self.track_id}.mid", "audio": f"{self.track_id}.flac"}

    @property
    def row(self) -> TrackRow:
        """The source is the published performance, or the track itself."""
        source = self.drumming.row.id if self.drumming else self.track_id
        return TrackRow(self.track_id, self.split, source, self.seconds)

    @property
    def info(self) -> InfoRow:
        """Its row in info.csv."""
        drummer, session, _ = self.track_id.split("/")
        style = self.drumming.row.style if self.drumming else "invented"
        files = self.files
        return InfoRow(
            drummer, f"{drummer}/{session}", self.track_id, style, 120, "beat", "4-4",
            files["midi"], files["audio"], self.seconds, self.split,
        )  # fmt: skip

    def make(self, data_home: Path) -> None:
        """Play, record and write the track."""
        notes, mix = self.played()
        rng = numpy_generator(self.seed, NAME, "recording", self.track_id)
        dry = resample_poly(mix, SAMPLE_RATE, RENDERER_RATE).astype(np.float32)
        recorded, _ = RECORDING.play(at_level(dry, 0.0)[None], SAMPLE_RATE, rng)
        samples = at_level(recorded[0], float(rng.uniform(*LEVELS_DB)))
        write_audio(data_home / self.files["audio"], np.rint(32767 * samples).astype(np.int16))
        midi = midi_of_strokes(audible(notes, samples))
        layout.write_bytes(data_home / self.files["midi"], midi)

    def played(self) -> tuple[list[Note], np.ndarray]:
        """Strokes in Roland's pitches, and their sound at 48 kHz before it is recorded.

        Raises:
            CorpusError: a published performance has a stroke of no kind listed.
        """
        rng = numpy_generator(self.seed, NAME, "playing", self.track_id)
        notes = self._strokes(rng)
        hits = draw_hits(self.kits, self.kit, rng)
        mix, notes = play_kits(notes, self.seconds, hits, rng)
        if rng.random() < BACKED_SHARE:
            tonal = [bank for bank in self.banks if len(bank.programs) > 1]
            parts = backing_parts(self.seconds, float(rng.uniform(70, 160)), rng)
            level_db = float(rng.uniform(*BACKING_DB))
            if tonal:
                backing = render(parts, self.seconds, tonal[int(rng.integers(len(tonal)))])
                scale = amplitude(level_db) * rms(mix) / np.maximum(rms(backing), 1e-6)
                mix = mix + scale.astype(np.float32) * backing
        return notes, mix

    def _strokes(self, rng: np.random.Generator) -> list[Note]:
        if self.drumming is None:
            drummer = DRUMMERS[sorted(DRUMMERS)[int(rng.integers(len(DRUMMERS)))]]
            return list(perform(drummer, self.seconds, rng).notes)
        notes = drum_notes(read_midi(self.drumming.midi))
        unknown = sorted({note.pitch for note in notes} - set(FIVE_CLASSES))
        if unknown:
            raise CorpusError(
                f"{self.drumming.midi}: drum pitch {unknown[0]} is not one of the Roland kit"
            )
        return stretch(notes, self.seconds, rng)


def stretch(notes: Sequence[Note], seconds: float, rng: np.random.Generator) -> list[Note]:
    """A drawn stretch of a performance with some strokes in it, its times from its beginning."""
    starts = np.array([note.start_seconds for note in notes])
    latest = max(0.0, float(starts[-1]) - seconds + TAIL_SECONDS)
    for _ in range(20):
        begin = float(rng.uniform(0, latest)) if latest else 0.0
        inside = (starts >= begin) & (starts < begin + seconds - TAIL_SECONDS)
        if inside.sum() >= FEWEST_STROKES:
            break
    return [
        replace(
            note,
            start_seconds=note.start_seconds - begin,
            end_seconds=max(note.end_seconds, note.start_seconds + 0.01) - begin,
        )
        for note, kept in zip(notes, inside, strict=True)
        if kept
    ]


def midi_of_strokes(notes: Sequence[Note]) -> bytes:
    """Standard MIDI file of strokes; their times are exact to 0.3 ms."""
    midi = pretty_midi.PrettyMIDI(resolution=TICKS_PER_QUARTER, initial_tempo=120)
    drums = pretty_midi.Instrument(program=0, is_drum=True, name="Drums")
    drums.notes = [
        pretty_midi.Note(n.velocity, n.pitch, n.start_seconds, n.start_seconds + 0.05)
        for n in notes
    ]
    midi.instruments.append(drums)
    stream = io.BytesIO()
    midi.write(stream)
    return stream.getvalue()


def drum_jobs(drummings: Sequence[Drumming], sounds: Sounds) -> list[DrumsJob]:
    """The tracks of a corpus, for every split; published performances stay in theirs.

    Where there are four kits or more, every fourth is for validation and test alone.
    """
    kits = kits_of(sounds.banks, sounds.one_shots)
    jobs = []
    for split in SPLITS:
        rng = numpy_generator(sounds.seed, NAME, "pieces", split)
        mine = kits_of_split(kits, split)
        # A copy is the same performance on another kit.
        copies = sounds.copies if split == "train" else 1
        turns = in_turn(mine, copies * sounds.pieces[split], rng)
        of_split = sorted(
            (d for d in drummings if d.row.split == split and d.row.duration >= sounds.seconds / 2),
            key=lambda d: d.row.id,
        )
        order = [of_split[i] for i in rng.permutation(len(of_split))]
        for number, kit in enumerate(turns):
            invented = rng.random() < INVENTED_SHARE or not order
            drumming = None if invented else order[number // copies % len(order)]
            jobs.append(
                DrumsJob(
                    split, number, drumming, kit, tuple(mine), tuple(sounds.banks),
                    sounds.seconds, sounds.seed,
                )
            )  # fmt: skip
    return jobs


def kits_of_split(kits: Sequence[Kit], split: str) -> list[Kit]:
    """Kits of a split: three of four train, where there are so many."""
    if len(kits) < 4:
        return list(kits)
    return [kit for index, kit in enumerate(kits) if (index % 4 == 3) != (split == "train")]


def form_of(jobs: Sequence[DrumsJob]) -> Form:
    """Tables and files of the corpus."""
    return Form(
        folder="varied/drums",
        owned=(INFO_NAME, "drummer*/*/*.mid", "drummer*/*/*.flac"),
        tables={"info": (INFO_NAME, info_bytes(job.info for job in jobs))},
    )
