"""What blocks of a configuration say of each other: names that must exist, and names that are free.

A schema sees one block at a time; these checks see several. Each raises `ConfigError`, which names
the key, or leaves out what a profile inherits and has no use for.
"""

from collections.abc import Mapping
from typing import Any

from mirtrim.pruning.methods import METHODS, settings_of
from mirtrim.pruning.settings import DENSE
from mirtrim.runs.config_variants import check_main_runs, check_told
from mirtrim.runs.jobs.variants import name_of, variants_of
from mirtrim.tasks.registry import TASKS
from mirtrim.utils.errors import ConfigError

# Rules of the workflow, whose names no study can have, and how those begin that it makes by name.
RULES = (
    "all", "barrier", "baseline", "baselines", "collect", "compress", "conclusions", "connectivity",
    "cost", "cost_tables", "costs", "data", "dense", "directions", "features", "figures",
    "figures_of_all", "inspection", "inspections", "latency", "learning", "learning_curve", "merge",
    "merging", "microcontroller", "models", "overview", "page", "recordings", "report", "rows",
    "singular", "tables", "task_results",
)  # fmt: skip
PREFIXES = ("corpus_", "models_", "recordings_")


def check_references(config: dict[str, Any], notes: list[str]) -> None:
    """Corpora of tasks, runs, studies, recordings, and what is measured on finished networks.

    Args:
        notes: gets a line for everything that is left out.
    """
    for task, block in config["tasks"].items():
        if block["corpus"] not in config["corpora"]:
            known = ", ".join(sorted(config["corpora"]))
            raise ConfigError(
                f"config key tasks.{task}.corpus: no corpus {block['corpus']!r}; known: {known}"
            )
    _check_runs(config["runs"], "runs")
    before: list[str] = []
    for index, run in enumerate(config["runs"]):
        if run["reference"] not in ("-", *before):
            raise ConfigError(
                f"config key runs.{index}.reference: no run {run['reference']!r} before this one; "
                f"known: {', '.join(before) or 'none'}"
            )
        before.append(settings_of(run).name)
        if not any(_has_ratios(config, run, task) for task in config["tasks"]):
            raise ConfigError(f"config key runs.{index}.ratios: {_no_ratio(config)}")
    _check_studies(config, notes)
    _check_contrasts(config)
    _check_named_runs(config, notes)
    _check_recordings(config["recordings"]["sets"])
    _check_measured(config, notes)


def _has_ratios(config: Mapping[str, Any], run: Mapping[str, Any], task: str) -> bool:
    """Whether a task has any of the ratios of a run."""
    return run["ratios"] is None or bool(set(run["ratios"]) & set(config["tasks"][task]["ratios"]))


def _no_ratio(config: Mapping[str, Any]) -> str:
    ratios = sorted({ratio for block in config["tasks"].values() for ratio in block["ratios"]})
    return f"no task has any of them; there are {', '.join(f'{ratio:g}' for ratio in ratios)}"


def _check_studies(config: dict[str, Any], notes: list[str]) -> None:
    """Their names are free, their tasks exist, and one name means one run in all of them.

    Leaves out what the profile has not: tasks, tasks without any ratio of the study, runs that
    are among the main ones, runs without a ratio on any task, and studies without anything.
    """
    main = {settings_of(run).name for run in config["runs"]}
    known: dict[str, tuple[str, dict[str, Any]]] = {}
    for name, study in config["studies"].items():
        where = f"studies.{name}"
        if name in (*RULES, *TASKS) or name.startswith(PREFIXES):
            raise ConfigError(f"config key {where}: is the name of a target already; rename it")
        for task in study["tasks"]:
            if task not in TASKS:
                raise ConfigError(f"config key {where}.tasks: unknown task {task!r}")
        if study["seeds"] is None:
            study["seeds"] = config["seeds"]
        for task in study["variants"]:
            if task not in study["tasks"]:
                raise ConfigError(
                    f"config key {where}.variants.{task}: is not one of its tasks; known: "
                    f"{', '.join(study['tasks'])}"
                )
        _check_runs(study["runs"], f"{where}.runs")
        check_main_runs(study, main, f"config key {where}.main_runs")
        _narrow(config, study, where, main, notes)
        for run in study["runs"]:
            label = settings_of(run).name
            before, other = known.get(label, (name, run))
            if other != run:
                # Inherited entries come before the profile's own, which override them.
                earlier = config["studies"][before]
                earlier["runs"] = [one for one in earlier["runs"] if settings_of(one).name != label]
                notes.append(f"studies.{before}: run {label} is left out, {where} has other ratios")
            known[label] = (name, run)
    empty = [name for name, study in config["studies"].items() if not study["tasks"]]
    for name in empty:
        del config["studies"][name]


def _narrow(
    config: Mapping[str, Any], study: dict[str, Any], where: str, main: set[str], notes: list[str]
) -> None:
    """Leave out of a study what the profile has not."""
    names = [settings_of(run).name for run in study["runs"]]
    here = [task for task in study["tasks"] if task in config["tasks"]]
    runs: list[dict[str, Any]] = []
    for name, run in zip(names, study["runs"], strict=True):
        if name in main:
            continue  # is trained already, and stands in every study
        if run["reference"] not in ("-", *main, *(settings_of(other).name for other in runs)):
            notes.append(f"{where}: run {name} is left out, its reference is not an earlier run")
        elif any(_has_ratios(config, run, task) for task in here):
            runs.append(run)
        elif here:
            notes.append(f"{where}: run {name} is left out, no task has any of its ratios")
    tasks = [task for task in here if set(study["ratios"]) & set(config["tasks"][task]["ratios"])]
    if study["variants"]:
        tasks = [task for task in tasks if task in study["variants"]]
    if not runs and not main.issuperset(names):
        tasks = []
    if not tasks:
        notes.append(f"{where}: is left out, the profile has nothing for it")
    study["runs"], study["tasks"] = runs, tasks


def _check_named_runs(config: Mapping[str, Any], notes: list[str]) -> None:
    """Runs under costs, boards and models must be runs of the profile; others are left out."""
    for key in ("seeds", "board_seeds"):
        if config["costs"][key] is None:
            config["costs"][key] = config["seeds"]
    known = _names_of_runs(config)
    for key in ("costs.runs", "costs.board_runs", "models.runs", "inspected.runs"):
        block, _, name = key.partition(".")
        config[block][name] = _known_runs(config[block][name], known, key, notes)


def _names_of_runs(config: Mapping[str, Any]) -> list[str]:
    """Names of the runs of a profile, its studies' included."""
    studied = (run for block in config["studies"].values() for run in block["runs"])
    return list(dict.fromkeys(settings_of(run).name for run in [*config["runs"], *studied]))


def _known_runs(
    names: list[str], known: list[str], where: str, notes: list[str] | None = None
) -> list[str]:
    """Those of the named runs that the profile has.

    Args:
        notes: gets a line for each of the others; None makes them an error.
    """
    for run in [run for run in names if run not in known]:
        if notes is None or not any(run.startswith(method) for method in METHODS):
            raise ConfigError(
                f"config key {where}: no run {run!r}; known: {', '.join(known) or 'none'}"
            )
        notes.append(f"{where}: {run} is left out, the profile has no such run")
    return [run for run in names if run in known]


def _check_contrasts(config: Mapping[str, Any]) -> None:
    """Contrasts need runs of the profile and, like `told`, a study that varies tasks."""
    known = [DENSE.method, *_names_of_runs(config)]
    for name, study in config["studies"].items():
        where = f"studies.{name}.contrasts"
        if study["contrasts"] and not study["variants"]:
            raise ConfigError(f"config key {where}: is for studies with variants; leave it out")
        check_told(study, f"config key studies.{name}.told")
        for pair in study["contrasts"]:
            _known_runs(pair, known, where)


def _check_measured(config: dict[str, Any], notes: list[str]) -> None:
    """Analyses of trained networks must name tasks, runs and ratios of the profile."""
    inspected = config["inspected"]
    wanted = list(config["tasks"]) if inspected["tasks"] is None else inspected["tasks"]
    inspected["tasks"] = _known_tasks(config["tasks"], wanted, "inspected.tasks", notes)
    blocks: dict[tuple[str, str], dict[str, Any]] = {}
    # Trunks of variants are merged as those of tasks are.
    trained = config["tasks"] | {
        name_of(task, values): block for _, task, values, block in variants_of(config)
    }
    for key in ("connectivity", "merging", "singular"):
        known = trained if key == "merging" else config["tasks"]
        there = _known_tasks(known, list(config[key]), key, notes)
        config[key] = {task: config[key][task] for task in there}
        if key == "merging":
            _check_merging(config, trained, notes)
        blocks |= {(key, task): block for task, block in config[key].items()}
    for block in (inspected, *blocks.values()):
        if block["seeds"] is None:
            block["seeds"] = config["seeds"]
    runs = _names_of_runs(config)
    for (key, task), block in blocks.items():
        where = f"{key}.{task}"
        known = runs if key == "merging" else [DENSE.method, *runs]
        block["runs"] = _known_runs(block["runs"], known, f"{where}.runs", notes)
        ratios = trained[task]["ratios"]
        if odd := [ratio for ratio in block["ratios"] if ratio not in ratios]:
            has = ", ".join(f"{ratio:g}" for ratio in ratios)
            raise ConfigError(
                f"config key {where}.ratios: {odd[0]:g} is not a ratio of the task; it has {has}"
            )


def _check_merging(config: dict[str, Any], trained: Mapping[str, Any], notes: list[str]) -> None:
    """Both tasks exist, are different, and can share a trunk: it has the same features.

    Leaves out pairs with a task that the profile has not.
    """
    merging, config["merging"] = config["merging"], {}
    for task in merging:
        other, where = merging[task]["other"], f"merging.{task}.other"
        if not _known_tasks(trained, [other], where, notes):
            continue
        blocks = [trained[name] for name in (task, other)]
        features = [block["features"] for block in blocks]
        differ = sorted(
            key
            for key in features[0].keys() | features[1].keys()
            if features[0].get(key) != features[1].get(key)
        )
        if blocks[0]["corpus"] != blocks[1]["corpus"]:
            differ.append("corpus")
        if other == task:
            raise ConfigError(f"config key {where}: is the task itself; name another")
        if differ:
            raise ConfigError(
                f"config key {where}: {other} has other settings ({', '.join(differ)}); two tasks "
                "can share a trunk only if their features are equal"
            )
        config["merging"][task] = merging[task]


def _known_tasks(
    there: Mapping[str, Any], wanted: list[str], where: str, notes: list[str]
) -> list[str]:
    """Those of the tasks that are among `there`; a name of no task is an error."""
    for task in [task for task in wanted if task not in there]:
        if task not in TASKS:
            raise ConfigError(f"config key {where}: unknown task {task!r}")
        notes.append(f"{where}: {task} is left out, the profile has no such task")
    return [task for task in wanted if task in there]


def _check_runs(runs: list[dict[str, Any]], key: str) -> None:
    """Methods, criteria and hyper-parameters exist, and names differ."""
    names: set[str] = set()
    for index, run in enumerate(runs):
        where = f"config key {key}.{index}"
        try:
            name = settings_of(run).name
        except ConfigError as error:
            raise ConfigError(f"{where}.{error}") from error
        if name in names:
            raise ConfigError(f"{where}: run {name} occurs twice")
        names.add(name)


def _check_recordings(sets: list[dict[str, Any]]) -> None:
    """Names differ, tasks support listening, and the location of the recordings is given."""
    names: set[str] = set()
    for index, block in enumerate(sets):
        where = f"config key recordings.sets.{index}"
        if block["name"] in names:
            raise ConfigError(f"{where}.name: {block['name']} occurs twice")
        names.add(block["name"])
        known = [name for name, task in TASKS.items() if task.hearing is not None]
        if block["task"] not in known:
            raise ConfigError(
                f"{where}.task: {block['task']!r} does not support listening; known: "
                f"{', '.join(sorted(known))}"
            )
        if block["folder"] is None and block["loader"] is None:
            raise ConfigError(f"{where}: set folder or loader")
