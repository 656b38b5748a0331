"""Small made-up results: rows and scores of pieces of which every number is known."""

import numpy as np
import pandas as pd

from mirtrim.analysis.task_evidence import TaskEvidence, gather
from mirtrim.pruning.settings import DENSE, OPTIONAL, PruningSettings
from mirtrim.runs.rows import RUN_KEYS
from tests.analysis.test_rows_tables import row

# The columns that identify each run, by its name.
CHOICES: dict[str, dict[str, object]] = {}


def _named(settings: PruningSettings) -> str:
    CHOICES[settings.name] = settings.columns
    return settings.name


_named(DENSE)
NOTHING = _named(PruningSettings("nothing_removed").without(OPTIONAL))
TRIM = _named(PruningSettings("trim"))
KEPT = _named(PruningSettings("trim", reset="finetune"))
REINIT = _named(PruningSettings("trim", reset="reinit"))
GLOBAL = _named(PruningSettings("trim", scope="global"))
ACTIVATION = _named(PruningSettings("trim", criterion="activation"))
BATCHNORM = _named(PruningSettings("trim", criterion="batchnorm"))
MASK = _named(PruningSettings("mask"))


def world(
    networks: dict[tuple[str, float], object],
    validation: dict[tuple[str, float], float] | None = None,
    task: str = "onset",
    **columns: dict[tuple[str, float], object],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows and pieces of one task.

    Args:
        networks: errors, (seeds, pieces), of every run and ratio.
        validation: validation errors, the test error where none is given.
        columns: further columns of the rows, per run and ratio.
    """
    rows, pieces = [], []
    for (run, ratio), errors in networks.items():
        table = np.asarray(errors, dtype=float)
        of_run = {name: values[run, ratio] for name, values in columns.items()}
        for seed, of_seed in enumerate(table):
            error = float(of_seed.mean())
            made = row(
                task=task, **CHOICES[run], seed=seed, round=0 if run == "dense" else 1,
                target_ratio=float(ratio), ratio=float(ratio),
                validation_error=(validation or {}).get((run, ratio), error), test_error=error,
                **of_run,
            )  # fmt: skip
            rows.append(vars(made))
            for place, value in enumerate(of_seed):
                pieces.append(
                    {
                        **{key: getattr(made, key) for key in ("task", *RUN_KEYS)},
                        "seed": seed, "round": made.round, "target_ratio": float(ratio),
                        "track_id": f"piece{place}", "score": 1 - value,
                    }
                )  # fmt: skip
    return pd.DataFrame(rows), pd.DataFrame(pieces)


def evidence(*args: object, **columns: object) -> TaskEvidence:
    """`world`, gathered."""
    return gather(*world(*args, **columns))[0]  # type: ignore[arg-type]


def about(mean: float, seeds: int = 3, pieces: int = 4, step: float = 0.001) -> np.ndarray:
    """Errors around `mean`, seeds `step` apart, pieces 0.1 apart and alike for all seeds."""
    of_seeds = step * (np.arange(seeds) - (seeds - 1) / 2)
    of_pieces = 0.1 * (np.arange(pieces) - (pieces - 1) / 2)
    return mean + of_seeds[:, None] + of_pieces[None, :]
