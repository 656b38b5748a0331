"""The user's network, weights and inputs, as given on the command line."""

import argparse
import copy
import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from mirtrim.listening.about import ENDING, base_of, beside
from mirtrim.units import storage
from mirtrim.utils.errors import ArtefactError, ConfigError
from mirtrim.utils.tensors import has_digest

INPUT_HELP = (
    "shape of one input, for instance 1,1,64,50; 1,30:int64 draws integers below 2, 1,30:int64:500 "
    "below 500 (an embedding's rows); repeat it for several inputs"
)
FLOATS = ("float16", "bfloat16", "float32", "float64")
WHOLES = ("bool", "uint8", "int8", "int16", "int32", "int64")
ARGUMENT_HELP = (
    "keyword argument of the function that makes the network, for instance width=64 or "
    "kernel=[3,5]; JSON, otherwise text; repeatable"
)
SEEDS = range(-(2**63), 2**64)
HIGHEST = 2  # integers are drawn below it unless an input says otherwise


def add_arguments(verb: argparse.ArgumentParser, **of_input: Any) -> None:
    """Add arguments for weights, inputs (`of_input` extends their help) and keyword arguments."""
    verb.add_argument(
        "--weights", type=Path, help="its trained weights (.safetensors), or what trim wrote"
    )
    verb.add_argument("--input", action="append", metavar="SHAPE", **of_input)
    verb.add_argument(
        "--argument", action="append", default=[], metavar="NAME=VALUE", help=ARGUMENT_HELP
    )


def seed(text: str) -> int:
    """A seed that all generators accept, for argparse."""
    try:
        number = int(text)
    except ValueError:
        number = SEEDS.stop
    if number not in SEEDS:
        raise argparse.ArgumentTypeError(f"{text}: write a whole number, of at most 19 digits")
    return number


def is_bundle(path: str | Path) -> bool:
    """Whether `path`, with or without an ending, names a bundle."""
    base = base_of(path)
    return bool(base.name) and beside(base, ENDING).exists()


def keywords(texts: Sequence[str]) -> dict[str, Any]:
    """Keyword arguments written as NAME=VALUE.

    Raises:
        ConfigError: one has another form, or occurs twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise ConfigError(f"--argument {text}: write NAME=VALUE, for instance width=64")
        if name in found:
            raise ConfigError(f"--argument {text}: {name} is given twice")
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found


def network(
    reference: str, weights: Path | None, arguments: Mapping[str, Any] | None = None
) -> nn.Module:
    """The network of a factory, with weights if given, in evaluation mode.

    Args:
        reference: "package.module:function".
        weights: a state dict of the factory's network, or one of the files that `mirtrim trim`
            wrote (or their name without an ending), which also give its trimmed shape.
        arguments: keyword arguments of the function.
    """
    if weights is not None and storage.is_saved(weights):
        return storage.load(weights, lambda: build(reference, arguments)).eval()
    model = build(reference, arguments)
    if weights is not None:
        load_weights(model, weights)
    return model.eval()


def build(reference: str, arguments: Mapping[str, Any] | None = None) -> nn.Module:
    """Call the factory named "package.module:function"; the current folder is importable."""
    arguments = arguments or {}
    module_name, _, name = reference.partition(":")
    if "/" in module_name or "\\" in module_name or module_name.endswith(".py"):
        dotted = ".".join(Path(module_name).with_suffix("").parts).strip(".")
        raise ConfigError(
            f"{reference}: is a path, not a module; write {dotted}:{name or 'function'} in the "
            "folder that it is imported from"
        )
    if not name or not module_name:
        raise ConfigError(f"{reference}: write package.module:function")
    sys.path.insert(0, "")
    try:
        factory: Callable[[], Any] = getattr(importlib.import_module(module_name), name)
    except ImportError as error:
        raise ConfigError(f"{reference}: {_one_line(error)}") from error
    except AttributeError as error:
        raise ConfigError(f"{reference}: {_one_line(error)}; check the name") from error
    except (Exception, SystemExit) as error:
        raise ConfigError(
            f"{reference}: the module cannot be imported ({_named(error)}); fix it first"
        ) from error
    finally:
        sys.path.remove("")
    try:
        model = factory(**arguments)
    except (Exception, SystemExit) as error:
        how = f"with {', '.join(arguments)}" if arguments else "without arguments"
        raise ConfigError(
            f"{reference}: cannot be called {how} ({_named(error)}); name a function that makes "
            "the network, and what it needs with --argument NAME=VALUE"
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{reference}: returned {type(model).__name__}, not a torch module")
    return model


def load_weights(model: nn.Module, path: Path) -> None:
    """Load a safetensors state dict; mismatches are reported in one line.

    One of several tied tensors is enough, as `safetensors.torch.save_model` writes it.

    Raises:
        ArtefactError: the file is missing, of another kind, or of another network.
    """
    if not path.is_file():
        what = "a folder, not a file" if path.is_dir() else "no such file"
        raise ArtefactError(f"{path}: {what}; check the name")
    path.open("rb").close()  # what the system refuses is no damage
    try:
        stored = load_file(path)
    except SafetensorError as error:
        raise ArtefactError(
            f"{path}: is not a complete safetensors file ({_one_line(error)}); write it with "
            "safetensors.torch.save_file"
        ) from error
    for names in _tied(model):
        for given in [name for name in names if name in stored][:1]:
            stored |= {name: stored[given] for name in names if name not in stored}
    try:
        model.load_state_dict(stored)
    except RuntimeError as error:
        remedy = "use weights of this network"
        if has_digest(path) and not storage.is_saved(path):
            remedy = f"if it is trimmed, put its {path.stem}.json next to it"
        raise ArtefactError(
            f"{path}: does not fit the network ({_one_line(error)}); {remedy}"
        ) from error


def _tied(model: nn.Module) -> list[list[str]]:
    """Names of the state that share one memory."""
    found: dict[Any, list[str]] = {}
    for name, value in model.state_dict().items():
        if isinstance(value, Tensor) and not is_lazy(value) and value.data_ptr():
            key = value.data_ptr(), value.dtype, value.shape, value.stride()
            found.setdefault(key, []).append(name)
    return [names for names in found.values() if len(names) > 1]


def examples(model: nn.Module, shapes: Sequence[str], seed: int) -> tuple[Tensor, ...]:
    """Random inputs that the network takes; it is called with them once.

    Floating-point inputs have the network's own dtype unless a shape specifies another one.

    Raises:
        ConfigError: a shape is invalid, or the network does not accept the inputs.
    """
    own = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    inputs = tuple(example(shape, seed, own) for shape in shapes)
    try:
        with torch.no_grad():
            copy.deepcopy(model)(*inputs)  # some count their calls
    except Exception as error:
        shown = " ".join(f"--input {shape}" for shape in shapes)
        raise ConfigError(f"{shown}: the network cannot take this ({_named(error)})") from error
    return inputs


def example(shape: str, seed: int, own: torch.dtype = torch.float32) -> Tensor:
    """Random input of a shape written as "1,1,64,50", "1,30:int64" or "1,30:int64:500".

    Args:
        own: dtype if the shape does not specify one.
    """
    problem = f"--input {shape}: write sizes like 1,1,64,50, all above 0, or 1,30:int64:500"
    sizes_text, *more = shape.split(":")
    try:
        sizes = [int(size) for size in sizes_text.split(",")]
        highest = int(more[1]) if len(more) > 1 else HIGHEST
    except ValueError as error:
        raise ConfigError(problem) from error
    if min(sizes) < 1 or highest < 1 or len(more) > 2:
        raise ConfigError(problem)
    kind = more[0] if more else None
    if kind is not None and kind not in (*FLOATS, *WHOLES):
        known = ", ".join((*FLOATS, *WHOLES))
        raise ConfigError(f"--input {shape}: unknown type {kind!r}; known: {known}")
    generator = torch.Generator().manual_seed(seed)
    try:
        if kind in WHOLES:
            drawn = torch.randint(highest, sizes, generator=generator)
        else:
            drawn = torch.randn(sizes, generator=generator)
    except (RuntimeError, OverflowError, TypeError, ValueError) as error:  # more than there is room
        raise ConfigError(f"--input {shape}: cannot be made ({_one_line(error)})") from error
    return drawn.to(getattr(torch, kind) if kind else own)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {_one_line(error)}".rstrip(": ")


def _one_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return " ".join(lines[0].split()) if len(lines) == 1 else " ".join(" ".join(lines[:3]).split())
