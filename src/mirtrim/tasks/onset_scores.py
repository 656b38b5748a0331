"""Scores of events in time, in seconds: peaks of an activation against annotated times.

mir_eval and scipy.signal are imported when they are needed: that takes a second, which every start
of the workflow would wait for.
"""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd

MATCH_WINDOW_SECONDS = 0.05


def peak_times(activation: np.ndarray, threshold: float, hop_seconds: float) -> np.ndarray:
    """Times in seconds of local maxima of `activation`, (frames,), at or above `threshold`."""
    from scipy.signal import find_peaks

    # Zeros on both sides let the first and the last frame be peaks.
    peaks, _ = find_peaks(np.pad(activation, 1), height=threshold)
    return (peaks - 1) * hop_seconds


def micro_f_measure(pieces: pd.DataFrame, detectors: Sequence[str]) -> float:
    """F-measure of the events of all pieces and `detectors` together; 1 where there is none.

    Args:
        pieces: columns count_hit_<d>, count_reference_<d>, count_estimate_<d> per detector.
    """
    hits, references, estimates = (
        float(pieces[[f"count_{kind}_{d}" for d in detectors]].to_numpy().sum())
        for kind in ("hit", "reference", "estimate")
    )
    found = references + estimates
    return 2 * hits / found if found else 1.0


def onset_scores(reference: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    """mir_eval onset scores of one piece, and the counts behind them.

    Args:
        reference: times in seconds, (events,).
        estimate: times in seconds, (events,).

    Two empty lists agree perfectly (F = 1); mir_eval itself gives 0 there, which would
    punish correct silence.
    """
    import mir_eval

    if len(reference) == 0 and len(estimate) == 0:
        f_measure = precision = recall = 1.0
        hits = 0
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # one empty list: scores are 0
            f_measure, precision, recall = mir_eval.onset.f_measure(
                reference, estimate, window=MATCH_WINDOW_SECONDS
            )
        hits = round(precision * len(estimate))
    return {
        "f_measure": float(f_measure),
        "precision": float(precision),
        "recall": float(recall),
        "count_hit": hits,
        "count_reference": len(reference),
        "count_estimate": len(estimate),
    }
