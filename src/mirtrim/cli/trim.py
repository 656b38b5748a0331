"""mirtrim trim: make a network smaller and save it."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

from mirtrim.cli import networks
from mirtrim.pruning.api import trim
from mirtrim.pruning.criteria import UNIT_CRITERIA
from mirtrim.pruning.settings import CHOICES
from mirtrim.units.storage import is_saved, paths_of, save
from mirtrim.utils.errors import ArtefactError, ConfigError
from mirtrim.utils.files import check_target

# Criteria that need only the network; the command line cannot provide batches or a loss.
CRITERIA = ("magnitude", "batchnorm", "random")
NEED_DATA = tuple(name for name in UNIT_CRITERIA if name not in CRITERIA)


def add(verbs: Any, help_text: str) -> None:
    """Add the verb to the parser's verbs."""
    verb = verbs.add_parser("trim", help=help_text)
    verb.add_argument("factory", help="package.module:function that returns the dense network")
    networks.add_arguments(verb, required=True, help=networks.INPUT_HELP)
    verb.add_argument("--ratio", type=float, required=True, help="how many times smaller")
    verb.add_argument(
        "--criterion",
        default="magnitude",
        help=f"{', '.join(CRITERIA)}, or one that the module registers (default: magnitude)",
    )
    verb.add_argument(
        "--scope",
        choices=CHOICES["scope"],
        default="local",
        help="rank within each layer, or over all layers (default: local)",
    )
    verb.add_argument(
        "--scale",
        choices=CHOICES["scale"],
        default="max",
        help="what makes scores of different layers comparable (default: max)",
    )
    verb.add_argument(
        "--budget",
        choices=CHOICES["budget"],
        default="parameters",
        help="what --ratio counts (default: parameters)",
    )
    verb.add_argument(
        "--minimum-units", type=int, default=2, help="minimum units per layer (default: 2)"
    )
    verb.add_argument(
        "--protect", action="append", default=[], help="module that is not trimmed; repeatable"
    )
    verb.add_argument(
        "--seed",
        type=networks.seed,
        default=0,
        help="seed of the random inputs and choices (default: 0)",
    )
    verb.add_argument("--output", type=Path, default=Path("trimmed"), help="default: trimmed")
    verb.set_defaults(verb=_trim)


def _trim(options: argparse.Namespace) -> int:
    if options.criterion in NEED_DATA:
        raise ConfigError(
            f"--criterion {options.criterion}: needs data, which cannot be given here; use "
            f"{', '.join(CRITERIA)}, or mirtrim.trim(…, batches=…) in Python"
        )
    replaced = _replaced(options.output, options.weights)
    model = networks.network(options.factory, options.weights, networks.keywords(options.argument))
    small = trim(
        model,
        networks.examples(model, options.input, options.seed),
        options.ratio,
        options.criterion,
        scope=options.scope,
        scale=options.scale,
        budget=options.budget,
        minimum_units=options.minimum_units,
        protect=options.protect,
        seed=options.seed,
    )
    weights, widths = save(small, options.output)
    for path in replaced:
        print(f"note: {path} already existed and is replaced", file=sys.stderr)
    print(small.trim_report)
    print(f"saved {weights} and {widths}")
    return 0


def _replaced(output: Path, weights: Path | None) -> list[Path]:
    """The files that the trimmed network replaces: earlier ones of its kind, and nothing else."""
    targets = paths_of(output)
    for target in targets:
        check_target(target)
    there = [target for target in targets if target.exists()]
    used = [weights, *paths_of(weights)] if weights is not None else []
    for target in there:
        if any(one.exists() and os.path.samefile(target, one) for one in used):
            raise ConfigError(f"--output {output}: {target} belongs to --weights; choose another")
    if there and networks.is_bundle(output):
        raise ConfigError(f"--output {output}: is a network for mirtrim listen; choose another")
    if there and not _was_trimmed(output):
        raise ConfigError(
            f"--output {output}: {there[0]} exists, and mirtrim trim did not write it; choose "
            "another"
        )
    return there


def _was_trimmed(path: Path) -> bool:
    try:
        return is_saved(paths_of(path)[1])
    except ArtefactError:
        return False
