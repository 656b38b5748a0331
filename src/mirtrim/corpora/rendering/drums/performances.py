"""Real performances of the Groove MIDI Dataset, rendered with the sound bank."""

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mirtrim.corpora import layout
from mirtrim.corpora.annotations.drums import FIVE_CLASSES, read_midi
from mirtrim.corpora.annotations.groove_info import INFO_NAME, InfoRow, read_info
from mirtrim.corpora.progress import Progress
from mirtrim.corpora.rendering.audio import write_audio
from mirtrim.corpora.rendering.drums.drummers import DRUMMERS, Drummer
from mirtrim.corpora.rendering.drums.mini import groove_form
from mirtrim.corpora.rendering.drums.recording import draw_scene, drum_notes, record
from mirtrim.corpora.rendering.production import produce
from mirtrim.utils import files
from mirtrim.utils.errors import CorpusError

# Silence after the last note, so that it can ring.
TAIL_SECONDS = 0.5


@dataclass(frozen=True)
class PerformanceJob:
    """One published performance."""

    row: InfoRow
    midi: Path
    seed: int

    @property
    def track_id(self) -> str:
        """Id of the performance."""
        return self.row.id

    @property
    def files(self) -> Mapping[str, str]:
        """The MIDI and the audio file."""
        return self.row.files

    def make(self, data_home: Path) -> None:
        """Copy the MIDI file and render it."""
        midi = read_midi(self.midi)
        notes = drum_notes(midi)
        unknown = sorted({note.pitch for note in notes} - set(FIVE_CLASSES))
        if unknown:
            raise CorpusError(f"{self.midi}: drum pitch {unknown[0]} is not one of the Roland kit")
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
    track_ids: Sequence[str] | None = None,
    minimum_seconds: float = 0.0,
    workers: int = 1,
    progress: Progress | None = None,
    index: Path | None = None,
    tell: Callable[[str], None] | None = None,
) -> None:
    """Render performances into a folder of the same layout, with info.csv and index.json.

    Drummers, sessions, file names of the MIDI and the official split are kept; audio is FLAC
    at 16 kHz. Repeatable and safe to kill like an embedded corpus.

    Args:
        midi_home: folder with info.csv and the MIDI files.
        track_ids: performances to render; None renders all that info.csv names.
        minimum_seconds: shorter performances are left out.
        index: the official index, against which MIDI files are checked; None looks where
            `open_groove` does.
        tell: receives one sentence if there is no index to check against.

    Raises:
        CorpusError: a performance is unknown, missing, damaged or without strokes.
    """
    midi_home = Path(midi_home)
    info = read_info(midi_home / INFO_NAME)
    wanted = sorted(info) if track_ids is None else list(track_ids)
    unknown = [track_id for track_id in wanted if track_id not in info]
    if unknown:
        raise CorpusError(
            f"{midi_home / INFO_NAME}: no performance {unknown[0]} "
            f"({len(unknown)} of {len(wanted)} unknown); correct the list of tracks"
        )
    rows = [info[track_id] for track_id in wanted if info[track_id].duration >= minimum_seconds]
    if not rows:
        raise CorpusError(f"{midi_home}: no performance lasts {minimum_seconds} s; lower the limit")
    checksums = _checked(midi_home, rows, index, tell)
    jobs = [
        PerformanceJob(
            replace(row, audio_filename=str(Path(row.midi_filename).with_suffix(".flac"))),
            midi_home / row.midi_filename,
            seed,
        )
        for row in rows
    ]
    plan = {"corpus": "groove_midi", "seed": seed, "midi": files.sha256_of_value(checksums)}
    produce(Path(data_home), plan, jobs, workers, progress, groove_form([job.row for job in jobs]))


def _checked(
    midi_home: Path,
    rows: Sequence[InfoRow],
    index: Path | None,
    tell: Callable[[str], None] | None,
) -> dict[str, str]:
    """MD5 of every MIDI file by track id, after comparison with the index."""
    # Imported here: mirdata takes seconds to load, and rendering processes do not need it.
    from mirtrim.corpora.annotations.groove_index import find_index

    absent = [row.midi_filename for row in rows if not (midi_home / row.midi_filename).is_file()]
    if absent:
        raise CorpusError(
            f"{midi_home}: {len(absent)} of {len(rows)} MIDI files missing ({absent[0]}); "
            "fetch them again"
        )
    checksums = {row.id: layout.md5_of_file(midi_home / row.midi_filename) for row in rows}
    place = find_index(midi_home) if index is None else Path(index)
    if index is None and not place.exists():
        if tell is not None:
            tell(f"{midi_home}: no index of checksums found, so MIDI files are used unchecked")
        return checksums
    known = layout.read_index(place)
    damaged = [
        row.midi_filename
        for row in rows
        if known.get(row.id, {}).get("midi", ["", ""])[1] != checksums[row.id]
    ]
    if damaged:
        raise CorpusError(
            f"{midi_home}: {len(damaged)} MIDI files differ from {place.name} ({damaged[0]}); "
            "fetch them again"
        )
    return checksums
