"""Finding a bundle in a folder of them."""

import os
from collections.abc import Mapping
from pathlib import Path

from mirtrim.listening.about import ENDING, About, Description, base_of, beside, read_description
from mirtrim.listening.evidence import evidence_of, read_evidence, withheld
from mirtrim.listening.results import counted
from mirtrim.utils.errors import ArtefactError, ConfigError


def bundles_in(folder: Path) -> dict[Path, About]:
    """Path without ending → what is known of the network, for every bundle in `folder`."""
    return {path: description.about for path, description in descriptions_in(folder).items()}


def descriptions_in(folder: Path) -> dict[Path, Description]:
    """Path without ending → the whole description, for every bundle in `folder`."""
    found = sorted(folder.glob(f"*{ENDING}")) if folder.is_dir() else []
    return {base_of(path): read_description(path) for path in found}


def find_bundle(
    models_folder: Path, task: str, ratio: float | None = None, *, force: bool = False
) -> Path:
    """Path (without ending) of a trained network of `task`.

    Args:
        ratio: minimum compression ratio; the network with the nearest ratio that reaches it is
            used. None selects the largest network. Ties are resolved by the lowest validation
            error.
        force: also use a network that scores below a simple rule on recordings.

    Raises:
        ArtefactError: there is none; the message lists the existing ones.
        OSError: the folder cannot be read.
        ConfigError: there is no such folder, the ratio is below 1, or all networks score below a
            simple rule.
    """
    if ratio is not None and not ratio >= 1:
        raise ConfigError(f"ratio {ratio:g}: must be at least 1")
    _check_folder(models_folder)
    everything = descriptions_in(models_folder)
    of_task = {path: one for path, one in everything.items() if one.about.task == task}
    if not of_task:
        tasks = sorted({one.about.task for one in everything.values()})
        raise ArtefactError(
            f"{models_folder} holds no network of task {task}; "
            + (f"it holds {', '.join(tasks)}" if tasks else "it holds no networks")
        )
    ranked = sorted(of_task, key=lambda path: _rank(of_task, path))
    order = [path for path in ranked if of_task[path].about.ratio >= (ratio or 1)]
    if not order:
        abouts = (of_task[path].about for path in ranked)
        there = ", ".join(f"{about.pruning['method']} {about.ratio:.1f}x" for about in abouts)
        raise ArtefactError(
            f"{models_folder}: no network of task {task} is {ratio:g} times smaller, only {there}"
        )
    if force:
        return order[0]
    evidence = read_evidence(models_folder)
    reasons = [withheld(evidence_of(evidence, path.name, of_task[path])) for path in order]
    for path, reason in zip(order, reasons, strict=True):
        if reason is None:
            return path
    reason = reasons[0]
    assert reason is not None
    use = f"use {reason.rule_library.split()[0]}" if reason.rule_library != "-" else "use that"
    raise ConfigError(
        f"task {task} is not offered: {order[0].name} scores below a simple rule, "
        f"{reason.sentence}; {use}, or --force"
    )


def _check_folder(folder: Path) -> None:
    """Do not treat an unreadable folder as an empty one."""
    if folder.is_dir():
        os.listdir(folder)
    elif beside(base_of(folder), ENDING).is_file():
        raise ConfigError(f"{folder} is a network; name its folder")
    elif folder.exists():
        raise ConfigError(f"{folder} is not a folder; name one with trained networks")
    else:
        raise ConfigError(f"{folder}: no such folder; check the name")


def _rank(of_task: Mapping[Path, Description], path: Path) -> tuple[float, float, str]:
    about = of_task[path].about
    return about.ratio, about.validation_error, path.name


def task_lines(folder: Path) -> list[str]:
    """What each task of a folder is good at, a line each: its largest network in numbers."""
    everything, evidence = descriptions_in(folder), read_evidence(folder)
    lines = []
    for task in sorted({one.about.task for one in everything.values()}):
        of_task = {path: one for path, one in everything.items() if one.about.task == task}
        path = min(of_task, key=lambda path: _rank(of_task, path))
        description = of_task[path]
        known = evidence_of(evidence, path.name, description)
        manner = f"{description.manner.says}; " if description.manner else ""
        recorded = [
            f"{one.score:.3f} on {counted(one.recordings, 'recording')} ({one.set}; "
            f"{one.rule_name} {one.rule_score:.3f})"
            for one in known
        ] or ["not measured on recordings"]
        parts = [f"{1 - description.about.test_error:.3f} on rendered pieces", *recorded]
        hidden = " (not offered)" if withheld(known) else ""
        lines.append(f"{task}{hidden}: {manner}{path.name} scores {', '.join(parts)}")
    return lines
