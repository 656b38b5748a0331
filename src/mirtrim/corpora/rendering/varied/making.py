"""From a block of the configuration to a rendered corpus of mode `varied`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from mirtrim.corpora import layout
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.reader import Making, Preparation, Settings
from mirtrim.corpora.rendering.audio import SAMPLE_RATE, write_audio
from mirtrim.corpora.rendering.production import Form, Job, produce
from mirtrim.corpora.rendering.soundbank import Part
from mirtrim.corpora.rendering.varied.banks import Bank, OneShots, banks_of, one_shots_of
from mirtrim.corpora.splits import SPLITS, TrackRow
from mirtrim.corpora.validation import validate
from mirtrim.sound import chain, effects
from mirtrim.sound.chain import Chain
from mirtrim.sound.effects import at_level
from mirtrim.utils import files
from mirtrim.utils.errors import CorpusError
from mirtrim.utils.seeds import numpy_generator

BANKS_NAME = "banks.json"


@dataclass(frozen=True)
class Sounds:
    """What a corpus is played with, and how large it is.

    Attributes:
        pieces: of each split.
        copies: recordings of each training piece.
    """

    banks: Sequence[Bank]
    one_shots: Sequence[OneShots]
    pieces: Mapping[str, int]
    seconds: float
    copies: int
    seed: int

    @property
    def tonal(self) -> list[Bank]:
        """The banks that hold more than one instrument, which some that are a drum kit do not."""
        return [bank for bank in self.banks if len(bank.programs) > 1]

    def tonal_bank(self, parts: Sequence[Part], preferred: int, number: int) -> Bank:
        """The tonal bank that plays `parts` of the piece of this number.

        Args:
            preferred: place of the bank that does if it has all their programs.

        Raises:
            CorpusError: no bank has them.
        """
        banks, programs = self.tonal, {part.program for part in parts}
        able = [bank for bank in banks if programs <= set(bank.programs)]
        if not able:
            raise CorpusError(
                f"no bank has the programs {', '.join(map(str, sorted(programs)))} of General "
                "MIDI; add a complete one to `banks`"
            )
        return banks[preferred] if banks[preferred] in able else able[number % len(able)]


@dataclass(frozen=True)
class VariedJob(Job):
    """A track to make, with its index and its own random streams.

    Attributes:
        corpus: name of its corpus, and of the streams.
        chain, levels_db: how it is recorded, and the range of its peak relative to full scale.
    """

    split: str
    number: int
    sounds: Sounds

    corpus: ClassVar[str]
    chain: ClassVar[Chain]
    levels_db: ClassVar[tuple[float, float]]

    @property
    def files(self) -> Mapping[str, str]:
        """The MIDI and the audio file."""
        return {"midi": f"{self.track_id}.mid", "audio": f"{self.track_id}.flac"}

    @property
    def source(self) -> str:
        """What is played; every track plays something of its own."""
        return self.track_id

    @property
    def row(self) -> TrackRow:
        """Split, source and length of the track."""
        return TrackRow(self.track_id, self.split, self.source, self.sounds.seconds)

    def stream(self, purpose: str, name: str = "") -> np.random.Generator:
        """The stream of a purpose, of `name` or of this track."""
        return numpy_generator(self.sounds.seed, self.corpus, purpose, name or self.track_id)

    def record(
        self, path: Path, dry: np.ndarray, rng: np.random.Generator | None = None
    ) -> np.ndarray:
        """Write a dry sound at 16 kHz as it is recorded; returns the recording, (samples,).

        Args:
            rng: what is drawn from; None is the stream "recording".
        """
        rng = rng or self.stream("recording")
        heard, _ = self.chain.play(at_level(dry, 0.0)[None], SAMPLE_RATE, rng)
        samples = at_level(heard[0], float(rng.uniform(*self.levels_db)))
        write_audio(path, samples)
        return samples


def varied(
    name: str,
    loader: str,
    shortest_seconds: float,
    jobs: Callable[[Sounds], Sequence[VariedJob]],
    form: Callable[[Sequence[Any]], Form],
) -> Preparation:
    """How a corpus of mode `varied` is prepared.

    Args:
        name: of the corpus, in its plan.
        loader: in whose layout it is written.
        shortest_seconds: least length of a piece.
        jobs: sounds → the tracks to make.
        form: the same → tables and files of the corpus; its folder is `varied/…`, whose code, with
            that of its sibling and parent folders and of the effects, decides how a track sounds.
    """

    def prepare(settings: Settings, folder: Path, making: Making) -> list[TrackRow]:
        seconds = float(settings["piece_seconds"])
        if seconds < shortest_seconds:
            raise CorpusError(
                f"piece_seconds {seconds:g}: a piece needs at least {shortest_seconds:g} s"
            )
        counts = {split: int(settings["pieces"].get(split, 0)) for split in SPLITS}
        sounds = Sounds(
            banks_of(settings["banks"]),
            one_shots_of(settings["one_shots"]),
            counts,
            seconds,
            int(settings["copies"]),
            int(settings["seed"]),
        )
        both: list[Bank | OneShots] = [*sounds.banks, *sounds.one_shots]
        used = [{"name": one.path.name, "sha256": one.digest} for one in both]
        plan = {
            "corpus": name,
            "pieces": counts,
            "piece_seconds": seconds,
            "copies": sounds.copies,
            "seed": sounds.seed,
            "sounds": used,
            "shared recipe": _shared_recipe(),
        }
        made = jobs(sounds)
        produce(folder, plan, made, making.workers, making.count, form(made))
        # For cards: with what a network has been trained.
        files.write_json(folder / BANKS_NAME, {"sounds": used})
        dataset = open_dataset(loader, folder, folder / layout.INDEX_NAME)
        validate(dataset, folder, None, warn=making.tell)
        return [job.row for job in made]

    return prepare


def _shared_recipe() -> str:
    """Digest of the code that all these corpora share, among themselves or with embedded ones."""
    home = Path(__file__).parents[1]
    sources = [*sorted(home.glob("*/*.py")), Path(effects.__file__), Path(chain.__file__)]
    return files.sha256_of_value(
        {f"{path.parent.name}/{path.name}": files.sha256_of_file(path) for path in sources}
    )
