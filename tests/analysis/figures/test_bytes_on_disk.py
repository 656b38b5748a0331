"""Error against bytes: where the points stand, and what is refused."""

import pandas as pd
import pytest

from mirtrim.analysis.figures.bytes_on_disk import draw
from mirtrim.utils.errors import ArtefactError
from tests.analysis import worlds

DENSE, TRIM = worlds.CHOICES["dense"], worlds.CHOICES[worlds.TRIM]


def costs() -> pd.DataFrame:
    """Dense: 100 and 25 KiB; trim: 20 and 5 KiB with two and three times the error."""
    sizes = {
        ("dense", "fp32"): 100,
        ("dense", "int8"): 25,
        ("trim", "fp32"): 20,
        ("trim", "int8"): 5,
    }
    errors = {("dense", "fp32"): 1, ("dense", "int8"): 1, ("trim", "fp32"): 2, ("trim", "int8"): 3}
    return pd.DataFrame(
        {
            **keys, "task": "onset", "seed": seed, "format": kind,
            "target_ratio": 1.0 if keys is DENSE else 4.0,
            "weights_zstd": 1024 * sizes[keys["method"], kind],
            "test_error": errors[keys["method"], kind] * (0.1 + 0.1 * seed),
        }
        for keys in (DENSE, TRIM) for kind in ("fp32", "int8") for seed in (0, 1)
    )  # fmt: skip


def test_points_stand_at_their_bytes_and_relative_errors() -> None:
    figure = draw(costs())
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    plain = lines["trim: units removed, fp32"]
    small = lines["trim: units removed, int8"]
    assert list(plain.get_xdata()) == [100, 20]
    assert list(plain.get_ydata()) == pytest.approx([1, 2])  # of the dense one of the same seed
    assert list(small.get_xdata()) == [25, 5]
    assert list(small.get_ydata()) == pytest.approx([1, 3])
    assert plain.get_markerfacecolor() != small.get_markerfacecolor()


def test_a_seed_without_its_dense_network_is_named() -> None:
    table = costs()
    with pytest.raises(ArtefactError, match="task onset: no dense fp32 network of seed 1"):
        draw(table[~((table.seed == 1) & (table.method == "dense"))])


def test_no_rows_are_refused() -> None:
    with pytest.raises(ArtefactError, match="no cost rows; run the target costs"):
        draw(costs().iloc[:0])
