"""Task vectors and EMR-merging: three entries by hand, and what holds for any."""

import pytest
import torch

from mirtrim.pruning.merging import (
    Weights,
    cosine,
    elect,
    task_vector,
    with_vectors,
)


def at(*values: float) -> Weights:
    return {"w": torch.tensor(values)}


START, FIRST, SECOND = at(1.0, 1.0, 1.0), at(3.0, 0.0, 2.0), at(2.0, 1.5, -2.0)
# By hand: what training has changed.
A, B = at(2.0, -1.0, 1.0), at(1.0, 0.5, -3.0)


def equal(found: Weights, wanted: Weights) -> bool:
    return all(torch.equal(found[name], value) for name, value in wanted.items())


def test_a_task_vector_is_what_training_has_changed() -> None:
    assert equal(task_vector(START, FIRST), A)
    assert equal(task_vector(START, SECOND), B)


def test_vectors_are_added_with_one_strength() -> None:
    """A + B = (3, −0.5, −2); half of that, and 0.4 of it, on top of (1, 1, 1)."""
    assert equal(with_vectors(START, [A, B], 0.5), at(2.5, 0.75, 0.0))
    torch.testing.assert_close(with_vectors(START, [A, B], 0.4), at(2.2, 0.8, 0.2))
    assert equal(with_vectors(START, [A, B], 0.0), START)


def test_half_of_two_vectors_is_the_plain_average() -> None:
    average = {"w": (FIRST["w"] + SECOND["w"]) / 2}
    assert equal(with_vectors(START, [A, B], 0.5), average)


def test_elected_masked_and_rescaled_by_hand() -> None:
    """Signs of (3, −0.5, −2) are +, −, −; the largest that agree are 2 of A, 1 of A, 3 of B.

    A agrees in the first two entries: γ = (2 + 1 + 1) / (2 + 1) = 4/3.
    B agrees in the first and the third: γ = (1 + 0.5 + 3) / (2 + 3) = 0.9.
    """
    found = elect([A, B])
    assert equal(found.unified, at(2.0, -1.0, -3.0))
    assert [mask["w"].tolist() for mask in found.masks] == [
        [True, True, False], [True, False, True],
    ]  # fmt: skip
    assert found.rescalers == pytest.approx((4 / 3, 0.9))
    torch.testing.assert_close(found.weights(START, 0), at(1 + 8 / 3, 1 - 4 / 3, 1.0))
    torch.testing.assert_close(found.weights(START, 1), at(2.8, 1.0, -1.7))


def test_rescalers_go_over_all_tensors() -> None:
    """|τ| is 3 + 5 = 8, what agrees 4 + 5 = 9 for the first; not 3/4 in one and 1 in the other."""
    first = {"a": torch.tensor([3.0]), "b": torch.tensor([5.0])}
    second = {"a": torch.tensor([4.0]), "b": torch.tensor([1.0])}
    assert elect([first, second]).rescalers == pytest.approx((8 / 9, 5 / 9))


def test_where_vectors_cancel_or_nothing_agrees_the_start_is_left() -> None:
    found = elect([at(2.0, 1.0), at(-2.0, -3.0)])
    assert equal(found.unified, at(0.0, -3.0))
    # Where nothing was elected nobody agrees.
    assert [mask["w"].tolist() for mask in found.masks] == [[False, False], [False, True]]
    assert found.rescalers == (0.0, pytest.approx(5 / 3))
    assert equal(found.weights(at(7.0, 7.0), 0), at(7.0, 7.0))
    nothing = elect([at(0.0, 0.0)])
    assert equal(nothing.weights(at(7.0, 7.0), 0), at(7.0, 7.0))


def drawn(seed: int, count: int) -> list[Weights]:
    rng = torch.Generator().manual_seed(seed)
    return [
        {"w": torch.randn(5, 3, generator=rng), "b": torch.randn(4, generator=rng)}
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_one_task_is_given_back(seed: int) -> None:
    start, trained = drawn(seed, 2)
    vector = task_vector(start, trained)
    torch.testing.assert_close(with_vectors(start, [vector], 1.0), trained)
    found = elect([vector])
    assert equal(found.unified, vector)
    assert found.rescalers == (1.0,)
    torch.testing.assert_close(found.weights(start, 0), trained)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_tasks_does_not_matter(seed: int) -> None:
    start, *vectors = drawn(seed, 4)
    there, back = elect(vectors), elect(vectors[::-1])
    torch.testing.assert_close(
        with_vectors(start, vectors, 0.3), with_vectors(start, vectors[::-1], 0.3)
    )
    torch.testing.assert_close(there.unified, back.unified)
    for task in range(3):
        torch.testing.assert_close(there.weights(start, task), back.weights(start, 2 - task))


@pytest.mark.parametrize("seed", range(5))
def test_masked_and_rescaled_vectors_are_as_long_as_those_of_their_tasks(seed: int) -> None:
    start, *vectors = drawn(seed, 4)
    found = elect(vectors)
    for task, vector in enumerate(vectors):
        moved = task_vector(start, found.weights(start, task))
        lengths = [sum(float(v.abs().sum()) for v in one.values()) for one in (moved, vector)]
        assert lengths[0] == pytest.approx(lengths[1], rel=1e-4)
        # Every entry that moves goes where its own task went.
        assert all(((moved[n] * vector[n]) >= 0).all() for n in vector)


def test_the_angle_between_two_vectors() -> None:
    assert cosine(at(3.0, 4.0), at(4.0, 3.0)) == pytest.approx(24 / 25)
    assert cosine(at(1.0, 0.0), at(0.0, 0.0)) == 0.0
    assert cosine(at(0.0, 0.0), at(1.0, 0.0)) == 0.0
    assert cosine(at(6.0, 8.0), at(-0.3, -0.4)) == pytest.approx(-1)
    with pytest.raises(ValueError, match="not of one shape"):
        cosine(at(1.0), at(1.0, 2.0))


def test_other_shapes_are_refused() -> None:
    for call in (
        lambda: task_vector(START, at(1.0)),
        lambda: with_vectors(START, [A, at(1.0)], 1.0),
        lambda: elect([A, {"v": A["w"]}]),
    ):
        with pytest.raises(ValueError, match="not of one shape"):
            call()
