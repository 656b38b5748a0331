"""Songs in many arrangements, with their chords, in the layout of GuitarSet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mirtrim.corpora import layout
from mirtrim.corpora.rendering.chords import mini
from mirtrim.corpora.rendering.chords.accompaniment import Played
from mirtrim.corpora.rendering.chords.harmony import STYLES
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, Part
from mirtrim.corpora.rendering.varied.kits import Kit, draw_hits, in_turn, kits_of, play_kits
from mirtrim.corpora.rendering.varied.making import Sounds, VariedJob
from mirtrim.corpora.rendering.varied.songs.arranging import play_song
from mirtrim.corpora.rendering.varied.synth import downsampled, render
from mirtrim.corpora.splits import SPLITS
from mirtrim.sound.chain import Chain
from mirtrim.sound.effects import amplitude, rms
from mirtrim.utils.seeds import numpy_generator

NAME = "varied_songs"
RECORDING = Chain(
    room=0.8, room_seconds=1.2, tilt_db=3, equaliser_db=7, band_limit=0.3, noise=0.7,
    noise_db=(10, 50), clipping=0.1, codec=0.1,
)  # fmt: skip
TEMPO = (50, 150)
DRUMS_DB = (-14.0, 3.0)
MINOR_SHARE = 0.45


@dataclass(frozen=True)
class SongJob(VariedJob):
    """One track.

    Attributes:
        bank: of the pitched instruments; another one plays if it lacks some of them.
        kits: all there are; number `kit` is the main one.
    """

    copy: int
    tonic: int
    minor: bool
    tempo: int
    bank: int
    kit: int
    kits: tuple[Kit, ...]

    corpus = NAME
    chain = RECORDING
    levels_db = (-20, -0.5)

    @property
    def track_id(self) -> str:
        """Named as in GuitarSet.

        The player counts the pieces of all splits, the take is that of the copy.
        """
        return self._name_of_take(self.copy % 10)

    def _name_of_take(self, number: int) -> str:
        player = f"{SPLITS.index(self.split)}{self.number:04d}"
        style = STYLES[self.number % len(STYLES)]
        return mini.excerpt_name(player, style, number, self.tempo, self.tonic)

    @property
    def source(self) -> str:
        """The song, independent of its players."""
        return f"{self.split} {self.number}"

    @property
    def files(self) -> Mapping[str, str]:
        """Annotation and audio."""
        return mini.files_of(self.track_id)

    def make(self, data_home: Path) -> None:
        """Play, record and write the track."""
        played = self.played()
        self.record(data_home / self.files["audio_mic"], downsampled(self.sound(played)))
        key = mini.key_name(self.tonic, self.minor)
        title = self._name_of_take(1)  # one for all copies
        jams = mini.jams_bytes(title, played, self.tempo, key, self.sounds.seconds)
        layout.write_bytes(data_home / self.files["jams"], jams)

    def played(self) -> Played:
        """Notes and chords of the song."""
        rng = self.stream("song", self.source)
        return play_song(self.tonic, self.minor, float(self.tempo), self.sounds.seconds, rng)

    def sound(self, played: Played) -> np.ndarray:
        """Their sound at 48 kHz before it is recorded, (samples,)."""
        seconds, rng = self.sounds.seconds, self.stream("sounds")
        tonal = [part for part in played.parts if part.channel != DRUM_CHANNEL]
        bank = self.sounds.tonal_bank(tonal, self.bank, self.number)
        mix = render([_balanced(part, rng) for part in tonal], seconds, bank)
        for part in played.parts:
            if part.channel == DRUM_CHANNEL:
                hits = draw_hits(self.kits, self.kit, rng)
                beat, _ = play_kits(part.notes, seconds, hits, rng)
                level = amplitude(float(rng.uniform(*DRUMS_DB)))
                scale = level * rms(mix) / np.maximum(rms(beat), 1e-6)
                mix = mix + scale.astype(np.float32) * beat
        return mix


def _balanced(part: Part, rng: np.random.Generator) -> Part:
    """A part as loud as this recording has it."""
    factor = float(rng.uniform(0.7, 1.2))
    notes = [
        replace(note, velocity=int(np.clip(round(factor * note.velocity), 15, 127)))
        for note in part.notes
    ]
    return replace(part, notes=notes)


def song_jobs(sounds: Sounds) -> list[SongJob]:
    """The tracks of a corpus, for every split; banks and kits take turns, keys are even."""
    kits = tuple(kits_of(sounds.banks, sounds.one_shots))
    banks = max(1, len(sounds.tonal))
    jobs = []
    for split in SPLITS:
        rng = numpy_generator(sounds.seed, NAME, "songs", split)
        copies = sounds.copies if split == "train" else 1
        turns = in_turn(kits, copies * sounds.pieces[split], rng)
        for number in range(sounds.pieces[split]):
            minor, tempo = bool(rng.random() < MINOR_SHARE), int(rng.integers(*TEMPO))
            for copy in range(copies):
                bank, kit = (number + copy) % banks, turns[copies * number + copy]
                jobs.append(
                    SongJob(split, number, sounds, copy, number % 12, minor, tempo, bank, kit, kits)
                )
    return jobs


def form_of(jobs: Sequence[SongJob]) -> Form:
    """Files of the corpus."""
    return replace(mini.FORM, folder="varied/songs")
