"""Write the lists of settings and hyper-parameters in docs/methods.md from what the code declares.

python docs/write_hyperparameters.py
"""

import json
from dataclasses import fields
from pathlib import Path
from textwrap import wrap

from mirtrim.pruning.methods import METHODS
from mirtrim.pruning.settings import run_schema

PAGE = Path(__file__).with_name("methods.md")
NAMES = ("settings", "hyper-parameters")
BEGIN = "<!-- {}: written by docs/write_hyperparameters.py -->"
END = "<!-- end of {} -->"
WIDTH = 120


def settings() -> str:
    """One line per setting that all methods share, its default in bold."""
    lines = ["| key | values | what it does |", "| --- | --- | --- |"]
    for key, schema in run_schema()["properties"].items():
        default = schema.get("default")
        values = [value for value in schema.get("enum", ()) if value != default]
        if "default" in schema:
            values.insert(0, f"**{default if isinstance(default, str) else json.dumps(default)}**")
        lines.append(f"| `{key}` | {', '.join(values)} | {schema['description']} |")
    return "\n".join(lines)


def hyperparameters() -> str:
    """One item per hyper-parameter, with its default and the methods that have it."""
    rows: dict[tuple[str, str], dict[str, list[str]]] = {}
    for name in sorted(METHODS):
        for entry in fields(METHODS[name].Hyperparameters):
            default = entry.default
            shown = default if isinstance(default, str) else f"{default:g}"
            found = rows.setdefault((entry.name, entry.metadata["help"]), {})
            found.setdefault(shown, []).append(name)
    lines = []
    for (key, text), defaults in sorted(rows.items()):
        (usual, methods), *others = defaults.items()
        methods += [f"{name} {default}" for default, names in others for name in names]
        line = f"* `{key}: {usual}` ({', '.join(methods)}): {text[0].lower()}{text[1:]}"
        lines += wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def page() -> str:
    """The page with the present lists."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in zip(NAMES, (settings(), hyperparameters()), strict=True):
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
