"""The embedded corpus `mini_mdb_stem_synth`: soloists play fiddle tunes, with exact f0.

It has the layout of MDB-stem-synth (Salamon et al., ISMIR 2017): monophonic stems, and their
f0 in a CSV of time and frequency, 0 where nothing sounds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirtrim.corpora import layout
from mirtrim.corpora.rendering.audio import write_audio
from mirtrim.corpora.rendering.generation import Embedded
from mirtrim.corpora.rendering.melodies.melodists import MELODISTS, melodists_of_split
from mirtrim.corpora.rendering.melodies.melody import Line, play_tune
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.scene import draw_scene, rms, take
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, render
from mirtrim.corpora.rendering.tunes import read_tune, tune_ids_of_split
from mirtrim.corpora.splits import SPLITS
from mirtrim.utils.seeds import numpy_generator

MINI_NAME = "mini_mdb_stem_synth"
# MDB-stem-synth has a value every 128 samples as well, at 44.1 kHz.
ANNOTATION_HOP_SECONDS = 128 / 16_000
LEVEL_WINDOW_SECONDS = 0.02
SILENCE_DB = -30.0
FORM = Form(folder="melodies", owned=("annotation_stems/*.csv", "audio_stems/*.flac"))


@dataclass(frozen=True)
class StemJob:
    """One generated stem."""

    tune_id: str
    melodist: str
    seconds: float
    seed: int

    @property
    def track_id(self) -> str:
        """Like `<artist>_<track>_STEM_<number>`, with the tune in place of the artist."""
        return f"{self.tune_id.replace('_', '')}_{self.melodist}_STEM_01"

    @property
    def files(self) -> Mapping[str, str]:
        """Annotation and audio."""
        return stem_files(self.track_id)

    def make(self, data_home: Path) -> None:
        """Play, render and write the stem."""
        line = self.line()
        dry = render([line.part(self.seconds)], self.seconds)
        rng = numpy_generator(self.seed, "recording", self.track_id)
        scene = draw_scene(rng, 0.7, (-24, -9), (0.15, 0.6), (12, 35))
        samples = take(dry, self.seconds, rms(dry), scene, self.seed, self.track_id)
        write_audio(data_home / self.files["audio"], samples)
        write_f0(data_home / self.files["f0"], *annotation(line, dry))

    def line(self) -> Line:
        """The notes of the stem."""
        melodist = next(m for m in MELODISTS if m.name == self.melodist)
        rng = numpy_generator(self.seed, "line", self.track_id)
        return play_tune(read_tune(self.tune_id), melodist, self.seconds, rng)


def annotation(line: Line, dry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times in seconds and f0 in Hz (0: silence), both (values,), of a dry sound at 48 kHz."""
    times, sounding = moments(dry, RENDERER_RATE, SILENCE_DB)
    return times, np.where(sounding, line.f0_hz(times), 0.0)


def moments(dry: np.ndarray, sample_rate: int, silence_db: float) -> tuple[np.ndarray, np.ndarray]:
    """Times of annotations in seconds, and whether a dry sound is audible then, both (values,).

    A moment is silent if the sound around it is this many decibels below its loudest moment, so
    that the audible decay of a note counts as sound.
    """
    seconds = len(dry) / sample_rate
    times = np.arange(round(seconds / ANNOTATION_HOP_SECONDS)) * ANNOTATION_HOP_SECONDS
    energy = np.concatenate([[0.0], np.cumsum(dry.astype(np.float64) ** 2)])
    centre = np.rint(times * sample_rate).astype(int)
    half = round(LEVEL_WINDOW_SECONDS * sample_rate / 2)
    power = energy[np.minimum(centre + half, len(dry))] - energy[np.maximum(centre - half, 0)]
    return times, power > power.max() * 10 ** (silence_db / 10)


def stem_files(track_id: str) -> dict[str, str]:
    """Annotation and audio of a track; FLAC where MDB-stem-synth has WAV."""
    return {
        "audio": f"audio_stems/{track_id}.RESYN.flac",
        "f0": f"annotation_stems/{track_id}.RESYN.csv",
    }


def write_f0(path: Path, times: np.ndarray, f0_hz: np.ndarray) -> None:
    """Write an annotation as MDB-stem-synth has it."""
    rows = (f"{t:.6f},{f:.6f}" for t, f in zip(times, f0_hz, strict=True))
    layout.write_bytes(path, ("\n".join(rows) + "\n").encode())


def _jobs(counts: Mapping[str, int], seconds: float, seed: int) -> list[StemJob]:
    return [
        StemJob(tune_id, players[index % len(players)].name, seconds, seed)
        for split in SPLITS
        for players in [melodists_of_split(split)]
        for index, tune_id in enumerate(tune_ids_of_split(split, counts[split], seed, MINI_NAME))
    ]


MINI_STEMS = Embedded(
    MINI_NAME, "mdb_stem_synth", shortest_seconds=2.0, jobs=_jobs, form=lambda jobs: FORM
)
