"""Prove that two commits compute the same bits, and note it for the committed results.

    python -m mirtrim.runs.equivalence OLD [NEW]

A digest of meaning sees changes that change no number: a rename, a split, another order of
definitions. Then every row that rests on the changed code looks stale. This command trains a
sample with both commits on this machine: every task; on each a dense network, a mask, a trim, a
feedback and a control; on one task every method and every criterion. It compares rows, scores of
pieces, features and networks bit for bit. Only if all are equal does it note, in
`results/<profile>/equivalences.json` of every profile with results, which digest of NEW stands for
which of OLD. Rows are not touched: they go on telling the commit whose code really made them.
"""

import argparse
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from mirtrim import provenance
from mirtrim.errors import ArtefactError, ConfigError, MirtrimError
from mirtrim.files import read_json, sha256_of_file, write_json
from mirtrim.runs.freshness import LEDGER

SAMPLE = Path("config/proof.yaml")
PROFILE = "proof"
# What differs between two trainings with the same bits, or is what the proof is about.
NOT_COMPARED = {
    "train_seconds",
    "total_train_seconds",
    "code_digest",
    "config_digest",
    "versions",
    "machine",
}


def prove(root: Path, old: str, new: str, keep: Path | None = None) -> str:
    """Train the sample with both commits, compare, and write the proofs; returns what to say.

    Args:
        root: the checkout that the proofs are written into.
        old, new: commits, in Git's words.
        keep: folder for both samples, so that they can be looked at; None for a temporary one.

    Raises:
        ArtefactError: something differs; names it. Nothing is written.
        ConfigError: a commit is unknown, or the sample cannot be trained with it.
    """
    commits = [_commit(root, name) for name in (old, new)]
    with _folder(keep) as folder:
        homes = [folder / name for name in ("old", "new")]
        for commit, home in zip(commits, homes, strict=True):
            with _checkout(root, commit, home):
                _train(home, root / SAMPLE)
        compared = compare(*homes)
        digests = [digests_of(home) for home in homes]
    profiles = write_proofs(root, commits, digests, compared)
    return f"{compared}: equal, bit for bit; noted for {', '.join(profiles) or 'no profile'}"


def _commit(root: Path, name: str) -> str:
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"],
        cwd=root, capture_output=True, text=True,
    )  # fmt: skip
    if found.returncode:
        raise ConfigError(f"{name}: no such commit")
    return found.stdout.strip()


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@contextmanager
def _checkout(root: Path, commit: str, home: Path) -> Iterator[None]:
    """The files of a commit in `home`."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", commit], cwd=root, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(home)], input=archive, check=True)
    yield


def environment(home: Path) -> dict[str, str]:
    """Variables with which Python finds the library of a checkout."""
    return {**os.environ, "PYTHONPATH": str(home / "src")}


def _train(home: Path, sample: Path) -> None:
    """Train the sample with the code of a checkout, on one core."""
    config = yaml.safe_load(sample.read_text(encoding="utf-8"))
    default = yaml.safe_load((home / "config/default.yaml").read_text(encoding="utf-8"))
    # Older commits silence inherited studies one by one.
    inherited = dict.fromkeys(set(default["studies"]) - set(config["studies"]))
    config["studies"] = {**inherited, **config["studies"]}
    path = home / "proof.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    targets = ["all", *(name for name, block in config["studies"].items() if block)]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *targets, "--cores", "1", "--configfile", str(path)],
        cwd=home, env=environment(home), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise ConfigError(f"{home}: the sample cannot be trained: {' '.join(last)}")


def compare(old: Path, new: Path) -> str:
    """Compare what two checkouts have trained; returns what was compared, in words.

    Raises:
        ArtefactError: names the first file, line and column that differ.
    """
    networks = _same_files(old, new, f"results/{PROFILE}/networks", "*.safetensors")
    features = _same_files(old, new, "data/features", "*.npy")
    rows = _same_tables(old, new, "rows")
    pieces = _same_tables(old, new, "pieces")
    return (
        f"{networks} files of networks, {rows} rows, {pieces} scores of pieces, "
        f"{features} arrays of features"
    )


def _same_files(old: Path, new: Path, folder: str, pattern: str) -> int:
    # Names of feature folders hold a digest of settings, which the commits may compute apart.
    found = []
    for home in (old, new):
        base = home / folder
        paths = {_bare(path.relative_to(base)): path for path in base.rglob(pattern)}
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


def _same_tables(old: Path, new: Path, kind: str) -> int:
    found = [_tables(home, kind) for home in (old, new)]
    if found[0].keys() != found[1].keys() or not found[0]:
        odd = sorted(found[0].keys() ^ found[1].keys())
        raise ArtefactError(f"{kind}: {odd[0] if odd else 'nothing'} is with one commit only")
    count = 0
    for job, lines in found[0].items():
        others = found[1][job]
        if len(lines) != len(others):
            raise ArtefactError(f"{kind} of {job}: {len(lines)} lines, and {len(others)}")
        for number, (line, other) in enumerate(zip(lines, others, strict=True), start=1):
            for column in (line.keys() & other.keys()) - NOT_COMPARED:
                if line[column] != other[column]:
                    raise ArtefactError(
                        f"{kind} of {job}, line {number}, {column}: {line[column]} and "
                        f"{other[column]}"
                    )
            count += 1
    return count


def _tables(home: Path, kind: str) -> dict[str, list[dict[str, str]]]:
    """The lines of every job, whatever the layout of that commit."""
    results = home / "results" / PROFILE
    base = results / "jobs" / kind
    base = base if base.is_dir() else results / kind
    found = {}
    for path in sorted(base.rglob("*_seed*.csv")):
        with open(path, encoding="utf-8", newline="") as stream:
            found[f"{path.parent.name} {path.stem}"] = list(csv.DictReader(stream))
    return found


# Run with the code of a checkout, in its folder: prints the digests of every profile that has
# results. The second half is for commits before version 0.2, where a digest was one of files.
DIGESTS = """
import hashlib, json, sys
from pathlib import Path
import yaml

def merged(base, over):
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = merged(base[key], value) if both else value
    return base

found = {}
for path in sorted(Path("config").glob("*.yaml")):
    config = yaml.safe_load(path.read_text())
    if not isinstance(config, dict) or config.get("profile") in (None, "proof"):
        continue
    if not Path("results", config["profile"]).is_dir():
        continue
    default = yaml.safe_load(Path("config/default.yaml").read_text())
    config = merged(default, config) if path.name != "default.yaml" else config
    scripts = sorted(Path("workflow/scripts").glob("*.py"))
    from mirtrim.experiments.plan import make_plan
    plan = make_plan(config, Path("workflow/schemas/config.schema.yaml"), scripts)
    if hasattr(plan, "settings"):
        found[config["profile"]] = {"code": plan.code, "settings": plan.settings}
        continue
    from mirtrim.files import sha256_of_value
    settings = {}
    for task, block in plan.config["tasks"].items():
        used = {key: value for key, value in block.items() if key != "ratios"}
        settings[f"task {task}"] = sha256_of_value({"corpus": used["corpus"], **used})[:16]
    code = {key: value[:16] for key, value in plan.code.items()}
    found[config["profile"]] = {"code": code, "settings": settings}
print(json.dumps(found))
"""


def digests_of(home: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Profile → "code" and "settings" → what it is of → digest, by the code of a checkout.

    Raises:
        ConfigError: that code does not say.
    """
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        cwd=home, env=environment(home), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise ConfigError(f"{home}: no digests: {done.stderr.strip().splitlines()[-1]}")
    found: dict[str, dict[str, dict[str, str]]] = json.loads(done.stdout.splitlines()[-1])
    return found


def write_proofs(
    root: Path,
    commits: Sequence[str],
    digests: Sequence[Mapping[str, Mapping[str, Mapping[str, str]]]],
    compared: str,
) -> list[str]:
    """Add a proof to the ledger of every profile whose digests differ; returns their names."""
    sample = hashlib.sha256((root / SAMPLE).read_bytes()).hexdigest()[:16]
    written = []
    for profile, old in digests[0].items():
        new = digests[1].get(profile, {})
        changed = {
            f"{part} {key}": [digest, new[part][key]]
            for part in ("code", "settings")
            for key, digest in old[part].items()
            if new.get(part, {}).get(key, digest) != digest
        }
        if not changed:
            continue
        path = root / "results" / profile / LEDGER
        known = read_json(path) if path.exists() else {"proofs": []}
        known["proofs"].append(
            {
                "old": commits[0],
                "new": commits[1],
                "compared": compared,
                "sample": f"{SAMPLE}, sha256 {sample}",
                "machine": provenance.machine(),
                "versions": provenance.versions(),
                "digests": changed,
            }
        )
        write_json(path, known)
        written.append(profile)
    return written


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; prints one line, returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m mirtrim.runs.equivalence",
        description="Prove that two commits compute the same bits, and note it for the results.",
    )
    parser.add_argument("old", help="the commit whose rows are known to be fresh")
    parser.add_argument("new", nargs="?", default="HEAD", help="a later commit (default: HEAD)")
    parser.add_argument("--keep", type=Path, help="folder for what is trained, to look at")
    given = parser.parse_args(arguments)
    try:
        print(prove(Path.cwd(), given.old, given.new, given.keep))
    except MirtrimError as error:
        print(f"error: {error}; nothing was noted", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
