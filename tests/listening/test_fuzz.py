"""Some of the odd and damaged files of `tests.listening.fuzz`, the same ones every time."""

import re
from contextlib import nullcontext

import numpy as np
import pytest

from .fuzz import (
    MAKERS,
    cases,
    complaint,
    cut,
    joined,
    make_models,
    mp3_without_first_frames,
    no_sound,
    odd_samples,
    run,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return make_models(tmp_path_factory.mktemp("models"))


def test_odd_and_damaged_files(tmp_path):
    complaints, kinds, _ = run(2 * len(MAKERS), 7, tmp_path)
    assert complaints == []
    assert kinds.total() == 2 * len(MAKERS)


def test_the_same_seed_makes_the_same_files(tmp_path):
    """But for the time and the serial number that some formats keep."""
    sizes = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        made = cases(len(MAKERS), 3, folder)
        sizes.append([(case.kind, case.seconds, case.path.stat().st_size) for case in made])
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("broken", "value", "maker", "said"),
    [
        ("mirtrim.sound.mpeg.UNBOUNDED", 0, mp3_without_first_frames, "refused|s heard of"),
        ("mirtrim.sound.mpeg.XING_MARKS", (), joined, "s heard of"),
        ("mirtrim.sound.decoder.share_present", lambda path: 1.0, cut, "without a word"),
        ("mirtrim.listening.audio.CANCELLED_SHARE", 0.0, odd_samples, "called silent"),
        ("mirtrim.sound.decoder._no_stderr", nullcontext, joined, "prints 'Warning: Xing"),
        ("mirtrim.sound.decoder.kind_of", lambda head: 1 / 0, no_sound, "ZeroDivisionError"),
    ],
)
def test_faults_are_found(models, tmp_path, monkeypatch, broken, value, maker, said):
    """These faults were there once, but the last one."""
    monkeypatch.setattr(broken, value)
    for number in range(40):
        case = maker(np.random.default_rng(number), tmp_path / str(number))
        if re.search(said, complaint(case, "instrument", models, tmp_path) or ""):
            return
    pytest.fail("no complaint")
