"""The sample that two commits are compared on: training it, and comparing what came out."""

import copy
import csv
import os
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from mirtrim.utils.errors import ArtefactError, ConfigError
from mirtrim.utils.files import sha256_of_file

SAMPLE = Path("config/proof.yaml")
# The whole sample, and a part of it in reduced precision.
PROFILES = ("proof", "proof_bfloat16")
IN_BFLOAT16 = [{"method": "mask"}, {"method": "trim"}]
# What differs between two trainings with the same bits, or is what the proof is about.
NOT_COMPARED = {
    "train_seconds", "total_train_seconds", "code_digest", "config_digest", "versions", "machine",
}  # fmt: skip
# Setting or column → what version 0.1 called it.
IN_0_1 = {
    "budget": "counted",
    "minimum_units": "floor",
    "target_ratio": "ratio_asked",
    "equivalence_difference": "law_difference",
}
OF_0_1 = {old: new for new, old in IN_0_1.items()}


def environment(home: Path) -> dict[str, str]:
    """Variables with which Python finds the library of a checkout."""
    return {**os.environ, "PYTHONPATH": str(home / "src")}


def known_to(home: Path) -> set[str]:
    """The methods and criteria that the code of a checkout in `home` knows.

    Raises:
        ConfigError: that code does not say.
    """
    program = (
        "from mirtrim.pruning.criteria import UNIT_CRITERIA, WEIGHT_CRITERIA\n"
        "from mirtrim.pruning.methods import METHODS\n"
        "print(*METHODS, *UNIT_CRITERIA, *WEIGHT_CRITERIA)"
    )
    return set(printed(home, program, "methods").split())


def printed(home: Path, program: str, what: str) -> str:
    """What a Python program prints that is run in a checkout, with the library there.

    Raises:
        ConfigError: it fails; says `what` is missing and why.
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=home, env=environment(home), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise ConfigError(f"{home}: no {what}: {_error_in(done.stderr)}")
    return done.stdout


def _error_in(text: str) -> str:
    """The last error of a traceback in one line, all of its message, and where it was raised."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    starts = [n for n, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exit|NotRun)\b", line)]
    start = starts[-1] if starts else 0
    places = [line for line in lines[:start] if line.startswith("File ")]
    where = f" ({places[-1]})" if places else ""
    return (" ".join(lines[start:]) or "it says nothing") + where


def with_known(config: dict[str, Any], known: Collection[str]) -> dict[str, Any]:
    """A configuration without runs of other methods and criteria: new ones cannot be compared."""
    for block in [config, *(config["studies"] or {}).values()]:
        block["runs"] = [
            run
            for run in block.get("runs", ())
            if {run["method"], run.get("criterion", run["method"])} <= set(known)
        ]
    return config


def in_words_of(home: Path, config: dict[str, Any]) -> dict[str, Any]:
    """A configuration in the words of a checkout: the rooms of version 0.1 had other ones."""
    if (home / "src/mirtrim/runs/rows.py").is_file():
        return config
    for block in [config, *(config["studies"] or {}).values()]:
        block["runs"] = [
            {IN_0_1.get(key, key): value for key, value in run.items()}
            for run in block.get("runs", ())
        ]
    return config


def _name(text: str) -> str:
    """A name that contains a run's name, in present terms."""
    for old in ("counted", "floor"):
        text = text.replace(f"_{old}_", f"_{OF_0_1[old]}_")
    return text


def train(home: Path, sample: Path, known: Collection[str]) -> None:
    """Train the sample's runs of what is known with the code of a checkout in `home`, on one core.

    Raises:
        ConfigError: that code does not know or cannot train it.
    """
    for config in variants(yaml.safe_load(sample.read_text(encoding="utf-8"))):
        path = home / f"{config['profile']}.yaml"
        lean = in_words_of(home, with_known(config, known))
        path.write_text(yaml.safe_dump(lean, sort_keys=False), encoding="utf-8")
        command = [sys.executable, "-m", "snakemake", "all", *(config["studies"] or ())]
        done = subprocess.run(
            [*command, "--cores", "1", "--configfile", str(path)],
            cwd=home, env=environment(home), capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
            raise ConfigError(f"{home}: the sample cannot be trained: {' '.join(last)}")


def variants(sample: dict[str, Any]) -> list[dict[str, Any]]:
    """The configurations of `PROFILES`."""
    reduced = copy.deepcopy(sample)
    reduced |= {"profile": PROFILES[1], "runs": IN_BFLOAT16, "studies": None}
    for task in reduced["tasks"].values():
        task["training"]["precision"] = "bfloat16"
    return [sample, reduced]


def compare(old: Path, new: Path) -> str:
    """Compare what two checkouts have trained; returns a description of what was compared.

    Raises:
        ArtefactError: names the first file, line and column that differ.
    """
    features = _same_files(old, new, "data/features", "*.npy")
    networks = rows = pieces = 0
    for profile in PROFILES:
        networks += _same_files(old, new, f"results/{profile}/networks", "*.safetensors")
        rows += _same_tables(old, new, profile, "rows")
        pieces += _same_tables(old, new, profile, "pieces")
    return (
        f"{networks} files of networks, {rows} rows, {pieces} scores of pieces, "
        f"{features} arrays of features"
    )


def _same_files(old: Path, new: Path, folder: str, pattern: str) -> int:
    # Names of feature folders hold a digest of settings, which the commits may compute apart.
    found = []
    for home in (old, new):
        base = home / folder
        paths = {_name(_bare(path.relative_to(base))): path for path in base.rglob(pattern)}
        found.append({name: sha256_of_file(path) for name, path in paths.items()})
    if found[0].keys() != found[1].keys() or not found[0]:
        odd = sorted(found[0].keys() ^ found[1].keys())
        raise ArtefactError(f"{folder}: {odd[0] if odd else 'nothing'} is with one commit only")
    for name, digest in found[0].items():
        if found[1][name] != digest:
            raise ArtefactError(f"{folder}/{name} differs")
    return len(found[0])


def _bare(path: Path) -> str:
    """A path without the digest at the end of its first folder."""
    first, *rest = path.parts
    name, _, digest = first.rpartition("-")
    known = bool(name) and all(letter in "0123456789abcdef" for letter in digest)
    return "/".join([name if known else first, *rest])


def _same_tables(old: Path, new: Path, profile: str, kind: str) -> int:
    found = [_tables(home / "results" / profile, kind) for home in (old, new)]
    if found[0].keys() != found[1].keys() or not found[0]:
        odd = sorted(found[0].keys() ^ found[1].keys())
        what = odd[0] if odd else "nothing"
        raise ArtefactError(f"{profile}, {kind}: {what} is with one commit only")
    count = 0
    for job, lines in found[0].items():
        others = found[1][job]
        if len(lines) != len(others):
            counts = f"{len(lines)} lines, and {len(others)}"
            raise ArtefactError(f"{profile}, {kind} of {job}: {counts}")
        for number, (line, other) in enumerate(zip(lines, others, strict=True), start=1):
            for column in (line.keys() & other.keys()) - NOT_COMPARED:
                if line[column] != other[column]:
                    raise ArtefactError(
                        f"{profile}, {kind} of {job}, line {number}, {column}: {line[column]} and "
                        f"{other[column]}"
                    )
            count += 1
    return count


def _tables(results: Path, kind: str) -> dict[str, list[dict[str, str]]]:
    """The lines of every job."""
    found = {}
    for path in sorted((results / "jobs" / kind).rglob("*_seed*.csv")):
        with open(path, encoding="utf-8", newline="") as stream:
            found[_name(f"{path.parent.name} {path.stem}")] = [
                {OF_0_1.get(column, column): cell for column, cell in line.items()}
                for line in csv.DictReader(stream)
            ]
    return found
