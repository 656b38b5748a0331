"""What the workflow knows before its first job: the checked configuration, runs, digests.

To find that out, every task and method is imported, and torch with them, which takes longer than
all the rest of a start. It depends on files alone, so it is kept and read again until one changes.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mirtrim.corpora.reader import SETTINGS_OF_MODE, without_folders
from mirtrim.runs.freshness import Expected, settings_digest, without_defaults
from mirtrim.runs.jobs.variants import name_of, variants_of
from mirtrim.utils.errors import ConfigError
from mirtrim.utils.files import sha256_of_file, sha256_of_value, write_text
from mirtrim.utils.provenance import PACKAGE, code_digest, versions

KEPT = 8  # plans of as many configurations and states of the code


@dataclass(frozen=True)
class Plan:
    """Plain values, which JSON can hold.

    Attributes:
        config: the configuration with its defaults.
        columns: name of every run → its settings as columns (`PruningSettings.columns`).
        runs: names of the main runs, in the order of the configuration.
        studies: names of the runs of each study, likewise.
        rounds: "onset <run>" → [round number, ratio] of every round.
        code: digests of the meaning of the code behind "corpus <name>", "features onset",
            "dense onset", "compress onset <run>".
        settings: digests of the settings of "corpus <name>", "features onset", "task onset",
            without values at their default.
        scripts: name of each script → digest of it and of what it imports from the library.
        notes: messages for users about parts of the configuration that are left out.
        variants: name of each variant of a task → "study" (all studies that have it), "task",
            "values" (dimension → level), "block" (its settings), and "rows": the task or variant
            of the same settings whose rows are its own, itself or an earlier one.
    """

    config: dict[str, Any]
    columns: dict[str, dict[str, Any]]
    runs: list[str]
    studies: dict[str, list[str]]
    rounds: dict[str, list[list[float]]]
    code: dict[str, str]
    settings: dict[str, str]
    scripts: dict[str, str]
    notes: list[str]
    variants: dict[str, dict[str, Any]] = field(default_factory=dict)

    def expected(self) -> dict[str, dict[str, Expected]]:
        """Task → run → what its rows have to be."""
        found: dict[str, dict[str, Expected]] = {}
        for task in [*self.config["tasks"], *self.variants]:
            ratios = {run: self.rounds[f"{task} {run}"] for run in self.columns}
            jobs = {"dense": (f"dense {task}", (1.0,))} | {
                run: (f"compress {task} {run}", tuple(float(ratio) for _, ratio in rounds))
                for run, rounds in ratios.items()
            }
            found[task] = {
                run: Expected(
                    self.code[of],
                    self.settings[f"task {task}"],
                    asked,
                    f"code {of}",
                    f"settings task {task}",
                )
                for run, (of, asked) in jobs.items()
            }
        return found


def make_plan(config: Mapping[str, Any], schema: Path, scripts: Sequence[Path]) -> Plan:
    """Check a configuration and find out what its jobs depend on.

    Args:
        config: as it was read; stays as it is.
        scripts: the scripts of all jobs; `job.py` among them is imported by all others.

    Raises:
        ConfigError: names the key, what is wrong with it, and what is allowed.
    """
    from mirtrim.pruning.methods import settings_of
    from mirtrim.runs import code as codes
    from mirtrim.runs.config import load_schema, validate, validate_variant

    notes: list[str] = []
    checked = validate(json.loads(json.dumps(config)), schema, notes)
    blocks = [*checked["runs"], *(r for b in checked["studies"].values() for r in b["runs"])]
    runs = {settings_of(run).name: run for run in blocks}
    settings = {name: settings_of(run) for name, run in runs.items()}
    variants = _variants(checked, load_schema(schema), validate_variant)
    blocks_of = checked["tasks"] | {name: found["block"] for name, found in variants.items()}
    code = {f"corpus {name}": codes.corpus_code(one) for name, one in checked["corpora"].items()}
    rounds = {}
    # Task and what its training brings in → the first one of that code, which is found out once.
    firsts: dict[tuple[str, tuple[str, ...]], str] = {}
    for task, block in blocks_of.items():
        of = variants[task]["task"] if task in variants else task
        corpus, training = checked["corpora"][block["corpus"]], block["training"]
        first = firsts.setdefault((of, codes.brought_in(training)), task)
        if task not in variants:
            code[f"features {task}"] = codes.features_code(task, corpus)
        if first == task:
            code[f"dense {task}"] = codes.dense_code(of, corpus, training)
        code[f"dense {task}"] = code[f"dense {first}"]
        for name, run in runs.items():
            if first == task:
                code[f"compress {task} {name}"] = codes.compress_code(
                    of, corpus, settings[name], settings.get(run["reference"]), training
                )
            code[f"compress {task} {name}"] = code[f"compress {first} {name}"]
            rounds[f"{task} {name}"] = _rounds(block["ratios"], run["ratios"])
    shared = [str(path) for path in scripts if path.name == "job.py"]
    return Plan(
        checked,
        {name: one.columns for name, one in settings.items()},
        [settings_of(run).name for run in checked["runs"]],
        {
            study: [settings_of(run).name for run in block["runs"]]
            for study, block in checked["studies"].items()
        },
        rounds,
        code,
        _with_rows(variants, _settings(checked, variants, load_schema(schema)), blocks_of),
        {path.name: code_digest(*shared, str(path)) for path in scripts if path.name != "job.py"},
        notes,
        variants,
    )


def _variants(
    config: Mapping[str, Any], schema: Mapping[str, Any], validate_variant: Callable[..., None]
) -> dict[str, dict[str, Any]]:
    """The variants of all studies by name, checked."""
    found: dict[str, dict[str, Any]] = {}
    for study, task, values, block in variants_of(config):
        name = name_of(task, values)
        validate_variant(config, schema, task, block, name)
        if name in found and found[name]["block"] != block:
            raise ConfigError(
                f"config key studies.{study}.variants.{task}: {name} has other settings in study "
                f"{found[name]['study'][0]}"
            )
        new = {"study": [], "task": task, "values": values, "block": block, "rows": name}
        found.setdefault(name, new)["study"].append(study)
    return found


def _with_rows(
    variants: dict[str, dict[str, Any]],
    settings: dict[str, str],
    blocks: Mapping[str, Mapping[str, Any]],
) -> dict[str, str]:
    """Find whose rows are those of each variant; returns the settings."""
    seen: dict[tuple[str, str, str], str] = {}
    for name, block in blocks.items():
        task = variants[name]["task"] if name in variants else name
        first = seen.setdefault((task, settings[f"task {name}"], str(block["ratios"])), name)
        if name in variants:
            variants[name]["rows"] = first
    return settings


def _rounds(ratios: Sequence[float], wanted: Sequence[float] | None) -> list[list[float]]:
    """The run's ratios at their places among the task's, from 1."""
    chosen = wanted or ratios
    return [[number, ratio] for number, ratio in enumerate(ratios, start=1) if ratio in chosen]


def _settings(
    config: Mapping[str, Any],
    variants: Mapping[str, Mapping[str, Any]],
    schema: Mapping[str, Any],
) -> dict[str, str]:
    """Digests of the settings that decide corpora, features and networks."""
    corpora = {}
    for name, block in config["corpora"].items():
        used = without_folders({key: block[key] for key in SETTINGS_OF_MODE[block["mode"]]})
        lean = without_defaults(used, schema["$defs"]["corpus"])
        corpora[name] = {"loader": block["loader"], "mode": block["mode"], **lean}
    found = {f"corpus {name}": settings_digest(block) for name, block in corpora.items()}
    blocks = {task: (task, block) for task, block in config["tasks"].items()}
    blocks |= {name: (variant["task"], variant["block"]) for name, variant in variants.items()}
    for task, (of, block) in blocks.items():
        lean = without_defaults(block, schema["properties"]["tasks"]["properties"][of])
        corpus = corpora[block["corpus"]]
        if of == task:  # variants share them
            found[f"features {task}"] = settings_digest([corpus, lean["features"]])
        # A network depends on everything but which ratios there are.
        lean.pop("ratios", None)
        found[f"task {task}"] = settings_digest([corpus, lean])
    return found


def cached_plan(
    config: Mapping[str, Any], schema: Path, scripts: Sequence[Path], folder: Path
) -> Plan:
    """The same, read from `folder` if nothing that it depends on has changed."""
    files = [
        *(
            (str(path.relative_to(PACKAGE)), sha256_of_file(path))
            for path in sorted(PACKAGE.rglob("*.py"))
        ),
        *((path.name, sha256_of_file(path)) for path in [*sorted(scripts), schema]),
    ]
    kept = folder / f"{sha256_of_value([config, files, versions()])}.json"
    # A kept plan or its folder may have any defect: the plan can be made again.
    with suppress(OSError, ValueError, TypeError):
        return Plan(**json.loads(kept.read_text(encoding="utf-8")))
    plan = make_plan(config, schema, scripts)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(kept, json.dumps(asdict(plan)))
        for old in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink()
    return plan
