"""Finding a bundle in a folder of them."""

from pathlib import Path

from mirtrim.listening.bundle import ENDING, About, base_of, read_about
from mirtrim.utils.errors import ArtefactError, ConfigError


def bundles_in(folder: Path) -> dict[Path, About]:
    """Path without ending → what is said of it, for every bundle in `folder`."""
    found = sorted(folder.glob(f"*{ENDING}")) if folder.is_dir() else []
    return {base_of(path): read_about(path) for path in found}


def find_bundle(models_folder: Path, task: str, ratio: float | None = None) -> Path:
    """Path (without ending) of a trained network of `task`.

    Args:
        ratio: how many times smaller than the dense network it has to be at least; the nearest
            one that reaches it is taken. None takes the largest that is there. Of equal ones, the
            one with the lowest validation error is taken.

    Raises:
        ArtefactError: there is none; says which there are.
        ConfigError: the ratio is below 1.
    """
    if ratio is not None and not ratio >= 1:
        raise ConfigError(f"ratio {ratio:g}: must be at least 1")
    everything = bundles_in(models_folder)
    of_task = {path: about for path, about in everything.items() if about.task == task}
    if not of_task:
        tasks = sorted({about.task for about in everything.values()})
        raise ArtefactError(
            f"{models_folder} holds no network of task {task}; "
            + (f"it holds {', '.join(tasks)}" if tasks else "it holds none at all")
        )
    fitting = {path: about for path, about in of_task.items() if about.ratio >= (ratio or 1)}
    if not fitting:
        there = ", ".join(
            f"{about.pruning['method']} {about.ratio:.1f}x"
            for about in sorted(of_task.values(), key=lambda about: about.ratio)
        )
        raise ArtefactError(
            f"{models_folder}: of task {task} there is none that is {ratio:g} times "
            f"smaller, only {there}"
        )
    return min(
        fitting,
        key=lambda path: (fitting[path].ratio, fitting[path].validation_error, path.name),
    )
