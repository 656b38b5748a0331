"""Drum kits of all kinds, in the layout of the Groove MIDI Dataset.

Performances are the published ones, a stretch of each, and those of the invented drummers; they
are played on every kit of every bank and folder, alone or in layers, and recorded in many ways.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mirtrim.corpora import layout
from mirtrim.corpora.annotations.drums import read_midi
from mirtrim.corpora.annotations.groove_info import InfoRow
from mirtrim.corpora.rendering.backing import backing_parts
from mirtrim.corpora.rendering.drums.drummers import DRUMMERS
from mirtrim.corpora.rendering.drums.mini import groove_form
from mirtrim.corpora.rendering.drums.performance import perform
from mirtrim.corpora.rendering.drums.recording import published_notes
from mirtrim.corpora.rendering.midi import midi_bytes
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, Note, Part
from mirtrim.corpora.rendering.varied.audible import audible
from mirtrim.corpora.rendering.varied.kits import Kit, draw_hits, in_turn, kits_of, play_kits
from mirtrim.corpora.rendering.varied.making import Sounds, VariedJob
from mirtrim.corpora.rendering.varied.synth import downsampled, render
from mirtrim.corpora.splits import SPLITS
from mirtrim.sound.chain import Chain
from mirtrim.sound.effects import amplitude, rms
from mirtrim.utils.seeds import numpy_generator

NAME = "varied_drums"
RECORDING = Chain(
    room=0.75, room_seconds=1.0, tilt_db=3, equaliser_db=7, band_limit=0.3, noise=0.6,
    noise_db=(15, 55), clipping=0.2, codec=0.1,
)  # fmt: skip
BACKED_SHARE = 0.35
BACKING_DB = (-28.0, -6.0)
INVENTED_SHARE = 0.3
FEWEST_STROKES = 4
TAIL_SECONDS = 0.2
STROKE_SECONDS = 0.05


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
class DrumsJob(VariedJob):
    """One track.

    Attributes:
        drumming: the performance of which a stretch is played; None is an invented one.
        kits: all there are; number `kit` is the main one.
    """

    drumming: Drumming | None
    kit: int
    kits: tuple[Kit, ...]

    corpus = NAME
    chain = RECORDING
    levels_db = (-26.0, -0.3)

    @property
    def track_id(self) -> str:
        """Like drummer/session/number."""
        return f"drummer{1 + self.number % 10}/{self.split}/{self.number}"

    @property
    def source(self) -> str:
        """The published performance, or the track itself."""
        return self.drumming.row.id if self.drumming else self.track_id

    @property
    def info(self) -> InfoRow:
        """Its row in info.csv."""
        drummer, session, _ = self.track_id.split("/")
        style = self.drumming.row.style if self.drumming else "invented"
        files = self.files
        return InfoRow(
            drummer, f"{drummer}/{session}", self.track_id, style, 120, "beat", "4-4",
            files["midi"], files["audio"], self.sounds.seconds, self.split,
        )  # fmt: skip

    def make(self, data_home: Path) -> None:
        """Play, record and write the track."""
        notes, mix = self.played()
        samples = self.record(data_home / self.files["audio"], downsampled(mix))
        strokes = [
            replace(note, end_seconds=note.start_seconds + STROKE_SECONDS)
            for note in audible(notes, samples)
        ]
        midi = midi_bytes([Part(DRUM_CHANNEL, 0, strokes)], "Drums")
        layout.write_bytes(data_home / self.files["midi"], midi)

    def played(self) -> tuple[list[Note], np.ndarray]:
        """Strokes in Roland's pitches, and their sound at 48 kHz before it is recorded.

        Raises:
            CorpusError: a published performance has a stroke of no kind listed.
        """
        seconds, rng = self.sounds.seconds, self.stream("playing")
        notes = self._strokes(rng)
        hits = draw_hits(self.kits, self.kit, rng)
        mix, notes = play_kits(notes, seconds, hits, rng)
        if rng.random() < BACKED_SHARE:
            parts = backing_parts(seconds, float(rng.uniform(70, 160)), rng)
            level_db = float(rng.uniform(*BACKING_DB))
            if tonal := self.sounds.tonal:
                backing = render(parts, seconds, tonal[int(rng.integers(len(tonal)))])
                scale = amplitude(level_db) * rms(mix) / np.maximum(rms(backing), 1e-6)
                mix = mix + scale.astype(np.float32) * backing
        return notes, mix

    def _strokes(self, rng: np.random.Generator) -> list[Note]:
        if self.drumming is None:
            drummer = DRUMMERS[sorted(DRUMMERS)[int(rng.integers(len(DRUMMERS)))]]
            return list(perform(drummer, self.sounds.seconds, rng).notes)
        path = self.drumming.midi
        return stretch(published_notes(read_midi(path), path), self.sounds.seconds, rng)


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
            jobs.append(DrumsJob(split, number, sounds, drumming, kit, tuple(mine)))
    return jobs


def kits_of_split(kits: Sequence[Kit], split: str) -> list[Kit]:
    """Kits of a split: three of four are for training, if there are that many."""
    if len(kits) < 4:
        return list(kits)
    return [kit for index, kit in enumerate(kits) if (index % 4 == 3) != (split == "train")]


def form_of(jobs: Sequence[DrumsJob]) -> Form:
    """Tables and files of the corpus."""
    return groove_form((job.info for job in jobs), "varied/drums")
