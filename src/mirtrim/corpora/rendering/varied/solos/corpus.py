"""Eight instruments alone, on several banks, recorded in many ways.

In the layout of Medley-solos-DB. With three banks or more the last one is heard in validation and
test only: from which probability on a network is sure is then learnt on sounds that it does not
know.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirtrim.corpora.rendering.audio import SAMPLE_RATE
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.solos.mini import clip_files, drawn_uuid, solos_form
from mirtrim.corpora.rendering.solos.solos import LEAD_SECONDS
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, Note, Part
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.corpora.rendering.varied.making import Sounds, VariedJob
from mirtrim.corpora.rendering.varied.solos.players import PLAYERS, SUNG, Player
from mirtrim.corpora.rendering.varied.solos.singing import sung
from mirtrim.corpora.rendering.varied.synth import Layer, downsampled, layered
from mirtrim.corpora.splits import SPLITS
from mirtrim.sound.chain import Chain
from mirtrim.sound.effects import Curve, clipped, equalise

NAME = "varied_solos"
REACH = 8
BEND_STEP_SECONDS = 0.01
LAYERED_SHARE = 0.25
BANKS_TO_HOLD_ONE_BACK = 3
RECORDING = Chain(
    room=0.7, room_seconds=0.9, tilt_db=3, equaliser_db=6, band_limit=0.1, noise=0.7,
    noise_db=(18, 50), codec=0.1,
)  # fmt: skip


@dataclass(frozen=True)
class ClipJob(VariedJob):
    """One clip; every one is a performance of its own.

    Attributes:
        banks: those of its split.
    """

    player: Player
    banks: Sequence[Bank]

    corpus = NAME
    chain = RECORDING
    levels_db = (-20, -1)

    @property
    def track_id(self) -> str:
        """A UUID, as in Medley-solos-DB."""
        return drawn_uuid(self.sounds.seed, NAME, self.split, self.number)

    @property
    def files(self) -> Mapping[str, str]:
        """The audio file."""
        return clip_files(self.split, self.player.instrument_id, self.track_id)

    def make(self, data_home: Path) -> None:
        """Play, record and write the clip."""
        rng = self.stream("playing")
        dry = self.played(rng)
        self.record(data_home / self.files["audio"], dry, rng)

    def played(self, rng: np.random.Generator) -> np.ndarray:
        """The clip at 16 kHz before it is recorded, (samples,)."""
        player, whole = self.player, self.sounds.seconds + LEAD_SECONDS
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
            layers.append(Layer(other, float(rng.uniform(-12, 12)), float(rng.uniform(-12, 0))))
        mix = layered([Part(0, program, notes, tuning, bends)], whole, layers)
        if program in player.overdriven:
            mix = amplified(mix, rng)
        return downsampled(mix)[lead:]


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
    banks = sounds.banks
    held_back = len(banks) >= BANKS_TO_HOLD_ONE_BACK
    of_split = {split: banks[-1:] if held_back else banks for split in SPLITS}
    of_split["train"] = banks[:-1] if held_back else banks
    return [
        ClipJob(split, number, sounds, PLAYERS[number % len(PLAYERS)], of_split[split])
        for split in SPLITS
        for number in range(sounds.pieces[split])
    ]


def form_of(jobs: Sequence[ClipJob]) -> Form:
    """The table of clips."""
    played = enumerate((job, job.player) for job in jobs)
    clips = ((j.split, p.instrument, p.instrument_id, i, j.track_id) for i, (j, p) in played)
    return solos_form("varied/solos", clips)
