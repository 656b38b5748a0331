"""Onsets: merging, targets, peaks, scores, windows, with literal numbers."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mirtrim.runs.config import load_schema
from mirtrim.runs.freshness import without_defaults
from mirtrim.tasks.drums import Drums
from mirtrim.tasks.onset import Onset, merge_close
from mirtrim.tasks.onset_scores import onset_scores, peak_times
from mirtrim.tasks.transcription import Transcription
from mirtrim.tasks.windows import (
    as_images,
    gather,
    overlap_mean,
    random_starts,
    spaced_starts,
    tiled_starts,
)

ROOT = Path(__file__).resolve().parents[2]
FEATURES = {"sample_rate": 16000, "hop": 800, "window_frames": 4, "mel_bands": 2}  # 50 ms hop


def test_onsets_closer_than_30_ms_are_one() -> None:
    merged = merge_close(np.array([0.0, 0.01, 0.02, 0.5, 0.531, 1.0]), 0.03)
    np.testing.assert_allclose(merged, [0.01, 0.5, 0.531, 1.0])


def test_onsets_as_far_apart_as_the_limit_stay_two() -> None:
    np.testing.assert_array_equal(merge_close(np.array([0.0, 0.5, 0.75]), 0.5), [0.0, 0.625])


def test_a_roll_does_not_collapse() -> None:
    # Seven strokes 20 ms apart: pairs are merged, never the whole roll.
    merged = merge_close(np.arange(7) * 0.02, 0.03)
    np.testing.assert_allclose(merged, [0.01, 0.05, 0.09, 0.12])


def test_no_onsets_stay_no_onsets() -> None:
    assert len(merge_close(np.zeros(0), 0.03)) == 0


def test_targets_mark_the_nearest_frame_and_ignore_what_lies_behind_the_end() -> None:
    events = pd.DataFrame({"time_seconds": [0.0, 0.074, 0.076, 0.99], "label": "onset"})
    assert Onset().frame_targets(events, 4, FEATURES)[:, 0].tolist() == [1, 1, 1, 0]


def test_peaks_are_local_maxima_at_or_above_the_threshold() -> None:
    activation = np.array([0.9, 0.2, 0.5, 0.4, 0.6, 0.1, 0.3, 0.8])
    np.testing.assert_allclose(peak_times(activation, 0.5, 0.05), [0.0, 0.1, 0.2, 0.35])
    assert len(peak_times(activation, 0.95, 0.05)) == 0


def test_nothing_found_scores_nothing_and_says_nothing() -> None:
    """mir_eval warns of an empty list; that is no news where a network hears nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = onset_scores(np.array([1.0]), np.zeros(0))
    assert (scores["f_measure"], scores["count_hit"], scores["count_reference"]) == (0.0, 0, 1)


def test_scores_use_a_window_of_50_ms_in_seconds() -> None:
    # 1.04 matches 1.00, 2.06 is outside the window of 2.00: 1 of 3 found, 1 of 2 right.
    scores = onset_scores(np.array([1.0, 2.0, 3.0]), np.array([1.04, 2.06]))
    assert scores["precision"] == pytest.approx(1 / 2)
    assert scores["recall"] == pytest.approx(1 / 3)
    assert scores["f_measure"] == pytest.approx(2 / 5)
    assert (scores["count_hit"], scores["count_reference"], scores["count_estimate"]) == (1, 3, 2)


def test_correct_silence_is_perfect_and_noise_in_silence_is_not() -> None:
    nothing = np.zeros(0)
    assert onset_scores(nothing, nothing)["f_measure"] == 1.0
    assert onset_scores(nothing, np.array([1.0]))["f_measure"] == 0.0
    assert onset_scores(np.array([1.0]), nothing)["f_measure"] == 0.0


def test_summary_is_mean_over_pieces_and_micro_over_events() -> None:
    pieces = pd.DataFrame(
        {
            "f_measure": [1.0, 0.5],
            "count_hit_onset": [2, 10],
            "count_reference_onset": [2, 20],
            "count_estimate_onset": [2, 20],
        }
    )
    summary = Onset().summarise(pieces)
    assert summary["f_measure"] == 0.75
    assert summary["micro_f_measure"] == pytest.approx(24 / 44)


def test_random_windows_stay_inside_their_track() -> None:
    tracks = pd.DataFrame({"first": [0, 10, 13], "count": [10, 3, 7]})
    starts = random_starts(tracks, 4, 3000, np.random.default_rng(0)).numpy()
    allowed = {0, 1, 2, 3, 4, 5, 6, 13, 14, 15, 16}  # the track of 3 frames is too short
    assert set(starts) == allowed
    assert np.unique(starts, return_counts=True)[1].min() > 200  # 272.7 expected each


def test_tiles_cover_a_track_to_its_last_frame() -> None:
    assert tiled_starts(100, 10, 4, 4).tolist() == [100, 104, 106]
    assert tiled_starts(0, 4, 4, 2).tolist() == [0]


def test_windows_that_are_predicted_overlap_by_half_and_validated_ones_do_not() -> None:
    track = pd.Series({"first": 10, "count": 9})
    features = {**FEATURES, "window_frames": 4}
    assert Onset().predicted_starts(track, features).tolist() == [10, 12, 14, 15]
    assert Onset().track_starts(track, features).tolist() == [10, 14, 15]


def test_spaced_windows_end_inside_their_track() -> None:
    assert spaced_starts(100, 10, 4, 4).tolist() == [100, 104]
    assert spaced_starts(100, 10, 4, 3).tolist() == [100, 103, 106]


def test_windows_are_rows_one_after_the_other() -> None:
    array = torch.arange(40).reshape(20, 2)
    windows = gather(array, torch.tensor([17, 0]), 3)
    assert windows.tolist() == [[[34, 35], [36, 37], [38, 39]], [[0, 1], [2, 3], [4, 5]]]
    assert gather(array, torch.zeros(0, dtype=torch.int64), 3).shape == (0, 3, 2)
    assert gather(array[:, 0], torch.tensor([4]), 2).tolist() == [[8, 10]]


def test_images_have_their_channels_last_and_the_same_values() -> None:
    windows = torch.arange(24.0).reshape(2, 3, 4)
    images = as_images(windows)
    assert images.shape == (2, 1, 4, 3)
    assert images[1, 0, 2, 1] == windows[1, 1, 2]
    # A convolution passes the layout on, which is what makes it worth its while.
    after = torch.nn.Conv2d(1, 5, 3)(images)
    assert after.is_contiguous(memory_format=torch.channels_last)


def test_overlapping_windows_are_averaged() -> None:
    array = torch.arange(6.0)[:, None]
    starts = tiled_starts(0, 6, 4, 2)
    windows = gather(array, starts, 4).transpose(1, 2).numpy()
    np.testing.assert_allclose(overlap_mean(windows, starts.numpy(), 6)[0], np.arange(6.0))
    windows[0] += 2  # frames 0, 1 seen once, 2, 3 twice
    np.testing.assert_allclose(overlap_mean(windows, starts.numpy(), 6)[0], [2, 3, 3, 4, 4, 5])


@pytest.mark.parametrize("task", [Onset(), Drums()], ids=lambda task: task.name)
def test_dropout_is_a_setting_and_at_its_default_what_it_always_was(task: Transcription) -> None:
    def probabilities(**network: float) -> list[float]:
        built = task.network(FEATURES | {"mel_bands": 8}, {"channels": 3, "hidden": 5} | network)
        return [
            m.p for m in built.modules() if isinstance(m, torch.nn.Dropout | torch.nn.Dropout2d)
        ]

    assert probabilities() == probabilities(dropout=0.25) == [0.2, 0.2, 0.25, 0.25]
    assert probabilities(dropout=0.05) == pytest.approx([0.04, 0.04, 0.05, 0.05])
    assert probabilities(dropout=0) == [0, 0, 0, 0]


def test_the_default_of_dropout_is_no_part_of_the_digest_of_settings() -> None:
    schema = load_schema(ROOT / "workflow/schemas/config.schema.yaml")
    network = schema["properties"]["tasks"]["properties"]["onset"]["properties"]["network"]
    assert without_defaults({"channels": 8, "dropout": 0.25}, network) == {"channels": 8}
    assert without_defaults({"channels": 8, "dropout": 0.1}, network)["dropout"] == 0.1
