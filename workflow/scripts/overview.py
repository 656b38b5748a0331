"""Draw the curves of all tasks in one figure."""

from pathlib import Path

from job import job

from mirtrim.analysis.curves import draw_overview
from mirtrim.runs.rows import read_rows

with job(snakemake, "overview"):
    rows = read_rows([Path(snakemake.input.rows)])
    draw_overview(rows, [Path(snakemake.output.svg), Path(snakemake.output.png)])
