"""Write the tables of settings and hyper-parameters in docs/methods.md from what the code declares.

python docs/write_hyperparameters.py
"""

import json
from dataclasses import fields
from pathlib import Path

from mirtrim.pruning.methods import METHODS
from mirtrim.pruning.settings import run_schema

PAGE = Path(__file__).with_name("methods.md")
NAMES = ("settings", "hyper-parameters")
BEGIN = "<!-- {}: written by docs/write_hyperparameters.py -->"
END = "<!-- end of {} -->"


def settings() -> str:
    """One line per setting that all methods share."""
    head = ["| key | default | values | what it does |", "| --- | --- | --- | --- |"]
    body = []
    for key, schema in run_schema()["properties"].items():
        default = "" if "default" not in schema else f"`{json.dumps(schema['default'])}`"
        values = ", ".join(schema.get("enum", ()))
        body.append(f"| `{key}` | {default} | {values} | {schema['description']} |")
    return "\n".join([*head, *body])


def hyperparameters() -> str:
    """One line per hyper-parameter, with the methods that have it at that default."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for name in sorted(METHODS):
        for entry in fields(METHODS[name].Hyperparameters):
            default = entry.default
            shown = default if isinstance(default, str) else f"{default:g}"
            line = (entry.name, shown, entry.metadata["help"])
            lines.setdefault(line, []).append(name)
    head = ["| key | default | methods | what it does |", "| --- | ---: | --- | --- |"]
    body = [
        f"| `{key}` | {default} | {', '.join(methods)} | {text} |"
        for (key, default, text), methods in sorted(lines.items())
    ]
    return "\n".join([*head, *body])


def page() -> str:
    """The page with the present tables."""
    text = PAGE.read_text(encoding="utf-8")
    for name, table in zip(NAMES, (settings(), hyperparameters()), strict=True):
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text.split(begin)
        _, after = rest.split(end)
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
