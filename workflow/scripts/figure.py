"""Draw one of the figures of all tasks."""

from pathlib import Path

import pandas as pd
from job import job

from mirtrim.evidence.figures.catalogue import draw
from mirtrim.evidence.figures.panels import write
from mirtrim.evidence.recorded_curves import read_recorded_curves
from mirtrim.evidence.rows import read_rows

name, given, output = snakemake.wildcards.figure, snakemake.input, snakemake.output
with job(snakemake, f"figure {name}"):
    rows = read_rows([Path(path) for path in given.rows])
    recorded = read_recorded_curves(Path(given.recorded))
    timed = [pd.read_csv(path) for path in given.get("latency", [])]
    latency = pd.concat(timed, ignore_index=True) if timed else None
    if latency is not None:  # the errors in the figure are those of fp32
        latency = latency[~latency.runtime.str.contains("int8")]
    figure = draw(name, rows, recorded, latency, snakemake.params.ratios)
    write(figure, [Path(output.svg), Path(output.png)])
