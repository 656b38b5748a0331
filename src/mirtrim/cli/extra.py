"""Tells users which optional dependencies a subcommand needs."""

from collections.abc import Iterator
from contextlib import contextmanager

from mirtrim.utils.errors import ConfigError


@contextmanager
def needing_extra(what: str) -> Iterator[None]:
    """Turn a missing package into one line that says how to install it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{what} needs the package {error.name}: pip install 'mirtrim[replicate]'"
        ) from error
