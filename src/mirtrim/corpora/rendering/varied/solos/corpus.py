"""Eight instruments alone, on several banks, recorded in many ways.

In the layout of Medley-solos-DB. With three banks or more the last one is heard in validation and
test only: from which probability on a network is sure is then learnt on sounds that it does not
know.
"""

import csv
import io
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from mirtrim.corpora.rendering.audio import SAMPLE_RATE, write_audio
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, Note, Part
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.corpora.rendering.varied.making import Sounds
from mirtrim.corpora.rendering.varied.solos.players import PLAYERS, SUNG, Player
from mirtrim.corpora.rendering.varied.solos.singing import sung
from mirtrim.corpora.rendering.varied.synth import Layer, layered
from mirtrim.corpora.splits import SPLITS, TrackRow
from mirtrim.sound.chain import Chain
from mirtrim.sound.effects import Curve, at_level, clipped, equalise
from mirtrim.utils.seeds import derive, numpy_generator

NAME = "varied_solos"
METADATA_NAME = "annotation/Medley-solos-DB_metadata.csv"
REACH = 8
BEND_STEP_SECONDS = 0.01
LAYERED_SHARE = 0.25
# Notes that began this long before a clip are rendered into it.
LEAD_SECONDS = 0.3
BANKS_TO_HOLD_ONE_BACK = 3
RECORDING = Chain(
    room=0.7, room_seconds=0.9, tilt_db=3, equaliser_db=6, band_limit=0.1, noise=0.7,
    noise_db=(18, 50), codec=0.1,
)  # fmt: skip


@dataclass(frozen=True)
class ClipJob:
    """One clip."""

    player: Player
    split: str
    number: int
    banks: tuple[Bank, ...]
    seconds: float
    seed: int

    @property
    def track_id(self) -> str:
        """A UUID, as in Medley-solos-DB."""
        names = (NAME, self.split, self.number)
        bits = derive(self.seed, *names, "high") << 64 | derive(self.seed, *names, "low")
        return str(uuid.UUID(int=bits, version=4))

    @property
    def files(self) -> Mapping[str, str]:
        """The audio file."""
        stem = f"Medley-solos-DB_{self.split}-{self.player.instrument_id}_{self.track_id}"
        return {"audio": f"audio/{stem}.flac"}

    @property
    def row(self) -> TrackRow:
        """Every clip is a performance of its own."""
        return TrackRow(self.track_id, self.split, self.track_id, self.seconds)

    def make(self, data_home: Path) -> None:
        """Play, record and write the clip."""
        rng = numpy_generator(self.seed, NAME, "playing", self.track_id)
        dry = self.played(rng)
        heard, _ = RECORDING.play(at_level(dry, 0.0)[None], SAMPLE_RATE, rng)
        samples = at_level(heard[0], float(rng.uniform(-20, -1)))
        write_audio(data_home / self.files["audio"], np.rint(32767 * samples).astype(np.int16))

    def played(self, rng: np.random.Generator) -> np.ndarray:
        """The clip at 16 kHz before it is recorded, (samples,)."""
        player, whole = self.player, self.seconds + LEAD_SECONDS
        notes = play(player, whole, rng)
        bends = shaken(player, notes, whole, rng)
        tuning = float(rng.uniform(-0.5, 0.5))
        program = int(rng.choice(player.programs))
        lead = round(LEAD_SECONDS * SAMPLE_RATE)
        if program == SUNG:
            return sung(notes, bends, tuning, whole, SAMPLE_RATE, rng)[lead:]
        bank = self.banks[int(rng.integers(len(self.banks)))]
        layers = [Layer(bank)]
        if rng.random() < LAYERED_SHARE:
            other = self.banks[int(rng.integers(len(self.banks)))]
            detune, level = float(rng.uniform(-12, 12)), float(rng.uniform(-12, 0))
            layers.append(Layer(other, detune_cents=detune, level_db=level))
        mix = layered([Part(0, program, notes, tuning, bends)], whole, layers)
        if program in player.overdriven:
            mix = amplified(mix, rng)
        return resample_poly(mix, SAMPLE_RATE, RENDERER_RATE).astype(np.float32)[lead:]


def amplified(mix: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A guitar at 48 kHz through an overdriven amplifier and its cabinet."""
    loud = clipped(mix, float(10 ** rng.uniform(-1.6, -0.8)), soft=True)
    cabinet = Curve(
        bumps=[(float(rng.uniform(1500, 3500)), float(rng.uniform(2, 8)), 0.5)],
        lowest_hz=float(rng.uniform(60, 120)),
        highest_hz=float(rng.uniform(3500, 6500)),
    )
    return equalise(loud, RENDERER_RATE, cabinet)


def play(player: Player, seconds: float, rng: np.random.Generator) -> list[Note]:
    """Notes of a solo: a line, fast or slow, or notes apart, with chords where these can be."""
    low, high = player.lowest, player.highest
    middle = int(rng.integers(low + 3, high - 2))
    low, high = max(low, middle - REACH), min(high, middle + REACH)
    usual = float(np.exp(rng.uniform(np.log(0.1), np.log(1.2))))
    legato, loudness = float(rng.uniform(0.6, 1.05)), float(rng.uniform(50, 110))
    chords = float(rng.uniform(0, 0.7)) if player.doubling else 0.0
    scale = {0, 2, 4, 5, 7, 9, 11} if rng.random() < 0.8 else set(range(12))
    key = int(rng.integers(12))
    steps = [p for p in range(low, high + 1) if (p - key) % 12 in scale]
    place = int(rng.integers(len(steps)))
    notes: list[Note] = []
    time = float(rng.uniform(0, 0.2))
    while time < seconds - 0.05:
        length = usual * float(rng.choice([0.5, 1, 1, 1, 2]))
        place = int(np.clip(place + rng.integers(-3, 4), 0, len(steps) - 1))
        velocity = int(np.clip(round(loudness + rng.normal(0, 10)), 25, 127))
        end = min(time + legato * length, seconds)
        notes.append(Note(time, end, steps[place], velocity))
        if rng.random() < chords:
            count = int(rng.integers(1, min(3, len(player.doubling)) + 1))
            for interval in rng.choice(player.doubling, count, replace=False):
                second = int(np.clip(steps[place] + interval, 21, 108))
                notes.append(Note(time, end, second, velocity))
        time += length + (float(rng.uniform(0.1, 0.6)) if rng.random() < 0.1 else 0.0)
    return notes


def shaken(
    player: Player, notes: Sequence[Note], seconds: float, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Bends of the whole clip: vibrato, and glides into some notes; (seconds, semitones)."""
    if not player.sustained:
        return []
    depth = float(rng.uniform(0, 0.6)) if rng.random() < 0.75 else 0.0
    rate, chance = float(rng.uniform(4, 7)), float(rng.uniform(0, 0.3))
    times = np.arange(0, seconds, BEND_STEP_SECONDS)
    bend = depth * np.sin(2 * np.pi * rate * times)
    for note in notes:
        if rng.random() < chance:
            late = times - note.start_seconds
            here = (late >= 0) & (late < 0.1)
            bend[here] += rng.uniform(-1, 0.3) * (1 - late[here] / 0.1)
    return list(zip(times.tolist(), bend.tolist(), strict=True))


def clip_jobs(sounds: Sounds) -> list[ClipJob]:
    """The clips of a corpus; classes take turns."""
    banks = tuple(sounds.banks)
    held_back = len(banks) >= BANKS_TO_HOLD_ONE_BACK
    of_split = {split: banks[-1:] if held_back else banks for split in SPLITS}
    of_split["train"] = banks[:-1] if held_back else banks
    return [
        ClipJob(
            PLAYERS[number % len(PLAYERS)],
            split,
            number,
            of_split[split],
            sounds.seconds,
            sounds.seed,
        )
        for split in SPLITS
        for number in range(sounds.pieces[split])
    ]


def form_of(jobs: Sequence[ClipJob]) -> Form:
    """The table of clips."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["subset", "instrument", "instrument_id", "song_id", "uuid4"])
    for index, job in enumerate(jobs):
        player = job.player
        writer.writerow([job.split, player.instrument, player.instrument_id, index, job.track_id])
    return Form(
        folder="varied/solos",
        owned=(METADATA_NAME, "audio/*.flac"),
        tables={"Medley-solos-DB_metadata": (METADATA_NAME, stream.getvalue().encode())},
    )
