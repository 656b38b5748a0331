"""Networks that nothing can be done with."""

from typing import Any

import torch
from torch import nn

from mirtrim.utils.errors import TraceError


def check_module(model: Any) -> None:
    """That a network was given, all tensors of which have shapes.

    Raises:
        TraceError: it is something else, or lazy.
    """
    if not isinstance(model, nn.Module):
        what = getattr(model, "__name__", None) or type(model).__name__
        raise TraceError(f"model: {what} is not a torch.nn.Module; give the network itself")
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            raise TraceError(
                f"{name} of a lazy module has no shape yet; run the network once first"
            )


def check_python(model: Any) -> None:
    """That a network is made of plain Python modules whose tensors have shapes.

    Raises:
        TraceError: names the scripted module, or the tensor of a lazy one.
    """
    check_module(model)
    for path, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            name = path or type(model).__name__
            raise TraceError(
                f"module {name} is scripted and cannot be followed; use the plain Python module"
            )
