"""Digests of the meaning of the code behind each kind of job.

A job depends on functions that it calls (followed by `runs.meaning`) and on entries of tables that
it finds at run time: its task, its method, its criterion, the handlers of tracing. These are the
roots.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from mirtrim.corpora import loaders, varied
from mirtrim.pruning.criteria import UNIT_CRITERIA, WEIGHT_CRITERIA
from mirtrim.pruning.methods import get_method
from mirtrim.pruning.settings import PruningSettings
from mirtrim.runs.jobs.altered import check_damage
from mirtrim.runs.meaning import Package
from mirtrim.tasks.augmented import augmented_kind
from mirtrim.tasks.flaws import check_flaws, flaws_of
from mirtrim.tasks.registry import get_task
from mirtrim.utils.provenance import PACKAGE

LENGTH = 16  # hexadecimal digits that are kept
NO_SETTINGS: Mapping[str, Any] = {}
# Settings of a training that depend on additional code. Their values are not code.
BRINGING_CODE = ("augmentation", "teacher", "label_noise", "rare_classes", "damage_weight")


@cache
def package() -> Package:
    """The sources of this library, read once."""
    return Package(PACKAGE)


def corpus_code(corpus: Mapping[str, Any]) -> str:
    """What renders or downloads a corpus of these settings."""
    return _digest(*_corpus(corpus))


def features_code(task: str, corpus: Mapping[str, Any]) -> str:
    """What turns a corpus into features of `task`."""
    return _digest(*_features(task, corpus))


def dense_code(
    task: str, corpus: Mapping[str, Any], training: Mapping[str, Any] = NO_SETTINGS
) -> str:
    """What trains and scores the dense network of `task`, its data included.

    Args:
        training: the task's settings of that name.
    """
    return _digest(*_dense(task, corpus, training))


def brought_in(training: Mapping[str, Any]) -> tuple[str, ...]:
    """Which settings of a training bring in code: those of two trainings of one task, and so their
    digests, are the same if these are."""
    return tuple(key for key in BRINGING_CODE if training.get(key))


def compress_code(
    task: str,
    corpus: Mapping[str, Any],
    settings: PruningSettings,
    reference: PruningSettings | None = None,
    training: Mapping[str, Any] = NO_SETTINGS,
) -> str:
    """The same of a run: the machinery, the method, the criterion, and all behind its data, its
    dense network and the run (`reference`) whose shape it copies."""
    runs = [settings] if reference is None else [settings, reference]
    taught = training.get("teacher") or hasattr(get_method(settings.method), "teacher")
    teaching = ["mirtrim.runs.jobs.altered.taught"] if taught else []
    if training.get("damage_weight"):
        check_damage(get_task(task))
        teaching.append("mirtrim.runs.jobs.altered.self_damaged")
    return _digest(
        *_dense(task, corpus, training),
        *teaching,
        "mirtrim.runs.jobs.compress.compress",
        "mirtrim.units.handlers.*",
        *(root for run in runs for root in _method(run)),
    )


def _method(settings: PruningSettings) -> list[str]:
    tables: tuple[Mapping[str, Any], ...] = (UNIT_CRITERIA, WEIGHT_CRITERIA)
    criteria = [_place(t[settings.criterion]) for t in tables if settings.criterion in t]
    return [_place(type(get_method(settings.method))), *criteria]


def _corpus(corpus: Mapping[str, Any]) -> tuple[str, ...]:
    if corpus["mode"] == "varied":
        own = f"{varied.__name__}.{corpus['loader']}"
        return "mirtrim.corpora.prepare.prepare", "mirtrim.corpora.prepare.open_prepared", own
    own = f"{loaders.__name__}.{corpus['loader']}.READER"
    other = "mirtrim.corpora.published.any_loader.reader"
    reader = own if corpus["loader"] in loaders.READERS else other
    return "mirtrim.corpora.prepare.prepare", "mirtrim.corpora.prepare.open_prepared", reader


def _features(task: str, corpus: Mapping[str, Any]) -> tuple[str, ...]:
    kind = _place(type(get_task(task)))
    return *_corpus(corpus), "mirtrim.runs.jobs.features.extract", kind


def _dense(task: str, corpus: Mapping[str, Any], training: Mapping[str, Any]) -> tuple[str, ...]:
    trained = "mirtrim.runs.jobs.dense.train_dense"
    setting = "mirtrim.runs.jobs.setting.open_setting"
    altered: list[str] = []
    if training.get("augmentation"):
        altered = [_place(augmented_kind(type(get_task(task))))]
    if flaws_of(training):
        check_flaws(get_task(task), training)
        # All of the module: what it registers for kinds of tasks, no name shows.
        altered += ["mirtrim.runs.jobs.altered.flawed", "mirtrim.tasks.flaws"]
    return *_features(task, corpus), trained, setting, *altered


def _place(thing: Any) -> str:
    """Full name of a class or function; of its module if it was made within a function."""
    name = thing.__qualname__
    return thing.__module__ if "<locals>" in name else f"{thing.__module__}.{name}"


def _digest(*roots: str) -> str:
    return package().digest(*roots)[:LENGTH]
