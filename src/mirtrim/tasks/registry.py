"""The tasks by name: every concrete `Task` in a module of this package."""

import importlib
import inspect
import pkgutil

import mirtrim.tasks
from mirtrim.tasks.task import Task
from mirtrim.utils.errors import ConfigError


def _find() -> dict[str, type[Task]]:
    found: dict[str, type[Task]] = {}
    for module in pkgutil.iter_modules(mirtrim.tasks.__path__, "mirtrim.tasks."):
        if module.name == __name__:
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(kind) and issubclass(kind, Task) and not inspect.isabstract(kind):
                found[kind.name] = kind
    return found


TASKS = _find()


def get_task(name: str) -> Task:
    """The task called `name`; an unknown name is a `ConfigError`."""
    if name not in TASKS:
        raise ConfigError(f"unknown task {name!r}; known: {', '.join(sorted(TASKS))}")
    return TASKS[name]()
