"""From a block of the configuration to a rendered corpus of mode `varied`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mirtrim.corpora import layout
from mirtrim.corpora.dataset import open_dataset
from mirtrim.corpora.reader import Making, Preparation, Settings
from mirtrim.corpora.rendering.production import Form, Job, produce
from mirtrim.corpora.rendering.varied.banks import Bank, OneShots, banks_of, one_shots_of
from mirtrim.corpora.splits import SPLITS, TrackRow
from mirtrim.corpora.validation import validate
from mirtrim.sound import chain, effects
from mirtrim.utils import files
from mirtrim.utils.errors import CorpusError

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


class VariedJob(Job, Protocol):
    """A track to make that knows its place."""

    @property
    def row(self) -> TrackRow:
        """Split, source and length of the track."""


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
            that of the folder above and of the effects, decides how a track sounds.
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
    """Digest of the code that all these corpora share."""
    home = Path(__file__).parent
    sources = [*sorted(home.glob("*.py")), Path(effects.__file__), Path(chain.__file__)]
    return files.sha256_of_value({path.name: files.sha256_of_file(path) for path in sources})
