"""Songs in many arrangements, with their chords, in the layout of GuitarSet."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from mirtrim.corpora import layout
from mirtrim.corpora.rendering.audio import SAMPLE_RATE, write_audio
from mirtrim.corpora.rendering.chords.accompaniment import Played
from mirtrim.corpora.rendering.chords.harmony import PITCH_NAMES, STYLES
from mirtrim.corpora.rendering.chords.mini import ChordJob
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.soundbank import DRUM_CHANNEL, RENDERER_RATE, Part
from mirtrim.corpora.rendering.varied.banks import Bank
from mirtrim.corpora.rendering.varied.kits import Kit, draw_hits, in_turn, kits_of, play_kits
from mirtrim.corpora.rendering.varied.making import Sounds
from mirtrim.corpora.rendering.varied.songs.arranging import play_song
from mirtrim.corpora.rendering.varied.synth import render
from mirtrim.corpora.splits import SPLITS, TrackRow
from mirtrim.sound.chain import Chain
from mirtrim.sound.effects import amplitude, at_level, rms
from mirtrim.utils.errors import CorpusError
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
class SongJob:
    """One track.

    Attributes:
        bank: of the pitched instruments; another one of `banks` plays if it lacks some of them.
        kits: all there are; number `kit` is the main one.
    """

    split: str
    number: int
    copy: int
    tonic: int
    minor: bool
    tempo: int
    bank: int
    banks: tuple[Bank, ...]
    kit: int
    kits: tuple[Kit, ...]
    seconds: float
    seed: int

    @property
    def track_id(self) -> str:
        """Named as in GuitarSet: player, style and take, tempo, key, kind of excerpt.

        The player counts the pieces of all splits, the take is that of the copy.
        """
        player = f"{SPLITS.index(self.split)}{self.number:04d}"
        style = STYLES[self.number % len(STYLES)].name
        return f"{player}_{style}{self.copy % 10}-{self.tempo}-{PITCH_NAMES[self.tonic]}_comp"

    @property
    def source(self) -> str:
        """The song, whoever plays it."""
        return f"{self.split} {self.number}"

    @property
    def files(self) -> Mapping[str, str]:
        """Annotation and audio; FLAC where GuitarSet has WAV."""
        return {
            "jams": f"annotation/{self.track_id}.jams",
            "audio_mic": f"audio_mono-mic/{self.track_id}_mic.flac",
        }

    @property
    def row(self) -> TrackRow:
        """Every song is a source of its own."""
        return TrackRow(self.track_id, self.split, self.source, self.seconds)

    def make(self, data_home: Path) -> None:
        """Play, record and write the track."""
        played = self.played()
        mix = self.sound(played)
        rng = numpy_generator(self.seed, NAME, "recording", self.track_id)
        dry = resample_poly(mix, SAMPLE_RATE, RENDERER_RATE).astype(np.float32)
        heard, _ = RECORDING.play(at_level(dry, 0.0)[None], SAMPLE_RATE, rng)
        samples = at_level(heard[0], float(rng.uniform(-20, -0.5)))
        write_audio(data_home / self.files["audio_mic"], np.rint(32767 * samples).astype(np.int16))
        style = STYLES[self.number % len(STYLES)]
        annotation = ChordJob(
            self.track_id.split("_")[0], 0, style, self.tempo, self.tonic, self.minor,
            self.seconds, self.seed,
        ).annotation(played)  # fmt: skip
        text = json.dumps(annotation, indent=1, sort_keys=True) + "\n"
        layout.write_bytes(data_home / self.files["jams"], text.encode())

    def played(self) -> Played:
        """Notes and chords of the song."""
        rng = numpy_generator(self.seed, NAME, "song", self.source)
        return play_song(self.tonic, self.minor, float(self.tempo), self.seconds, rng)

    def sound(self, played: Played) -> np.ndarray:
        """Their sound at 48 kHz before it is recorded, (samples,)."""
        rng = numpy_generator(self.seed, NAME, "sounds", self.track_id)
        tonal = [part for part in played.parts if part.channel != DRUM_CHANNEL]
        programs = {part.program for part in tonal}
        able = [bank for bank in self.banks if programs <= set(bank.programs)]
        if not able:
            raise CorpusError(
                f"no bank has the programs {', '.join(map(str, sorted(programs)))} of General "
                "MIDI; add a complete one to `banks`"
            )
        preferred = self.banks[self.bank]
        bank = preferred if preferred in able else able[self.number % len(able)]
        mix = render([_balanced(part, rng) for part in tonal], self.seconds, bank)
        for part in played.parts:
            if part.channel == DRUM_CHANNEL:
                hits = draw_hits(self.kits, self.kit, rng)
                beat, _ = play_kits(part.notes, self.seconds, hits, rng)
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
    tonal = tuple(bank for bank in sounds.banks if len(bank.programs) > 1)
    jobs = []
    for split in SPLITS:
        rng = numpy_generator(sounds.seed, NAME, "songs", split)
        copies = sounds.copies if split == "train" else 1
        turns = in_turn(kits, copies * sounds.pieces[split], rng)
        for number in range(sounds.pieces[split]):
            minor, tempo = bool(rng.random() < MINOR_SHARE), int(rng.integers(*TEMPO))
            for copy in range(copies):
                jobs.append(
                    SongJob(
                        split, number, copy, number % 12, minor, tempo,
                        (number + copy) % max(1, len(tonal)), tonal,
                        turns[copies * number + copy], kits, sounds.seconds, sounds.seed,
                    )
                )  # fmt: skip
    return jobs


def form_of(jobs: Sequence[SongJob]) -> Form:
    """Files of the corpus."""
    return Form(
        folder="varied/songs",
        owned=("annotation/*.jams", "audio_mono-mic/*.flac"),
        absent=("audio_hex", "audio_hex_cln", "audio_mix"),
    )
