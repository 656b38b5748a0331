"""The steadiest way through activations: the best of all ways, in little memory."""

from itertools import pairwise, product

import numpy as np
import pytest

from mirtrim.listening import steady
from mirtrim.listening.features import fundamental
from mirtrim.listening.steady import LEAP, SLOPE, steady_paths


def path_of(blocks):
    return np.concatenate([path for _, path in steady_paths(blocks)])


def worth(activation, path):
    """The sum of the first docstring, term by term."""
    heard = sum(frame[b] for frame, b in zip(activation, path, strict=True))
    return heard - sum(min(SLOPE * abs(a - b), LEAP) for a, b in pairwise(path))


@pytest.mark.parametrize("seed", range(12))
def test_no_way_is_worth_more(seed, monkeypatch):
    # So short a leap that both costs decide.
    monkeypatch.setattr(steady, "LEAP", 0.35)
    monkeypatch.setattr(f"{__name__}.LEAP", 0.35)
    activation = np.random.default_rng(seed).random((4, 9))
    best = max(product(range(9), repeat=4), key=lambda path: worth(activation, path))
    assert worth(activation, path_of([activation])) == pytest.approx(worth(activation, best))


def tone(bins, height=0.9):
    """A frame per bin, with a peak there."""
    return height * (np.arange(360) == np.asarray(bins)[:, None]).astype(np.float32)


def test_a_slip_of_an_octave_is_taken_back():
    activation = tone([100] * 20) + tone([160] * 20, 0.5)
    activation[8:11, 160] = 1.0  # three frames in which the octave is louder
    assert activation.argmax(1).tolist() == [100] * 8 + [160] * 3 + [100] * 9
    assert path_of([activation]).tolist() == [100] * 20
    hertz, confidence = fundamental(activation, path_of([activation]))
    assert hertz == pytest.approx(32.703 * 2 ** (2000 / 1200))
    assert confidence == pytest.approx(0.9)


def test_a_leap_that_lasts_is_followed_where_it_happens():
    activation = np.concatenate([tone([100] * 30), tone([160] * 30)])
    assert path_of([activation]).tolist() == [100] * 30 + [160] * 30


def test_a_rest_does_not_hold_the_note_back():
    # 60 bins cost 6: less than the second note has to say, and nothing is lost in the rest.
    rest = np.zeros((20, 360), dtype=np.float32)
    path = path_of([np.concatenate([tone([100] * 20), rest, tone([160] * 20)])])
    assert (path[:20] == 100).all()
    assert (path[40:] == 160).all()


def test_a_glide_is_followed():
    bins = 100 + np.arange(40)
    assert (path_of([tone(bins)]) == bins).all()


def test_blocks_and_lengths_make_no_difference(monkeypatch):
    rng = np.random.default_rng(1)
    pitch = 180 + np.cumsum(rng.integers(-2, 3, 900)).clip(-150, 150)
    activation = (tone(pitch, 0.6) + rng.random((900, 360))).astype(np.float32)
    whole = path_of([activation])
    monkeypatch.setattr(steady, "LAG_FRAMES", 50)
    given = list(steady_paths(np.array_split(activation, 61)))
    assert max(len(block) for block, _ in given) < 150
    np.testing.assert_array_equal(np.concatenate([block for block, _ in given]), activation)
    np.testing.assert_array_equal(np.concatenate([path for _, path in given]), whole)
    right = [np.mean(abs(path - pitch) <= 2) for path in (whole, activation.argmax(1))]
    assert right[0] > 0.9 > 0.8 > right[1]


def test_nothing_has_no_path():
    assert list(steady_paths([])) == []
    assert [len(path) for _, path in steady_paths([np.ones((1, 5))])] == [1]
