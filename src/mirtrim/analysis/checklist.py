"""The credibility checklist as a computed page.

The list is that of Blalock, Gonzalez Ortiz, Frankle and Guttag, "What is the state of neural
network pruning?", MLSys 2020, and of later work; `config/checklist.yaml` holds it in our words.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from mirtrim.analysis.checks import CHECKS, Material
from mirtrim.analysis.markup import markdown_table
from mirtrim.runs.labels import in_words, labels_in, labels_of
from mirtrim.runs.rows import with_names
from mirtrim.utils.errors import ConfigError
from mirtrim.utils.files import write_text

KEYS = ("id", "text", "check", "settings")
STATES = {True: "pass", False: "FAIL", None: "not run"}


@dataclass(frozen=True)
class Item:
    """One line of the list: what is asked, and the check that answers it."""

    id: str
    text: str
    check: str
    settings: dict[str, Any]


def load_items(path: Path) -> list[Item]:
    """Read the list; a bad key is a `ConfigError` that names the line and the key."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path}: not readable as YAML ({reason}); mend it") from error
    if not isinstance(entries, list) or not entries:
        raise ConfigError(f"{path}: must be a list of items with {', '.join(KEYS)}")
    return [_item(entry, f"{path}: entry {n}") for n, entry in enumerate(entries, start=1)]


def _item(entry: Any, where: str) -> Item:
    if not isinstance(entry, dict):
        raise ConfigError(f"{where}: must be a mapping with {', '.join(KEYS)}")
    unknown = sorted(map(str, set(entry) - set(KEYS)))
    if unknown:
        raise ConfigError(f"{where}: key {unknown[0]}: unknown; known: {', '.join(KEYS)}")
    for key in ("text", "check"):
        if not isinstance(entry.get(key), str):
            raise ConfigError(f"{where}: key {key}: must be there and be text")
    if "id" not in entry:
        raise ConfigError(f"{where}: key id: must be there")
    if entry["check"] not in CHECKS:
        known = ", ".join(sorted(CHECKS))
        raise ConfigError(f"{where}: key check: no check {entry['check']!r}; known: {known}")
    settings = entry.get("settings", {})
    try:
        if not isinstance(settings, dict):
            raise TypeError("must be a mapping")
        inspect.signature(CHECKS[entry["check"]]).bind(None, **settings)
    except TypeError as error:
        raise ConfigError(f"{where}: key settings of {entry['check']}: {error}") from error
    return Item(str(entry["id"]), " ".join(entry["text"].split()), entry["check"], settings)


def checklist(items: Sequence[Item], material: Material) -> pd.DataFrame:
    """A line per item: id, text, how (the check, in words), state, evidence."""
    lines = []
    for item in items:
        function = CHECKS[item.check]
        state, evidence = function(material, **item.settings)
        how = " ".join(str(inspect.getdoc(function)).split())
        lines.append((item.id, item.text, how, STATES[state], evidence))
    return pd.DataFrame(lines, columns=["id", "text", "how", "state", "evidence"])


def write_checklist(
    rows: pd.DataFrame,
    pieces: pd.DataFrame,
    config: Mapping[str, Any],
    items_path: Path,
    markdown: Path,
    verdicts: pd.DataFrame | None = None,
    citation: Mapping[str, Any] | None = None,
    inspections: pd.DataFrame | None = None,
    barriers: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Check every item and write the page; returns the table.

    Args:
        rows, pieces: of all tasks and runs.
        config: of the profile, defaults filled in.
        items_path: `config/checklist.yaml`.
        verdicts: as `verdicts.write_verdicts` returns or writes it.
        citation: what the citation file says.
        inspections, barriers: see `checks.Material`.
    """
    items = load_items(items_path)
    rows, settings = with_names(rows)
    labels = labels_of(settings)
    table = checklist(
        items, Material(rows, pieces, config, verdicts, citation, inspections, barriers)
    )
    for item in items:
        labels |= labels_in(item.settings)
    table["evidence"] = [in_words(text, labels) for text in table.evidence]
    counts = [f"{state}: {int((table.state == state).sum())}" for state in STATES.values()]
    lines = [
        "# Credibility checklist",
        "",
        "After Blalock, Gonzalez Ortiz, Frankle and Guttag (MLSys 2020), items 1 to 25, and later "
        "work. Every state is computed from rows, scores of pieces and the configuration. "
        f"{', '.join(counts)}.",
        "",
    ]
    items_shown = []
    for row in table.itertuples():
        state = row.state if row.state == "pass" else f"**{row.state}**"
        cells = (row.id, row.text, state, row.evidence, row.how)
        items_shown.append([str(cell).replace("|", "/") for cell in cells])
    head = ["", "question", "state", "evidence", "how it is checked"]
    lines += markdown_table(head, items_shown, len(head))
    write_text(markdown, "\n".join(lines) + "\n")
    return table
