"""One file per figure: `draw` makes it from rows, `style.save_figure` writes it."""
