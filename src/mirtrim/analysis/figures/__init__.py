"""One file per figure: `draw` makes it from rows, `panels.write` writes it."""
