"""Learning curves of the dense network and of the rounds of a run, side by side."""

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

from mirtrim.analysis import style
from mirtrim.analysis.figures import panels
from mirtrim.analysis.style import Look
from mirtrim.runs.labels import with_labels
from mirtrim.utils.errors import ArtefactError

SIDES = {"validation_loss": "-", "train_loss": ":"}


@style.styled()
def draw_learning(learning: pd.DataFrame) -> Figure:
    """Losses against the epoch: a panel per run, a colour per ratio, the dense network in black.

    Solid lines are validation, dotted ones training, in which dropout makes the loss larger; means
    over seeds. Of rounds with several trainings the last is drawn.

    Args:
        learning: of one task (`runs.learning.read_learning`).

    Raises:
        ArtefactError: there is no training of a run.
    """
    rows = with_labels(learning)
    last = rows.groupby(["run", "seed", "target_ratio"]).part.transform("max")
    rows = rows[rows.part == last]
    runs = sorted(set(rows.run) - {"dense"})
    if not runs:
        raise ArtefactError("figure of learning curves: no epochs of a run; train one")
    ratios = sorted(set(rows.target_ratio) - {1.0})
    colours = mpl.colormaps["viridis"].resampled(len(ratios) + 1)
    looks = {1.0: Look(style.DENSE_COLOUR, "", "", "dense")} | {
        ratio: Look(mpl.colors.to_hex(colours(number)), "", "", f"{ratio:g}x")
        for number, ratio in enumerate(ratios)
    }
    figure, axes, place = panels.grid(len(runs))
    for one, run in zip(axes, runs, strict=True):
        for ratio, look in looks.items():
            name = "dense" if ratio == 1 else run
            part = rows[(rows.run == name) & (rows.target_ratio == ratio)]
            means = part.groupby("epoch")[list(SIDES)].mean()
            for side, dash in SIDES.items() if len(means) else ():
                label = look.label if side == "validation_loss" else None
                one.plot(means.index, means[side], color=look.colour, ls=dash, lw=1.1, label=label)
        one.set_yscale("log")
        one.set_title(run)
    words = "loss (solid: validation, dotted: training)"
    return panels.finish(figure, axes, place, "epoch", words, list(looks.values()))
