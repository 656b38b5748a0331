"""Pieces that belong together: numbers done by hand, planted correlation, planted effects."""

from math import sqrt

import numpy as np
import pytest

from mirtrim.analysis.spread import by_cluster, p_value_of, spread_of
from mirtrim.analysis.statistics import (
    bootstrap_means,
    compare,
    sign_flip_p,
)

PLAYERS = np.array(["a", "a", "a", "b"])


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_a_large_cluster_weighs_more() -> None:
    """Mean 5; three pieces of a add −3 − 1 + 1 = −3, the one of b adds 3; two clusters over four
    pieces halve that: 5 − 1.5 and 5 + 1.5. The mean stays 5."""
    np.testing.assert_allclose(by_cluster(np.array([[2.0, 4.0, 6.0, 8.0]]), PLAYERS), [[3.5, 6.5]])


def test_clusters_of_one_size_give_their_means() -> None:
    values = np.array([[1.0, 5.0, 2.0, 8.0], [0.0, 0.0, 1.0, 1.0]])
    found = by_cluster(values, np.array([1, 0, 1, 0]))
    np.testing.assert_allclose(found, [[6.5, 1.5], [0.5, 0.5]])
    with pytest.raises(ValueError, match="3 clusters are named for 4 pieces"):
        by_cluster(values, np.array([0, 0, 1]))


def test_spread_by_hand() -> None:
    """Pieces 1, 1, 5, 5 of two players, the same for three seeds.

    Players' means 1 and 5: sample variance 8, of a mean over two of them 4, one degree of freedom.
    As four independent pieces: sample variance 16 / 3, of their mean 4 / 3, three degrees.
    """
    values = np.array([[1.0, 1.0, 5.0, 5.0]] * 3)
    clustered = spread_of(values, np.array([0, 0, 1, 1]))
    assert (clustered.pieces, clustered.of_pieces, clustered.freedom()) == (2, 4.0, 1.0)
    assert clustered.standard_error() == 2
    alone = spread_of(values)
    assert (alone.pieces, alone.freedom()) == (4, 3.0)
    assert alone.standard_error() == pytest.approx(sqrt(4 / 3))
    # t = 3 / 2 with one degree of freedom: 1 − 2 atan(1.5) / π.
    assert p_value_of(3.0, clustered) == pytest.approx(1 - 2 * np.arctan(1.5) / np.pi)


def test_players_that_seem_alike_by_chance_make_nothing_surer() -> None:
    """Both players have a piece of 1 and one of 5: their means are equal. The variance is that of
    independent pieces, 4 / 3; but two players are two, with one degree of freedom, not three."""
    values = np.array([[1.0, 5.0, 1.0, 5.0]] * 3)
    found = spread_of(values, np.array([0, 0, 1, 1]))
    assert (found.of_pieces, found.freedom()) == (pytest.approx(4 / 3), 1.0)
    assert spread_of(values).freedom() == 3.0
    # One player: nothing is known but the pieces.
    assert spread_of(values, np.zeros(4)) == spread_of(values)


def test_two_seeds_have_one_degree_of_freedom() -> None:
    """They may agree by chance: 1, 1, 5, 5 twice would have the three of the pieces."""
    values = np.array([[1.0, 1.0, 5.0, 5.0]] * 2)
    assert spread_of(values).freedom() == 1.0
    assert spread_of(values).freedom(seeds=3) == 3.0


def test_where_every_piece_stands_alone_nothing_changes() -> None:
    first, second = planted(generator(1), 0.02, 8, 1, 0.5)
    alone = compare(first, second, generator(2))
    clustered = compare(first, second, generator(2), clusters=np.arange(8)[::-1])
    for name in ("effect", "p_value", "clusters"):
        assert getattr(clustered, name) == pytest.approx(getattr(alone, name))


@pytest.mark.parametrize(
    ("contrast", "clusters", "p_value"),
    [
        # Sums 6, 2, 1: of eight ways to turn the signs two are as far as 9.
        ([6, 2, 1], None, 2 / 8),
        # 6 + 2 − 1 = 7, and as far: +++, ++− and their mirror images.
        ([6, 2, -1], None, 4 / 8),
        # Two clusters, 6 and 3: as far are both of one sign, two of four.
        ([6, 2, 1], [0, 1, 1], 2 / 4),
        # One cluster can only be turned as a whole.
        ([6, 2, 1], [0, 0, 0], 1.0),
        ([0, 0, 0], None, 1.0),
    ],
)
def test_signs_by_hand(contrast: list[int], clusters: list[int] | None, p_value: float) -> None:
    values = np.array([contrast, contrast], dtype=float)
    members = None if clusters is None else np.array(clusters)
    assert sign_flip_p(values, generator(), members) == p_value


def test_many_signs_are_drawn() -> None:
    random = generator(3)
    # 2 ** 12 ways are still gone through, of which two are as far.
    assert sign_flip_p(np.ones((2, 12)), random) == 2 / 4096
    assert sign_flip_p(np.ones((2, 40)), random) == pytest.approx(1 / 4097)
    uneven = np.tile(np.array([1.0, -1.0] * 20), (2, 1))
    assert sign_flip_p(uneven, random) == 1.0


def test_the_bootstrap_draws_whole_players() -> None:
    """Two players whose pieces are 0 and 1: means are 0, 1/2 and 1, one, two and one times in
    four. As twenty independent pieces they would hardly leave the middle."""
    values = np.tile(np.repeat([0.0, 1.0], 10), (3, 1))
    drawn = bootstrap_means([values], generator(), 8000, np.repeat([0, 1], 10))[0]
    shares = [np.mean(np.isclose(drawn, mean)) for mean in (0.0, 0.5, 1.0)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)
    assert bootstrap_means([values], generator(), 8000)[0].std() < 0.13


def test_a_draw_is_a_mean_over_the_pieces_that_were_drawn() -> None:
    """Three pieces of 0 by one player and one of 1 by the other: 0, 1/4 or 1."""
    values = np.array([[0.0, 0.0, 0.0, 1.0]] * 2)
    drawn = bootstrap_means([values], generator(), 400, PLAYERS)[0]
    assert set(np.round(drawn, 9)) == {0.0, 0.25, 1.0}


def planted(
    random: np.random.Generator, effect: float, players: int, each: int, shared: float
) -> tuple[np.ndarray, np.ndarray]:
    """Errors of two runs, five seeds; `shared` of the variance of pieces is their player's."""
    pieces = players * each
    of_player = np.repeat(random.standard_normal(players), each)
    of_piece = sqrt(shared) * of_player + sqrt(1 - shared) * random.standard_normal(pieces)
    difference = (
        effect
        + 0.01 * random.standard_normal((5, 1))
        + 0.05 * of_piece
        + 0.03 * random.standard_normal((5, pieces))
    )
    return 0.4 + difference, np.full((5, pieces), 0.4)


def decided(effect: float, by_player: bool, seed: int, shared: float = 0.5) -> float:
    """How often a difference is called significant, of 200 worlds with eight players."""
    random, players = generator(seed), np.repeat(np.arange(8), 10)
    tests = [
        compare(
            *planted(random, effect, 8, 10, shared), random, draws=2,
            clusters=players if by_player else None,
        )
        for _ in range(200)
    ]  # fmt: skip
    return float(np.mean([test.p_value < 0.05 for test in tests]))


def test_taken_for_independent_correlated_pieces_find_what_is_not_there() -> None:
    """The same 200 worlds without an effect, half of the variance of pieces between players."""
    assert decided(0.0, by_player=False, seed=4) > 0.2
    assert decided(0.0, by_player=True, seed=4) < 0.1
    # Where players do not matter, to know them costs little.
    assert decided(0.0, by_player=True, seed=5, shared=0.0) < 0.1


def test_a_planted_effect_is_found_all_the_same() -> None:
    assert decided(0.08, by_player=True, seed=6) > 0.9


def test_intervals_over_players_cover_what_was_planted() -> None:
    random, players = generator(7), np.repeat(np.arange(8), 10)
    covered: dict[bool, list[bool]] = {True: [], False: []}
    for _ in range(150):
        first, second = planted(random, 0.03, 8, 10, 0.5)
        for by_player, found in covered.items():
            low, high = compare(
                first, second, random, draws=300, clusters=players if by_player else None
            ).difference_interval
            found.append(low < 0.03 < high)
    assert 0.88 <= np.mean(covered[True]) <= 0.99
    assert np.mean(covered[False]) < 0.8
