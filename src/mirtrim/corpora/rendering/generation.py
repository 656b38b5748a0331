"""From the size of an embedded corpus to its files: what all generators share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from mirtrim.corpora.progress import Progress
from mirtrim.corpora.rendering.production import Form, Job, produce
from mirtrim.corpora.splits import SPLITS
from mirtrim.utils.errors import CorpusError

J = TypeVar("J", bound=Job)


@dataclass(frozen=True)
class Embedded(Generic[J]):
    """One embedded corpus.

    Attributes:
        name: begins with mini_.
        loader: the mirdata loader in whose layout it is written.
        shortest_seconds: least length of a piece.
        jobs: (pieces of each split, seconds of each piece, seed) → the tracks to make.
        form: jobs → tables and files of the corpus.
    """

    name: str
    loader: str
    shortest_seconds: float
    jobs: Callable[[Mapping[str, int], float, int], Sequence[J]]
    form: Callable[[Sequence[J]], Form]

    def generate(
        self,
        data_home: Path,
        pieces: Mapping[str, int],
        piece_seconds: float,
        seed: int,
        workers: int = 1,
        progress: Progress | None = None,
    ) -> None:
        """Generate and render the corpus: annotations, audio and, last, index.json.

        The audio is FLAC (16 kHz, mono, 16 bit). The same arguments give the same bytes, with
        any number of workers; a run after a kill goes on where the killed one stopped; a run
        on a finished folder repairs damaged tracks.

        Args:
            pieces: number of pieces of train, validation and test.
            piece_seconds: length of each piece.
            progress: called with (pieces ready, pieces in all).

        Raises:
            CorpusError: impossible sizes, a folder with other content, a full disk.
        """
        if set(pieces) - set(SPLITS) or any(count < 0 for count in pieces.values()):
            raise CorpusError(f"pieces {dict(pieces)}: give counts for {', '.join(SPLITS)} only")
        if not any(pieces.values()):
            raise CorpusError(
                "no pieces are asked for; give at least one of train, validation, test"
            )
        if piece_seconds < self.shortest_seconds:
            raise CorpusError(
                f"piece_seconds {piece_seconds}: a piece needs at least {self.shortest_seconds} s"
            )
        counts = {split: int(pieces.get(split, 0)) for split in SPLITS}
        plan = {
            "corpus": self.name,
            "pieces": counts,
            "piece_seconds": float(piece_seconds),
            "seed": seed,
        }
        jobs = self.jobs(counts, float(piece_seconds), seed)
        produce(Path(data_home), plan, jobs, workers, progress, self.form(jobs))
