"""What the replicated paper's authors claimed and recorded, read from `config/recorded.yaml`."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirtrim.analysis.config_files import mapping_of, read_checked
from mirtrim.utils.errors import ConfigError


@dataclass(frozen=True)
class Recorded:
    """Numbers and statements by others, each with the tag of its source.

    Attributes:
        sources: what each tag stands for.
        claims, records: sentences; keys hypotheses, source, text and (of records) reason.
        points: share of parameters removed, per task and operating point.
    """

    sources: Mapping[str, str]
    claims: list[Mapping[str, Any]]
    records: list[Mapping[str, Any]]
    points: Mapping[str, Any]

    def statements(self, hypothesis: str) -> list[str]:
        """What the authors claimed and recorded about a hypothesis, a line each."""
        lines = [
            f"Claimed [{claim['source']}]: {claim['text']}"
            for claim in self.claims
            if hypothesis in claim["hypotheses"]
        ]
        for record in self.records:
            if hypothesis in record["hypotheses"]:
                lines.append(f"Recorded [{record['source']}]: {record['text']}")
                if "reason" in record:
                    lines.append(f"Known about that: {record['reason']}")
        return lines


SENTENCE = {"type": "object", "required": ["hypotheses", "source", "text"]}
SCHEMA = mapping_of(
    {
        "sources": {"type": "object"},
        "claims": {"type": "array", "items": SENTENCE},
        "records": {"type": "array", "items": SENTENCE},
        "points": {"type": "object", "required": ["source"]},
    }
)


def load_recorded(path: Path) -> Recorded:
    """Read and check the file; a bad key is a `ConfigError` that names it."""
    data = read_checked(path, SCHEMA)
    for section in ("claims", "records", "points"):
        for entry in [data["points"]] if section == "points" else data[section]:
            if entry["source"] not in data["sources"]:
                known = ", ".join(data["sources"])
                raise ConfigError(
                    f"{path}: key {section}: no source {entry['source']!r}; known: {known}"
                )
    return Recorded(**data)
