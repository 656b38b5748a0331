"""Real performances of the Groove MIDI Dataset, rendered with the sound bank."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mirtrim.corpora import layout
from mirtrim.corpora.annotations.drums import read_midi
from mirtrim.corpora.annotations.groove_info import INFO_NAME, read_info
from mirtrim.corpora.progress import Progress
from mirtrim.corpora.rendering.audio import write_audio
from mirtrim.corpora.rendering.drums.drummers import DRUMMERS, Drummer
from mirtrim.corpora.rendering.drums.mini import GrooveJob, groove_form
from mirtrim.corpora.rendering.drums.recording import draw_scene, published_notes, record
from mirtrim.corpora.rendering.production import produce
from mirtrim.utils import files

# Silence after the last note, so that it can ring.
TAIL_SECONDS = 0.5


@dataclass(frozen=True)
class PerformanceJob(GrooveJob):
    """One published performance."""

    midi: Path

    def make(self, data_home: Path) -> None:
        """Copy the MIDI file and render it."""
        midi = read_midi(self.midi)
        notes = published_notes(midi, self.midi)
        seconds = midi.get_end_time() + TAIL_SECONDS
        scene = draw_scene(self.seed, self.row.id, player_of(self.row.drummer))
        samples = record(notes, seconds, self.row.bpm, scene, self.seed, self.row.id)
        write_audio(data_home / self.row.audio_filename, samples)
        target = data_home / self.row.midi_filename
        with layout.disk_errors(target), files.atomic_path(target) as temporary:
            shutil.copyfile(self.midi, temporary)


def player_of(name: str) -> Drummer:
    """Kit and balance for a real drummer: those of an invented one, in turn."""
    kits = list(DRUMMERS.values())
    number = int(re.sub(r"\D", "", name) or 0)
    return replace(kits[(number - 1) % len(kits)], name=name)


def render_performances(
    midi_home: Path,
    data_home: Path,
    seed: int,
    track_ids: Sequence[str],
    workers: int = 1,
    progress: Progress | None = None,
) -> None:
    """Render performances into a folder of the same layout, with info.csv and index.json.

    Drummers, sessions, file names of the MIDI and the official split are kept; audio is FLAC
    at 16 kHz. Repeatable and safe to kill like an embedded corpus.

    Args:
        midi_home: folder with info.csv and the MIDI files, which have been validated.
        track_ids: performances to render.

    Raises:
        CorpusError: a performance is damaged or without strokes.
    """
    info = read_info(midi_home / INFO_NAME)
    jobs = []
    for track_id in track_ids:
        midi = info[track_id].midi_filename
        row = replace(info[track_id], audio_filename=str(Path(midi).with_suffix(".flac")))
        jobs.append(PerformanceJob(row, seed, midi_home / midi))
    checksums = {job.track_id: layout.md5_of_file(job.midi) for job in jobs}
    plan = {"corpus": "groove_midi", "seed": seed, "midi": files.sha256_of_value(checksums)}
    produce(data_home, plan, jobs, workers, progress, groove_form(job.row for job in jobs))
