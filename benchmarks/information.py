"""Time and error of the information estimators; prints a table.

    python benchmarks/information.py

One thread. Seconds are medians of CPU time over five runs; errors are root mean squares in bits
against closed forms or numerical integrals, rank correlations are Spearman's over units.
"""

import math

import numpy as np
import torch
from scipy.stats import norm, spearmanr
from timing import cpu_seconds, take_no_arguments
from torch import Tensor

from mirtrim.pruning.criteria.bits import at_own_resolution
from mirtrim.pruning.criteria.information import (
    binned_information,
    column_information,
)

UNITS, EXAMPLES, POSITIONS, CLASSES = 256, 1000, 100, 13
REPEATS = 5


def mixture_bits(means: np.ndarray) -> float:
    """I(Y; C) for C uniform, Y | C = c ~ N(means[c], 1)."""
    x = np.linspace(means.min() - 8, means.max() + 8, 4001)
    density = norm.pdf(x[None] - means[:, None]).mean(axis=0)
    entropy = -np.sum(density * np.log2(density)) * (x[1] - x[0])
    return float(entropy - 0.5 * math.log2(2 * math.pi * math.e))


def report(name: str, seconds: float, estimates: np.ndarray, truths: np.ndarray) -> None:
    """One line of the table."""
    error = math.sqrt(np.mean((estimates - truths) ** 2))
    ranks = spearmanr(estimates, truths).statistic if np.ptp(truths) > 0 else math.nan
    print(f"{name:56s} {seconds:8.4f} {error:8.4f} {ranks:8.4f}")


def labels(rng: np.random.Generator) -> None:
    """13 labels against 256 units of growing class separation."""
    means = rng.normal(size=(CLASSES, UNITS)) * np.linspace(0, 2, UNITS)
    classes = rng.integers(CLASSES, size=EXAMPLES)
    values = torch.tensor(means[classes] + rng.normal(size=(EXAMPLES, UNITS))).float()
    targets = torch.tensor(classes)
    estimates = binned_information(values, targets).numpy()
    truths = np.array([mixture_bits(m) for m in means.T])
    seconds = cpu_seconds(lambda: binned_information(values, targets), REPEATS)
    report(f"labels: {CLASSES} x {UNITS} units, {EXAMPLES} examples", seconds, estimates, truths)


def columns(rng: np.random.Generator) -> None:
    """150 unrelated columns: the truth is 0."""
    values = torch.tensor(rng.normal(size=(EXAMPLES, UNITS))).float()
    targets = torch.tensor(rng.random((EXAMPLES, 150)) < 0.1)
    estimates = column_information(values, targets).numpy()
    seconds = cpu_seconds(lambda: column_information(values, targets), REPEATS)
    name = f"columns: 150 x {UNITS} units, {EXAMPLES} examples"
    report(name, seconds, estimates, np.zeros(UNITS))


def resolution(rng: np.random.Generator) -> None:
    """Gaussian units of deviations 0.01 to 2 at the resolution of their layer."""
    scales = np.geomspace(0.01, 2, UNITS)
    samples = rng.normal(size=(UNITS, EXAMPLES * POSITIONS)) * scales[:, None]
    units: Tensor = torch.tensor(samples).float()
    noise = math.sqrt(np.mean(scales**2)) / 16
    estimates = at_own_resolution(units).numpy()
    seconds = cpu_seconds(lambda: at_own_resolution(units), REPEATS)
    name = f"information: {UNITS} units, {EXAMPLES} examples x {POSITIONS} positions"
    report(name, seconds, estimates, 0.5 * np.log2(1 + (scales / noise) ** 2))


if __name__ == "__main__":
    take_no_arguments(__doc__)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    print(f"{'':56s} {'seconds':>8s} {'error':>8s} {'ranks':>8s}")
    labels(rng)
    columns(rng)
    resolution(rng)
