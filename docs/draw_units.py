"""Draw docs/units.svg: what goes when one unit goes.

python docs/draw_units.py
"""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from mirtrim.analysis import style

LIVING, GONE, EDGE = "#cfe3f1", "#D55E00", "#555555"


def matrix(
    axes: Axes, left: float, bottom: float, rows: int, columns: int, title: str,
    gone_rows: tuple[int, ...] = (), gone_columns: tuple[int, ...] = (),
) -> None:  # fmt: skip
    """A weight matrix with its removed rows and columns marked."""
    for row in range(rows):
        for column in range(columns):
            gone = row in gone_rows or column in gone_columns
            axes.add_patch(
                Rectangle(
                    (left + column, bottom + rows - 1 - row), 0.9, 0.9,
                    facecolor=GONE if gone else LIVING, edgecolor=EDGE, lw=0.5,
                    hatch="///" if gone else None,
                )
            )  # fmt: skip
    axes.text(left + columns / 2, bottom + rows + 0.25, title, ha="center", va="bottom", fontsize=8)


def main() -> None:
    """Write the picture."""
    with style.styled():
        figure, axes = plt.subplots(figsize=(7.6, 3.0), layout="constrained")
        axes.set_axis_off()
        axes.set_aspect("equal")
        matrix(axes, 0, 3, 5, 3, "convolution\nrows = units", gone_rows=(1,))
        matrix(axes, 4.2, 3, 5, 1, "bias", gone_rows=(1,))
        matrix(axes, 6.2, 3, 5, 4, "batch norm\ngain, shift,\nmean, variance", gone_rows=(1,))
        matrix(axes, 12.0, 4, 4, 5, "next layer\ncolumns = its inputs", gone_columns=(1,))
        matrix(axes, 19.2, 2, 6, 3, "GRU, $W_{ih}$\n3 gates × 2 units", gone_rows=(1, 3, 5))
        matrix(axes, 23.4, 2, 6, 2, "$W_{hh}$", gone_rows=(1, 3, 5), gone_columns=(1,))
        matrix(axes, 27.2, 4, 3, 2, "next layer", gone_columns=(1,))
        axes.text(8.5, 1.0, "one convolution unit", ha="center", fontsize=9)
        axes.text(24.2, 1.0, "one hidden unit of a GRU", ha="center", fontsize=9)
        axes.set_xlim(-0.5, 30)
        axes.set_ylim(0, 11)
        figure.savefig(Path(__file__).with_name("units.svg"), metadata={"Date": None})
        style.close(figure)


if __name__ == "__main__":
    main()
