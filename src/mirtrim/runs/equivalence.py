"""Prove that two commits compute the same bits, and record it for the committed results.

    python -m mirtrim.runs.equivalence OLD [NEW]

A digest of meaning sees changes that change no number: a rename, a split, another order of
definitions. Then every row that rests on the changed code looks stale. This command trains a
sample with both commits on this machine: every task, on each a dense network, a mask, a trim, a
feedback and a control; on one task every method and every criterion; a part of it in bfloat16. It
compares rows, scores of pieces, features and networks bit for bit. Only if all are equal does it
note, in `results/<profile>/equivalences.json` of every profile with results, which digest of NEW
stands for which of OLD. A change of a profile's settings is never declared equal. Rows are not
changed: they still name the commit whose code actually made them.
"""

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from mirtrim.runs.freshness import LEDGER
from mirtrim.runs.sample import SAMPLE, compare, known_to, printed, train
from mirtrim.utils import provenance
from mirtrim.utils.errors import ConfigError, MirtrimError
from mirtrim.utils.files import read_json, write_json


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
            _check_out(root, commit, home)
        known = set.intersection(*map(known_to, homes))
        for home in homes:
            train(home, root / SAMPLE, known)
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


def _check_out(root: Path, commit: str, home: Path) -> None:
    """Put the files of a commit into `home`."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    archive = subprocess.run(
        ["git", "archive", commit], cwd=root, capture_output=True, check=True
    ).stdout
    subprocess.run(["tar", "-x", "-C", str(home)], input=archive, check=True)


# Run with the code of a checkout, in its folder: prints the digests of every profile that has
# results.
DIGESTS = """
import json
from pathlib import Path
import yaml
try:
    from mirtrim.runs.plan import make_plan
except ModuleNotFoundError:  # version 0.1
    from mirtrim.experiments.plan import make_plan

def merged(base, over):
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict)
        base[key] = merged(base[key], value) if both else value
    return base

found = {}
for path in sorted(Path("config").glob("*.yaml")):
    config = yaml.safe_load(path.read_text())
    profile = config.get("profile") if isinstance(config, dict) else None
    # The sample has been trained here, and is no profile with results.
    if not profile or path.name == "proof.yaml" or not Path("results", profile).is_dir():
        continue
    if path.name != "default.yaml":
        config = merged(yaml.safe_load(Path("config/default.yaml").read_text()), config)
    scripts = sorted(Path("workflow/scripts").glob("*.py"))
    plan = make_plan(config, Path("workflow/schemas/config.schema.yaml"), scripts)
    found[profile] = {"code": plan.code}
print(json.dumps(found))
"""


def digests_of(home: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Profile → "code" → what it is of → digest, by the code of a checkout.

    Raises:
        ConfigError: that code does not say.
    """
    said = printed(home, DIGESTS, "digests").splitlines()
    found: dict[str, dict[str, dict[str, str]]] = json.loads(said[-1])
    return found


def write_proofs(
    root: Path,
    commits: Sequence[str],
    digests: Sequence[Mapping[str, Mapping[str, Mapping[str, str]]]],
    compared: str,
) -> list[str]:
    """Add a proof to the ledger of every profile whose digests differ; returns their names.

    Digests of settings are never declared equal: the sample has its own settings, which say nothing
    about those of a profile.
    """
    sample = hashlib.sha256((root / SAMPLE).read_bytes()).hexdigest()[:16]
    written = []
    for profile, old in digests[0].items():
        new = digests[1].get(profile, {})
        changed = {
            f"code {key}": [digest, new["code"][key]]
            for key, digest in old["code"].items()
            if new.get("code", {}).get(key, digest) != digest
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
