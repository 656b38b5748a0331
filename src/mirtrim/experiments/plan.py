"""What the workflow knows before its first job: the checked configuration, runs, digests of code.

To find that out, every task and method is imported, and torch with them, which takes longer than
all the rest of a start. It depends on files alone, so it is kept and read again until one changes.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mirtrim.files import sha256_of_file, sha256_of_value, write_text
from mirtrim.provenance import PACKAGE, code_digest, versions

KEPT = 8  # plans of as many configurations and states of the code


@dataclass(frozen=True)
class Plan:
    """Plain values, which JSON can hold.

    Attributes:
        config: the configuration with its defaults.
        choices: name of every run → its choices (`pruning.methods.Choices`).
        runs: names of the main runs, in the order of the configuration.
        studies: names of the runs of each study, likewise.
        code: digests of the code behind "corpus", "features onset", "dense onset",
            "compress onset <run>".
        scripts: name of each script → digest of it and of what it imports from the library.
    """

    config: dict[str, Any]
    choices: dict[str, dict[str, Any]]
    runs: list[str]
    studies: dict[str, list[str]]
    code: dict[str, str]
    scripts: dict[str, str]


def make_plan(config: Mapping[str, Any], schema: Path, scripts: Sequence[Path]) -> Plan:
    """Check a configuration and find out what its jobs depend on.

    Args:
        config: as it was read; stays as it is.
        scripts: the scripts of all jobs; `job.py` among them is imported by all others.

    Raises:
        ConfigError: names the key, what is wrong with it, and what is allowed.
    """
    from mirtrim.config import validate
    from mirtrim.experiments.code import compress_code, corpus_code, dense_code, features_code
    from mirtrim.pruning.methods import choices_of, name_of

    checked = validate(json.loads(json.dumps(config)), schema)
    of_runs = {name_of(chosen): chosen for chosen in map(choices_of, _runs(checked))}
    code = {"corpus": corpus_code()}
    for task in checked["tasks"]:
        code[f"features {task}"] = features_code(task)
        code[f"dense {task}"] = dense_code(task)
        for name, chosen in of_runs.items():
            code[f"compress {task} {name}"] = compress_code(task, chosen)
    shared = [str(path) for path in scripts if path.name == "job.py"]
    return Plan(
        checked,
        {name: asdict(chosen) for name, chosen in of_runs.items()},
        [name_of(choices_of(run)) for run in checked["runs"]],
        {
            study: [name_of(choices_of(run)) for run in block["runs"]]
            for study, block in checked["studies"].items()
        },
        code,
        {path.name: code_digest(*shared, str(path)) for path in scripts if path.name != "job.py"},
    )


def _runs(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*config["runs"], *(run for b in config["studies"].values() for run in b["runs"])]


def _sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def cached_plan(
    config: Mapping[str, Any], schema: Path, scripts: Sequence[Path], folder: Path
) -> Plan:
    """The same, read from `folder` if nothing that it depends on has changed."""
    files = [
        *((str(path.relative_to(PACKAGE)), sha256_of_file(path)) for path in _sources()),
        *((path.name, sha256_of_file(path)) for path in [*sorted(scripts), schema]),
    ]
    kept = folder / f"{sha256_of_value([config, files, versions()])}.json"
    # Whatever is wrong with a kept plan or with its folder: there is another way.
    with suppress(OSError, ValueError, TypeError):
        return Plan(**json.loads(kept.read_text(encoding="utf-8")))
    plan = make_plan(config, schema, scripts)
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_text(kept, json.dumps(asdict(plan)))
        for old in sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)[:-KEPT]:
            old.unlink()
    return plan
