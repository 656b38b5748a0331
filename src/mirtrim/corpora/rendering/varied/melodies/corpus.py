"""Melodies and single notes over the whole range, in many voices, recorded in many ways.

In the layout of MDB-stem-synth. Every track has a middle pitch; the middles of a split lie evenly
over A1 to C7, so that every pitch is heard about as long as any other. A track is played by a
program of one of the banks, in one or two layers, or by a computed voice.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.melodies import mini
from mirtrim.corpora.rendering.melodies.melody import Gesture, bends_of
from mirtrim.corpora.rendering.soundbank import Note, Part
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.corpora.rendering.varied.making import Sounds, VariedJob
from mirtrim.corpora.rendering.varied.melodies.tones import draw_tone, sing
from mirtrim.corpora.rendering.varied.melodies.tuning import tuning_of
from mirtrim.corpora.rendering.varied.melodies.voices import (
    COMPUTED,
    HIGHEST,
    LOWEST,
    RANGE,
    reaching,
)
from mirtrim.corpora.rendering.varied.synth import Layer, downsampled, layered
from mirtrim.corpora.splits import SPLITS
from mirtrim.sound.chain import Chain
from mirtrim.utils.seeds import numpy_generator

NAME = "varied_melodies"
SILENCE_DB = -36.0
REACH = 9  # semitones around the middle
FEWEST_PITCHES = 6
COMPUTED_SHARE = 0.35
SINGLE_SHARE = 0.45
LAYERED_SHARE = 0.2
LARGEST_LAYER_DIFFERENCE_CENTS = 12.0
# Training adds more on the fly; validation and test have only what is recorded here.
RECORDING = Chain(
    room=0.6, room_seconds=0.7, tilt_db=3, equaliser_db=6, noise=0.7, noise_db=(15, 50), codec=0.1
)
FORM = replace(mini.FORM, folder="varied/melodies")


@dataclass(frozen=True)
class Performance:
    """What is played: notes in the order of time, none before another ends, a gesture for each.

    Attributes:
        cents: of each note above equal temperament, as its voice is tuned.
        tuning_semitones: of all notes, on top.
    """

    notes: Sequence[Note]
    gestures: Sequence[Gesture]
    cents: Sequence[float]
    tuning_semitones: float

    def part(self, program: int, seconds: float) -> Part:
        """For a bank."""
        bends = bends_of(self.notes, self.gestures, seconds)
        return Part(0, program, self.notes, self.tuning_semitones, bends)

    def f0_hz(self, times: np.ndarray) -> np.ndarray:
        """Fundamental of the note begun last, at `times` in seconds; before any, the first's."""
        starts = np.array([note.start_seconds for note in self.notes])
        index = np.searchsorted(starts, times, side="right") - 1
        result = np.empty(len(times))
        for number in np.unique(index):
            here, note = index == number, max(number, 0)
            bend = np.zeros(int(here.sum()))
            if number >= 0:
                bend = self.gestures[note].semitones(times[here] - starts[note])
            pitch = self.notes[note].pitch + self.tuning_semitones + self.cents[note] / 100
            result[here] = 440.0 * 2 ** ((pitch + bend - 69) / 12)
        return result


@dataclass(frozen=True)
class MelodyJob(VariedJob):
    """One track.

    Attributes:
        middle: MIDI pitch around which it plays.
        program: that plays it, or COMPUTED.
        bank: whose program; another one plays if this one has no such notes.
    """

    middle: int
    program: int
    bank: int

    corpus = NAME
    chain = RECORDING
    levels_db = (-24, -0.5)

    @property
    def track_id(self) -> str:
        """Like `<artist>_<track>_STEM_<number>`."""
        voice = "Computed" if self.program == COMPUTED else f"Program{self.program:03d}"
        return f"{self.split.capitalize()}{self.number:04d}_{voice}_STEM_01"

    @property
    def files(self) -> Mapping[str, str]:
        """Annotation and audio."""
        return mini.stem_files(self.track_id)

    @property
    def source(self) -> str:
        """A program is of one split; every computed voice is another one."""
        return f"program {self.program}" if self.program != COMPUTED else self.track_id

    def make(self, data_home: Path) -> None:
        """Play, record and write the track."""
        performance, dry = self.played()
        self.record(data_home / self.files["audio"], dry)
        mini.write_f0(data_home / self.files["f0"], *annotation(performance, dry))

    def played(self) -> tuple[Performance, np.ndarray]:
        """Notes and their sound at 16 kHz before it is recorded, (samples,)."""
        seconds, rng = self.sounds.seconds, self.stream("playing")
        if self.program != COMPUTED:
            banks = self.sounds.banks
            for bank in (*banks[self.bank :], *banks[: self.bank]):
                if self.program in bank.programs:
                    tuning = tuning_of(bank, self.program, *RANGE[self.program])
                    if len(near(tuning, self.middle)) >= FEWEST_PITCHES:
                        performance = perform(tuning, self.middle, seconds, rng)
                        return performance, self.rendered(performance, bank, rng)
        # No bank has these notes: a voice that has all of them.
        still = dict.fromkeys(range(LOWEST, HIGHEST + 1), 0.0)
        performance = perform(still, self.middle, seconds, rng)
        times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
        notes = [
            (n.start_seconds, n.end_seconds, (n.velocity / 127) ** 1.5) for n in performance.notes
        ]
        dry = sing(draw_tone(rng), notes, performance.f0_hz(times), SAMPLE_RATE, rng)
        return performance, dry

    def rendered(
        self, performance: Performance, bank: Bank, rng: np.random.Generator
    ) -> np.ndarray:
        """The performance on a bank, sometimes with a second one a little out of tune."""
        layers = [Layer(bank)]
        if rng.random() < LAYERED_SHARE:
            other = self.sounds.banks[int(rng.integers(len(self.sounds.banks)))]
            second = Layer(other, float(rng.uniform(-8, 8)), float(rng.uniform(-12, 0)))
            if self.in_tune(performance, other):
                layers.append(second)
        part = performance.part(self.program, self.sounds.seconds)
        return downsampled(layered([part], self.sounds.seconds, layers))

    def in_tune(self, performance: Performance, other: Bank) -> bool:
        """Whether another bank has all notes, tuned nearly alike."""
        if self.program not in other.programs:
            return False
        tuning = tuning_of(other, self.program, *RANGE[self.program])
        return all(
            abs(tuning.get(note.pitch, math.inf) - cents) <= LARGEST_LAYER_DIFFERENCE_CENTS
            for note, cents in zip(performance.notes, performance.cents, strict=True)
        )


def near(pitches: Mapping[int, float], middle: int) -> list[int]:
    """Pitches within reach of the middle and in the promised range, rising."""
    return sorted(p for p in pitches if abs(p - middle) <= REACH and LOWEST <= p <= HIGHEST)


def perform(
    tuning: Mapping[int, float], middle: int, seconds: float, rng: np.random.Generator
) -> Performance:
    """Notes of a voice around a middle pitch: a line, or notes apart from each other."""
    pitches = near(tuning, middle)
    single = rng.random() < SINGLE_SHARE
    expressive = rng.random() < 0.6
    vibrato_semitones = float(rng.uniform(0.05, 0.6)) if rng.random() < 0.7 else 0.0
    vibrato_hz = float(rng.uniform(4, 7.5))
    glide_chance = float(rng.uniform(0, 0.35))
    usual = float(np.exp(rng.uniform(np.log(0.1), np.log(0.5))))
    legato = float(rng.uniform(0.6, 1.05))
    loudness = float(rng.uniform(50, 110))
    place = int(rng.integers(len(pitches)))
    notes: list[Note] = []
    gestures: list[Gesture] = []
    time = float(rng.uniform(0.02, 0.3))
    while time < seconds - 0.05:
        if single:
            length = float(np.exp(rng.uniform(np.log(0.2), np.log(2.5))))
            gap = float(rng.uniform(0.05, 0.6))
            place = int(rng.integers(len(pitches)))
        else:
            length = usual * float(rng.choice([0.5, 1, 1, 1, 2, 3]))
            gap = float(rng.uniform(0.2, 1.0)) if rng.random() < 0.08 else 0.0
            step = int(rng.choice([-7, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 7]))
            place = reflected(place + step, len(pitches))
        sounding = min(length * (1.0 if single else legato), seconds - time)
        glides = expressive and rng.random() < glide_chance
        semitones, glide_seconds = float(rng.uniform(-1.3, 0.8)), float(rng.uniform(0.04, 0.2))
        shakes = expressive and sounding > 0.25
        gestures.append(
            Gesture(
                glide_semitones=semitones if glides else 0.0,
                glide_seconds=min(glide_seconds, sounding) if glides else 0.0,
                vibrato_semitones=vibrato_semitones if shakes else 0.0,
                vibrato_hz=vibrato_hz if shakes and vibrato_semitones else 0.0,
            )
        )
        velocity = int(np.clip(round(loudness + rng.normal(0, 12)), 25, 127))
        end = min(time + sounding, time + length + gap)
        notes.append(Note(time, end, pitches[place], velocity))
        time += length + gap
    cents = [tuning[note.pitch] for note in notes]
    return Performance(notes, gestures, cents, float(rng.uniform(-0.5, 0.5)))


def reflected(place: int, count: int) -> int:
    """An index that stepped out of 0 … count − 1, as far inside again."""
    turn = max(1, 2 * (count - 1))
    place %= turn
    return min(place, turn - place) if count > 1 else 0


def annotation(performance: Performance, dry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and f0 in Hz (0: silence), both (values,), of a dry sound at 16 kHz.

    Sound 36 dB below the loudest moment counts as silence.
    """
    times, sounding = mini.moments(dry, SAMPLE_RATE, SILENCE_DB)
    begun = times >= performance.notes[0].start_seconds
    return times, np.where(sounding & begun, performance.f0_hz(times), 0.0)


def middles(count: int, rng: np.random.Generator) -> list[int]:
    """Middle pitches that lie evenly over the range, in a drawn order.

    They begin and end three semitones outside: notes at the ends of the range have neighbours on
    one side only.
    """
    low, high = LOWEST - 3, HIGHEST + 3
    even = low + (np.arange(count) + rng.random()) / count * (high + 1 - low)
    return [int(value) for value in rng.permutation(np.floor(even))]


def melody_jobs(sounds: Sounds) -> list[MelodyJob]:
    """The tracks of a corpus, for every split."""
    jobs = []
    for split in SPLITS:
        rng = numpy_generator(sounds.seed, NAME, "voices", split)
        for number, middle in enumerate(middles(sounds.pieces[split], rng)):
            inside = min(max(middle, LOWEST), HIGHEST)
            programs = reaching(split, inside, FEWEST_PITCHES)
            computed = rng.random() < COMPUTED_SHARE or not programs
            program = COMPUTED if computed else int(rng.choice(programs))
            bank = int(rng.integers(len(sounds.banks)))
            jobs.append(MelodyJob(split, number, sounds, middle, program, bank))
    return jobs
