"""mirtrim measure: what a network costs on this machine."""

import argparse
import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mirtrim.cli import networks
from mirtrim.cli.extra import needing_extra
from mirtrim.listening.about import INT8, ONNX_ENDINGS
from mirtrim.units import storage
from mirtrim.utils.errors import ConfigError
from mirtrim.utils.tensors import tensor_with_nan


def add(verbs: Any, help_text: str) -> None:
    """Add the verb to the parser's verbs."""
    verb = verbs.add_parser("measure", help=help_text)
    verb.add_argument(
        "network",
        help="package.module:function that returns the network, or a bundle (path of one of its "
        "files, or without their endings)",
    )
    networks.add_arguments(verb, default=[], help=f"{networks.INPUT_HELP}; a bundle knows its own")
    verb.add_argument(
        "--seconds", type=float, default=2.0, help="of timing per runtime (default: 2)"
    )
    verb.add_argument("--seed", type=networks.seed, default=0, help="seed of the random inputs")
    verb.set_defaults(verb=_measure)


def _measure(options: argparse.Namespace) -> int:
    if not options.seconds > 0:
        raise ConfigError(f"--seconds {options.seconds:g}: must be above 0")
    is_factory = ":" in options.network and not Path(options.network).exists()
    model, inputs = _factory(options) if is_factory else _bundle(options)
    with needing_extra("measure"):
        from mirtrim.deploy.measuring import measure_network

        _check_numbers(options.network, model, inputs)
        print(measure_network(model, inputs, seconds=options.seconds))
    return 0


def _check_numbers(named: str, model: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Report NaN early; otherwise it would show up as a difference between two runtimes."""
    if name := tensor_with_nan(model):
        raise ConfigError(f"{named}: tensor {name!r} holds NaN; train it again, or load others")
    with torch.no_grad():
        outputs = copy.deepcopy(model)(*inputs)  # some count their calls
    if isinstance(outputs, Tensor) and outputs.isnan().any():
        raise ConfigError(f"{named}: its outputs hold NaN; look for infinite or too large weights")


def _factory(options: argparse.Namespace) -> tuple[nn.Module, tuple[Tensor, ...]]:
    if not options.input:
        raise ConfigError("--input is missing: write the shape of an input, like 1,1,64,50")
    model = networks.network(options.network, options.weights, networks.keywords(options.argument))
    return model, networks.examples(model, options.input, options.seed)


def _bundle(options: argparse.Namespace) -> tuple[nn.Module, tuple[Tensor, ...]]:
    if options.network.endswith(ONNX_ENDINGS[INT8]):
        raise ConfigError(
            f"{options.network}: int8 networks are not measured; to measure the fp32 network, name "
            f"the bundle {options.network.removesuffix(ONNX_ENDINGS[INT8])}"
        )
    if not networks.is_bundle(options.network) and storage.is_saved(options.network):
        raise ConfigError(
            f"{options.network}: holds the weights of a trimmed network; name the function that "
            "makes it: mirtrim measure package.module:function --weights "
            f"{options.network} --input SHAPE"
        )
    if options.input or options.argument or options.weights is not None:
        raise ConfigError(
            f"{options.network}: a bundle has its own --input, --weights and --argument"
        )
    with needing_extra("a bundle"):
        from mirtrim.listening.bundle import read_bundle

        if not networks.is_bundle(options.network):
            raise ConfigError(f"{options.network}: neither package.module:function nor a bundle")
        bundle = read_bundle(options.network)
    shape = bundle.task.example_input(bundle.about.features).shape
    return bundle.network, (networks.example(",".join(map(str, shape)), options.seed),)
