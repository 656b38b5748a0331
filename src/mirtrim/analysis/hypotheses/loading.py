"""Reading the table of hypotheses; a bad key is named."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirtrim.analysis.config_files import TEXT, check_settings, list_of, mapping_of, read_checked
from mirtrim.analysis.hypotheses.finding import COMPUTATIONS
from mirtrim.utils.errors import ConfigError

OPTIONAL = ("settings", "tasks", "twin")


@dataclass(frozen=True)
class Hypothesis:
    """One claim that rows can support or refute.

    Attributes:
        id: short name, H and a number.
        sentence: the claim.
        computation: name of the registered function that computes it.
        family: the hypotheses whose tests are corrected together.
        settings: keyword arguments of the computation.
        tasks: on which to compute it; empty for all that were run.
        twin: the hypothesis that claims the same of rewound weights; empty if there is none.
    """

    id: str
    sentence: str
    computation: str
    family: str
    settings: dict[str, Any]
    tasks: tuple[str, ...] = ()
    twin: str = ""


def load_hypotheses(path: Path) -> list[Hypothesis]:
    """Read and check the table of hypotheses.

    Raises:
        ConfigError: names the file, the hypothesis and the key at fault, and what is allowed.
    """
    properties = {
        "id": {"type": "string", "pattern": "^H[0-9]+[a-z]{0,2}'?$"},
        "sentence": TEXT,
        "computation": {"enum": sorted(COMPUTATIONS)},
        "family": TEXT,
        "settings": {"type": "object"},
        "tasks": {"type": "array", "items": {"type": "string"}},
        "twin": {"type": "string"},
    }
    entries = read_checked(path, list_of(mapping_of(properties, OPTIONAL)))
    names = [entry["id"] for entry in entries]
    for entry in entries:
        where = f"{path}: {entry['id']}"
        if names.count(entry["id"]) > 1:
            raise ConfigError(f"{where}: stands there twice; give one another id")
        if entry.get("twin", names[0]) not in names:
            known = ", ".join(names)
            raise ConfigError(f"{where}: key twin: no hypothesis {entry['twin']!r}; known: {known}")
        check_settings(COMPUTATIONS[entry["computation"]], entry.get("settings", {}), where)
    return [
        Hypothesis(
            **{
                **entry,
                "sentence": " ".join(entry["sentence"].split()),
                "settings": entry.get("settings", {}),
                "tasks": tuple(entry.get("tasks", ())),
            }
        )
        for entry in entries
    ]
