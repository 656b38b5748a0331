"""Resampling, patches and shuffles: operations over time or space."""

import numpy as np
import torch

from mirtrim.units.handlers.dimwise import along
from mirtrim.units.handlers.operations import Call, handles
from mirtrim.units.labels import Label
from mirtrim.units.sizes import AdaptiveInt


@handles("interpolate upsample upsample_nearest upsample_bilinear")
def interpolate(call: Call) -> None:
    """Resampling of everything behind batch and channels."""
    tensor = call.argument(0, "input")
    along(call, tensor, set(range(2, tensor.dim())))


@handles(torch.Tensor.unfold)
def window(call: Call) -> None:
    """Windows along one dimension, put into a new last one (the tensor method)."""
    tensor = call.args[0]
    label = call.units(tensor)
    dim = call.argument(1, "dimension")
    if label is None or dim % tensor.dim() != label.axis:
        call.fix_sizes()
        call.set_all(call.label(tensor) if label is None else label)
    else:
        call.unknown("takes windows over units")


@handles(
    torch.nn.functional.unfold,
    torch.nn.functional.fold,
    torch.pixel_shuffle,
    torch.pixel_unshuffle,
)
def patches(call: Call) -> None:
    """Images (N, C, …) to columns (N, C · positions of a patch, patches), and back; also between
    pixels and channels.
    """
    call.fix_sizes()
    tensor = call.argument(0, "input")
    label = call.units(tensor)
    channels = tensor.dim() - (2 if call.name == "fold" else 3)
    if label is None or label.axis != channels:
        if label is None:
            call.set_all(call.label(tensor))
        else:
            call.unknown("makes patches of the dimension along which units lie")
        return
    ids, count = label.ids, call.out.shape[channels]
    if count < len(ids):
        runs = ids.reshape(count, -1)
        call.trace.ledger.unite(runs, runs[:, :1], call.place)
        ids = runs[:, 0]
    else:
        ids = np.repeat(ids, count // len(ids))
    call.set_all(Label(channels, ids))


@handles("channel_shuffle native_channel_shuffle")
def channel_shuffle(call: Call) -> None:
    """Channels (N, groups · each, …) to (N, each · groups, …); as many of every group stay."""
    tensor, groups = call.argument(0, "input"), call.argument(1, "groups")
    label = call.units(tensor)
    if label is None or label.axis != 1 or isinstance(groups, AdaptiveInt):
        call.unknown()
        return
    call.trace.ledger.unite_pieces(label.ids, groups, call.place)
    call.set_all(Label(1, label.ids.reshape(groups, -1).T.reshape(-1)))


@handles("grid_sample")
def grid_sample(call: Call) -> None:
    """Every channel at the same places."""
    tensor = call.argument(0, "input")
    if call.units(call.argument(1, "grid")) is not None:
        call.unknown()
    else:
        along(call, tensor, set(range(2, tensor.dim())))
