"""The embedded corpus `mini_medley_solos_db`: eight instruments play fiddle tunes alone.

It has the layout of Medley-solos-DB (Lostanlen & Cella, ISMIR 2016), so mirdata's loader reads
it. A song is one performance of one tune; its clips are cut from it one after the other. All
eight classes play the same tunes of a split, so that no melody gives an instrument away.
"""

import csv
import io
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mirtrim.corpora.rendering.audio import write_audio
from mirtrim.corpora.rendering.generation import Embedded
from mirtrim.corpora.rendering.production import Form
from mirtrim.corpora.rendering.scene import rms, take
from mirtrim.corpora.rendering.solos.soloists import SOLOISTS, Soloist
from mirtrim.corpora.rendering.solos.solos import LEAD_SECONDS, draw_song, microphone, song_parts
from mirtrim.corpora.rendering.soundbank import RENDERER_RATE, render
from mirtrim.corpora.rendering.tunes import read_tune, tune_ids
from mirtrim.corpora.splits import SPLITS
from mirtrim.utils.seeds import derive, numpy_generator

MINI_NAME = "mini_medley_solos_db"
METADATA_NAME = "annotation/Medley-solos-DB_metadata.csv"
CLIPS_PER_SONG = 2


@dataclass(frozen=True)
class ClipJob:
    """One clip.

    Attributes:
        song_id: unique over the corpus; tune and soloist follow from it.
        clip: which clip of the song, from 0.
    """

    soloist: Soloist
    split: str
    song_id: int
    tune_id: str
    clip: int
    seconds: float
    seed: int

    @property
    def track_id(self) -> str:
        """A UUID, as in Medley-solos-DB, that follows from the seed and the clip's place."""
        return drawn_uuid(self.seed, MINI_NAME, self.song_id, self.clip)

    @property
    def files(self) -> Mapping[str, str]:
        """The audio file."""
        return clip_files(self.split, self.soloist.instrument_id, self.track_id)

    def make(self, data_home: Path) -> None:
        """Play, render and write the clip."""
        tune = _tune(self.tune_id)
        rng = numpy_generator(self.seed, "song", self.song_id)
        song = draw_song(self.soloist, self.split, tune, rng)
        begin = rng.uniform(0, tune.beats * song.beat_seconds) + self.clip * self.seconds
        whole = self.seconds + LEAD_SECONDS
        parts = song_parts(song, self.soloist, tune, begin, whole, self.seed, self.track_id)
        lead = round(LEAD_SECONDS * RENDERER_RATE)
        mix = microphone(render(parts, whole), song)[lead:]
        samples = take(mix, self.seconds, rms(mix), song.scene, self.seed, self.track_id)
        write_audio(data_home / self.files["audio"], samples)


# Clips of a song follow each other, so a process reads its tune once or twice.
_tune = lru_cache(maxsize=16)(read_tune)


def _jobs(counts: Mapping[str, int], seconds: float, seed: int) -> list[ClipJob]:
    jobs: list[ClipJob] = []
    tunes_of_split = {split: _songs(count) for split, count in counts.items()}
    tunes = iter(tune_ids(sum(tunes_of_split.values()), seed, MINI_NAME))
    song_id = 0
    for split in SPLITS:
        left = counts[split]
        for _ in range(tunes_of_split[split]):
            tune_id = next(tunes)
            # Rounded up for the first classes where the clips cannot be shared out evenly.
            for index, soloist in enumerate(SOLOISTS):
                clips = min(CLIPS_PER_SONG, -(-left // (len(SOLOISTS) - index)))
                jobs += [
                    ClipJob(soloist, split, song_id, tune_id, clip, seconds, seed)
                    for clip in range(clips)
                ]
                left -= clips
                song_id += 1
    return jobs


def _songs(clips: int) -> int:
    """Tunes that are needed for `clips` clips of a split."""
    return -(-clips // (CLIPS_PER_SONG * len(SOLOISTS)))


def drawn_uuid(seed: int, *names: str | int) -> str:
    """A UUID that follows from the seed and names."""
    bits = derive(seed, *names, "high") << 64 | derive(seed, *names, "low")
    return str(uuid.UUID(int=bits, version=4))


def clip_files(split: str, instrument_id: int, track_id: str) -> dict[str, str]:
    """The audio file of a clip, named as in Medley-solos-DB; FLAC where that has WAV."""
    return {"audio": f"audio/Medley-solos-DB_{split}-{instrument_id}_{track_id}.flac"}


def solos_form(folder: str, clips: Iterable[tuple[str, str, int, int, str]]) -> Form:
    """The form of a corpus of clips: (split, instrument, its number, song, track id) each."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["subset", "instrument", "instrument_id", "song_id", "uuid4"])
    writer.writerows(clips)
    return Form(
        folder=folder,
        owned=(METADATA_NAME, "audio/*.flac"),
        tables={"Medley-solos-DB_metadata": (METADATA_NAME, stream.getvalue().encode())},
    )


def _form(jobs: Sequence[ClipJob]) -> Form:
    played = ((job, job.soloist) for job in jobs)
    clips = ((j.split, s.instrument, s.instrument_id, j.song_id, j.track_id) for j, s in played)
    return solos_form("solos", clips)


# Pieces are clips; at least 8 of a split make it contain every class.
MINI_SOLOS = Embedded(MINI_NAME, "medley_solos_db", shortest_seconds=1.0, jobs=_jobs, form=_form)
