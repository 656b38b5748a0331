"""Write the table of hyper-parameters in docs/methods.md from what the methods declare.

python docs/write_hyperparameters.py
"""

from dataclasses import fields
from pathlib import Path

from mirtrim.pruning.methods import METHODS

PAGE = Path(__file__).with_name("methods.md")
BEGIN = "<!-- hyper-parameters: written by docs/write_hyperparameters.py -->"
END = "<!-- end of hyper-parameters -->"


def table() -> str:
    """One line per hyper-parameter, with the methods that have it at that default."""
    lines: dict[tuple[str, str, str], list[str]] = {}
    for name in sorted(METHODS):
        for entry in fields(METHODS[name].Hyperparameters):
            line = (entry.name, f"{entry.default:g}", entry.metadata["help"])
            lines.setdefault(line, []).append(name)
    head = ["| key | default | methods | what it does |", "| --- | ---: | --- | --- |"]
    body = [
        f"| `{key}` | {default} | {', '.join(methods)} | {text} |"
        for (key, default, text), methods in sorted(lines.items())
    ]
    return "\n".join([*head, *body])


def page() -> str:
    """The page with the present table."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
