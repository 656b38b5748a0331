"""Draw the figures of all tasks, on paper and as a page to hover over."""

from pathlib import Path

import pandas as pd
from job import job

from mirtrim.evidence import interactive
from mirtrim.evidence.figures.catalogue import draw
from mirtrim.evidence.figures.panels import write
from mirtrim.evidence.recorded_curves import read_recorded_curves
from mirtrim.evidence.rows import read_rows

given, wanted, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, "figures of all tasks"):
    rows = read_rows([Path(path) for path in given.rows])
    recorded = read_recorded_curves(Path(given.recorded))
    latency = pd.concat([pd.read_csv(path) for path in given.latency], ignore_index=True)
    fp32 = latency[~latency.runtime.str.contains("int8")]  # as the errors in the figures are
    for name, svg, png in zip(wanted.figures, output.svg, output.png, strict=True):
        write(draw(name, rows, recorded, fp32, wanted.ratios), [Path(svg), Path(png)])
    page = interactive.draw(rows, latency)
    interactive.write(page, Path(output.interactive), f"mirtrim, profile {wanted.profile}")
