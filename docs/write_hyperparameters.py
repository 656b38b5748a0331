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
    """One item per setting that all methods share, its default in bold."""
    lines = []
    for key, schema in run_schema()["properties"].items():
        default = schema.get("default")
        values = [value for value in schema.get("enum", ()) if value != default]
        if "default" in schema:
            values.insert(0, f"**{default if isinstance(default, str) else json.dumps(default)}**")
        shown = f" ({', '.join(values)})" if values else ""
        text = schema["description"]
        line = f"* `{key}`{shown}: {text[0].lower()}{text[1:]}"
        lines += wrap(line, WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def hyperparameters() -> str:
    """One item for all methods that have the same hyper-parameters, with their defaults."""
    methods: dict[str, list[str]] = {}
    for name in sorted(METHODS):
        entries = fields(METHODS[name].Hyperparameters)
        values = [e.default if isinstance(e.default, str) else f"{e.default:g}" for e in entries]
        shown = ", ".join(f"`{e.name}: {v}`" for e, v in zip(entries, values, strict=True))
        methods.setdefault(shown, []).append(f"`{name}`")
    lines = []
    for shown, names in methods.items():
        if shown:
            lines += wrap(f"* {', '.join(names)}: {shown}", WIDTH, subsequent_indent="  ")
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
