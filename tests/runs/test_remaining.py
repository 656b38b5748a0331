"""How long it takes, from planted rows: literal numbers, and silence where nothing is known."""

from collections.abc import Sequence

import pytest

from mirtrim.runs.remaining import Pending, Work, about, estimate, in_words

HERE, THERE = "this one", "another one"
WORK = {"chord": Work("chord", 1.0), "pitch": Work("pitch", 1.0)}


def lines(*seconds: float, machine: str = HERE, trainings: Sequence[int] = ()) -> list[dict]:
    trainings = trainings or range(2, 2 + len(seconds))
    return [
        {"train_seconds": str(s), "machine": machine, "round": str(n), "trainings": str(t)}
        for n, (s, t) in enumerate(zip(seconds, trainings, strict=True), start=1)
    ]


def test_the_same_run_with_other_seeds_comes_first() -> None:
    """(10 + 20 + 30) / 3 and (40 + 50 + 60) / 3 a round: 35 on average, times two rounds."""
    rows = {"chord": {"trim_seed0": lines(10, 20, 30), "trim_seed1": lines(40, 50, 60),
                      "mask_seed0": lines(1000)}}  # fmt: skip
    assert estimate(Pending("chord", "trim", 2), rows, WORK, HERE).seconds == 70


def test_then_other_runs_of_the_task_by_their_trainings() -> None:
    rows = {"chord": {"dense_seed0": lines(30), "trim_seed0": lines(20, 10)}}
    assert estimate(Pending("chord", "mask", 5), rows, WORK, HERE).seconds == 100


def test_then_variants_by_their_work() -> None:
    """Twice the units and a third of the epochs: 4/3 of the work; one of a hundredth is farther."""
    work = {"chord-a": Work("chord", 2.0**2 * 10), "chord": Work("chord", 1.0 * 30)} | {
        "pitch": Work("pitch", 1.0),
        "chord-b": Work("chord", 0.3),
    }
    rows = {"chord-b": {"dense_seed0": lines(9)}, "chord": {"dense_seed0": lines(30)}} | {
        "pitch": {"dense_seed0": lines(1)}
    }
    assert estimate(Pending("chord-a", "dense"), rows, work, HERE).seconds == pytest.approx(40)
    assert estimate(Pending("chord-a", "trim", 3), rows, work, HERE).seconds == pytest.approx(120)


def test_rows_of_this_machine_come_before_those_of_others() -> None:
    rows = {"chord": {"trim_seed0": lines(10), "trim_seed1": lines(90, machine=THERE)}}
    assert estimate(Pending("chord", "trim"), rows, WORK, HERE).seconds == 10
    other = estimate(Pending("chord", "trim"), rows, WORK, "a third one")
    assert (other.seconds, other.here) == (50, False)
    line = about([Pending("chord", "trim")], rows, WORK, "a third one", 1) or ""
    assert "partly on other machines" in line


def test_other_runs_of_this_machine_come_before_those_of_others() -> None:
    """A mask has no row: the dense network's 30 s here, not the trim's 90 s elsewhere."""
    rows = {"chord": {"dense_seed0": lines(30), "trim_seed0": lines(90, machine=THERE)}}
    mine = estimate(Pending("chord", "mask"), rows, WORK, HERE)
    assert (mine.seconds, mine.here) == (30, True)
    other = estimate(Pending("chord", "mask"), rows, WORK, "a third one")
    assert (other.seconds, other.here) == (60, False)


def test_a_job_of_two_machines_is_of_neither() -> None:
    mixed = [*lines(10), *lines(20, machine=THERE)]
    rows = {"chord": {"trim_seed0": mixed, "trim_seed1": lines(40)}}
    found = estimate(Pending("chord", "trim"), rows, WORK, HERE)
    assert (found.seconds, found.here) == (40, True)
    alone = estimate(Pending("chord", "trim"), {"chord": {"trim_seed0": mixed}}, WORK, HERE)
    assert (alone.seconds, alone.here) == (15, False)


def test_several_trainings_in_a_round_are_counted() -> None:
    """A soup: the dense training and three; the row tells the seconds of the last one."""
    rows = {"chord": {"soup_seed0": lines(10, 12, trainings=(4, 4))}}
    assert estimate(Pending("chord", "soup", 2), rows, WORK, HERE).seconds == 3 * 22
    # One that begins in its second round is no such method.
    late = [{**lines(10)[0], "round": "2", "trainings": "3"}]
    assert estimate(Pending("chord", "x"), {"chord": {"x_seed0": late}}, WORK, HERE).seconds == 10


def test_what_is_said() -> None:
    rows = {"chord": {"dense_seed0": lines(3600)}}
    jobs = [Pending("chord", "dense")] * 3 + [Pending("pitch", "dense"), Pending("pitch", "trim")]
    assert about(jobs, rows, WORK, HERE, 2) == (
        "5 jobs of training left, about 1.5 h on 2 cores, estimated from finished jobs on "
        "this machine; no estimate for pitch (2), which has no rows"
    )
    # One job has one core, however many there are.
    assert "about 1.0 h on 8 cores" in (about(jobs[:1], rows, WORK, HERE, 8) or "")
    assert about(jobs[:1], rows, WORK, HERE, 1) == (
        "1 job of training left, about 1.0 h on 1 core, estimated from finished jobs on "
        "this machine"
    )
    assert about([], rows, WORK, HERE, 1) is None
    silent = about([Pending("pitch", "dense")], rows, WORK, HERE, 1) or ""
    assert "about" not in silent
    assert "no estimate for pitch (1)" in silent


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (3, "1 min"),
        (45 * 60, "45 min"),
        (59 * 60, "59 min"),
        (3600, "1.0 h"),
        (5400, "1.5 h"),
        (9.8 * 3600, "9.8 h"),
        (10 * 3600, "10 h"),
        (100 * 3600, "100 h"),
    ],
)
def test_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
