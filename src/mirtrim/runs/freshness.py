"""Which results are stale: compares how their rows were made with the present configuration.

A row carries digests of the meaning of the code behind it (`runs.meaning`), of the settings of its
task and corpus, and of its data. A result is stale if one of them is not the present one, or if it
has other ratios. Times of files play no part, so a fresh clone knows as much as the machine that
trained.

If changed code is proven to give the same bits (`runs.equivalence`), rows keep the digest of the
code that actually made them, and `Equivalences` maps it to the later digest.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirtrim.utils.errors import ArtefactError
from mirtrim.utils.files import read_json, sha256_of_value

DIGITS = 16
LEDGER = "equivalences.json"  # in the folder of the results of a profile


@dataclass(frozen=True)
class Expected:
    """What a result has to be.

    Attributes:
        code, settings: digests, `DIGITS` hexadecimal digits each.
        of_code, of_settings: what they are digests of, for `Equivalences`.
        ratios: asked ratios of its rows, in rising order.
    """

    code: str
    settings: str
    ratios: tuple[float, ...]
    of_code: str = ""
    of_settings: str = ""


@dataclass(frozen=True)
class Equivalences:
    """What has been proven to be the same: later digests for earlier ones.

    Attributes:
        steps: one mapping per proof, in their order: what a digest is of (such as "code compress
            onset trim_magnitude_local_rewind") → (earlier, later digest).
    """

    steps: Sequence[Mapping[str, Sequence[str]]] = ()

    @staticmethod
    def read(path: Path) -> "Equivalences":
        """Those of a ledger that `runs.equivalence` wrote; none if there is no file.

        Raises:
            ArtefactError: the file is damaged.
        """
        if not path.exists():
            return Equivalences()
        try:
            steps = [dict(proof["digests"]) for proof in read_json(path)["proofs"]]
            if not all(len(pair) == 2 for step in steps for pair in step.values()):
                raise ValueError("a pair of digests is none")
        except (LookupError, TypeError, ValueError) as error:
            raise ArtefactError(f"{path} holds no proofs ({error}); restore it") from error
        return Equivalences(steps)

    def latest(self, digest: str, of: str) -> str:
        """The present digest that is equivalent to `digest`."""
        for step in self.steps:
            old, new = _pair(step, of)
            digest = str(new) if digest == old else digest
        return digest

    def first(self, digest: str, of: str) -> str:
        """The earliest digest equivalent to `digest`: the same before and after a proof."""
        for step in reversed(self.steps):
            old, new = _pair(step, of)
            digest = str(old) if digest == new else digest
        return digest


def _pair(step: Mapping[str, Sequence[str]], of: str) -> Sequence[str | None]:
    """Earlier and later digest of what `of` names, in one proof.

    A proof that knows nothing of a variant ("code dense chord-epochs_5"), which came later, knows
    the task that it is of: both run the same code, if the digests are the same.
    """
    what, _, variant = of.partition("-")
    _, *run = variant.split(" ", maxsplit=1)
    return step.get(of) or step.get(" ".join([what, *run])) or (None, None)


def data_at_hand(manifest: Path, store: Path, state: str | None) -> str | None:
    """What the rows of a task have to say of their data.

    Only a corpus in a user's own folder can change without a change of its settings. Data that are
    rendered here are not compared: other processors round them differently, and their rows count.

    Args:
        manifest: `corpus.json` of the prepared corpus.
        store: `store.json` of the task's features.
        state: of the user's files now (`corpora.watching`), None for a corpus of our own.

    Returns:
        The digest of the features; "changed" if they were made from other files; None if any data
        are accepted, or none have been prepared here.
    """
    if state is None or not manifest.exists():
        return None
    try:
        if read_json(manifest).get("folder_state") != state:
            return "changed"
        return sha256_of_value(read_json(store)["digests"])[:DIGITS] if store.exists() else None
    except (ArtefactError, AttributeError, LookupError, TypeError):
        return None  # damaged; the job that reads it says so


def why_stale(
    lines: Sequence[Mapping[str, str]],
    expected: Expected,
    known: Equivalences,
    data: str | None = None,
) -> str | None:
    """Why the rows of a job are not what they have to be, None if they are.

    Args:
        lines: its rows, as `runs.tables` reads them; without any, the only reason is "missing".
        data: see `data_at_hand`.
    """
    if not lines:
        return "missing"
    for column, of, wanted, why in (
        ("code_digest", expected.of_code, expected.code, "the code behind it has changed"),
        ("config_digest", expected.of_settings, expected.settings, "its settings have changed"),
    ):
        if any(known.latest(line[column], of) != wanted for line in lines):
            return why
    if data is not None and any(line["data_digest"] != data for line in lines):
        return "its data have changed"
    if tuple(sorted(float(line["target_ratio"]) for line in lines)) != expected.ratios:
        return "other ratios are asked for"
    return None


def without_defaults(block: Any, schema: Mapping[str, Any]) -> Any:
    """`block` without values that equal the default of their JSON schema, at any depth.

    So a key that is added later, with a default that does what was done before, changes no
    digest. A default must therefore never change its meaning.
    """
    if not isinstance(block, Mapping):
        return block
    properties = schema.get("properties", {})
    return {
        key: without_defaults(value, properties.get(key, {}))
        for key, value in block.items()
        if "default" not in properties.get(key, {}) or value != properties[key]["default"]
    }


def settings_digest(value: Any) -> str:
    """Digest of settings, from which defaults have been taken."""
    return sha256_of_value(json.loads(json.dumps(value)))[:DIGITS]
