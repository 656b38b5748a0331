"""The credibility checklist as a computed page.

The list follows Blalock, Gonzalez Ortiz, Frankle and Guttag, "What is the state of neural network
pruning?", MLSys 2020, and later work; `config/checklist.yaml` has it in our words.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mirtrim.analysis.checks import CHECKS, Material
from mirtrim.analysis.config_files import TEXT, check_settings, list_of, mapping_of, read_checked
from mirtrim.analysis.markup import markdown_table
from mirtrim.runs.labels import in_words, labels_in, labels_of
from mirtrim.runs.rows import with_names
from mirtrim.utils.files import write_text

STATES = {True: "pass", False: "FAIL", None: "not run"}


@dataclass(frozen=True)
class Item:
    """One item of the list: the question, and the check that answers it."""

    id: str
    text: str
    check: str
    settings: dict[str, Any]


def load_items(path: Path) -> list[Item]:
    """Read the list; a bad key is a `ConfigError` that names the line and the key."""
    properties = {"id": {}, "text": TEXT, "check": {"enum": sorted(CHECKS)}}
    properties["settings"] = {"type": "object"}
    items = []
    for entry in read_checked(path, list_of(mapping_of(properties, ["settings"]))):
        settings = entry.get("settings", {})
        check_settings(CHECKS[entry["check"]], settings, f"{path}: {entry['id']}")
        text = " ".join(entry["text"].split())
        items.append(Item(str(entry["id"]), text, entry["check"], settings))
    return items


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
