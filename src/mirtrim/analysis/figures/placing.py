"""Placing the labels of points that lie too close to each other."""

from collections.abc import Sequence

import numpy as np


def spread(wanted: Sequence[float], gap: float) -> list[float]:
    """Places at least `gap` apart, in the order of `wanted` and, by least squares, nearest to it.

    Args:
        wanted: places, in any order and any unit; equal ones keep their order.
        gap: least distance of two places, in the same unit.
    """
    order = np.argsort(wanted, kind="stable")
    # With the gaps taken out, places have but to rise: blocks that would fall share their mean.
    blocks: list[list[float]] = []
    for number, place in enumerate(order):
        blocks.append([wanted[place] - number * gap])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            last = blocks.pop()
            blocks[-1] += last
    risen = [float(np.mean(block)) for block in blocks for _ in block]
    places = [0.0] * len(risen)
    for number, place in enumerate(order):
        places[place] = risen[number] + number * gap
    return places


def columns(places: Sequence[float], width: float) -> list[list[int]]:
    """Indices of neighbours, from left to right: none is `width` away from the next in its column.

    Args:
        places: along the axis, in any order.
        width: in the unit of `places`.
    """
    found: list[list[int]] = []
    for index in np.argsort(places, kind="stable"):
        if found and places[index] - places[found[-1][-1]] < width:
            found[-1].append(int(index))
        else:
            found.append([int(index)])
    return found
