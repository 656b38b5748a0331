"""What the replicated paper's authors claimed and recorded, read from `config/recorded.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mirtrim.utils.errors import ConfigError

SECTIONS = ("sources", "claims", "records", "points")


@dataclass(frozen=True)
class Recorded:
    """Numbers and sentences of others, each with the tag of its source.

    Attributes:
        sources: what each tag stands for.
        claims, records: sentences; keys hypotheses, source, text and (of records) reason.
        points: share of parameters removed, per task and operating point.
    """

    sources: Mapping[str, str]
    claims: list[Mapping[str, Any]]
    records: list[Mapping[str, Any]]
    points: Mapping[str, Any]

    def said(self, hypothesis: str) -> list[str]:
        """What was claimed and recorded about a hypothesis, a line each."""
        lines = [
            f"Claimed [{c['source']}]: {c['text']}"
            for c in self.claims
            if hypothesis in c["hypotheses"]
        ]
        for record in self.records:
            if hypothesis in record["hypotheses"]:
                lines.append(f"Recorded [{record['source']}]: {record['text']}")
                if "reason" in record:
                    lines.append(f"Known about that: {record['reason']}")
        return lines


def load_recorded(path: Path) -> Recorded:
    """Read and check the file; a bad key is a `ConfigError` that names it."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not readable as YAML ({reason}); mend it") from error
    if not isinstance(data, dict) or set(data) != set(SECTIONS):
        odd = sorted(map(str, set(data if isinstance(data, dict) else ()) ^ set(SECTIONS)))
        raise ConfigError(f"{path}: key {odd[0]}: must have the keys {', '.join(SECTIONS)}")
    for section in ("claims", "records"):
        for number, entry in enumerate(data[section], start=1):
            where = f"{path}: {section} {number}"
            for key in ("hypotheses", "source", "text"):
                if key not in entry:
                    raise ConfigError(f"{where}: key {key}: must be there")
            _check_source(entry["source"], data["sources"], where)
    _check_source(data["points"].get("source"), data["sources"], f"{path}: points")
    return Recorded(**data)


def _check_source(tag: Any, sources: Mapping[str, str], where: str) -> None:
    if tag not in sources:
        known = ", ".join(sources)
        raise ConfigError(f"{where}: key source: no source {tag!r}; known: {known}")
