"""A person's network, weights and inputs, as they are named on the command line."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from mirtrim.errors import ArtefactError, ConfigError


def build(reference: str) -> nn.Module:
    """Call the factory named "package.module:function"; the current folder is importable."""
    module_name, _, name = reference.partition(":")
    if not name:
        raise ConfigError(f"{reference}: write package.module:function")
    sys.path.insert(0, "")
    try:
        factory: Callable[[], Any] = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"{reference}: {error}") from error
    finally:
        sys.path.remove("")
    model = factory()
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{reference}: returned {type(model).__name__}, not a torch module")
    return model


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a safetensors state dict; whatever does not fit is named in one line."""
    try:
        model.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ArtefactError(f"{path}: does not fit the network ({reason})") from error


def example(shape: str, seed: int) -> torch.Tensor:
    """Random input of a shape written as "1,1,64,50"."""
    try:
        sizes = [int(size) for size in shape.split(",")]
    except ValueError as error:
        raise ConfigError(f"--input {shape}: write sizes like 1,1,64,50") from error
    return torch.randn(sizes, generator=torch.Generator().manual_seed(seed))
