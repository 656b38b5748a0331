"""Which figures can be drawn, from the list of runs alone."""

from collections.abc import Iterable, Mapping

from mirtrim.runs.labels import USUAL

# Figures of the runs that are always there, and those of runs that differ in one choice.
ALWAYS = ("relative_error", "speed_up", "training_cost")
CONTRASTS = {"criteria": "criterion", "scopes": "scope", "resets": "reset"}


def drawable(runs_of_tasks: Iterable[Iterable[Mapping[str, str]]]) -> list[str]:
    """Names of the figures that can be drawn.

    Args:
        runs_of_tasks: for every task its runs, by method and choices.
    """
    tasks = [list(runs) for runs in runs_of_tasks]
    contrasts = [
        name for name, key in CONTRASTS.items() if any(compared(runs, key) for runs in tasks)
    ]
    controlled = any(
        run["method"] == "same_shape" or run["order"] == "shuffled"
        for runs in tasks
        for run in runs
    )
    return [*ALWAYS, *(["controls"] if controlled else []), *contrasts]


def compared(runs: Iterable[Mapping[str, str]], key: str) -> dict[str, list[str]]:
    """Methods that are run with two or more values of the choice `key`, and these values.

    Args:
        runs: runs of one task, by method and choices; those whose other choices are not the
            usual ones are passed over.
        key: "criterion", "scope" or "reset".

    Returns:
        Values of each method, the usual one first, the others in alphabetical order.
    """
    values: dict[str, set[str]] = {}
    for run in runs:
        others = all(run[k] in ("-", usual) for k, usual in USUAL.items() if k != key)
        if others and run[key] != "-":
            values.setdefault(run["method"], set()).add(run[key])
    return {
        method: sorted(found, key=lambda value: (value != USUAL[key], value))
        for method, found in sorted(values.items())
        if len(found) > 1
    }
