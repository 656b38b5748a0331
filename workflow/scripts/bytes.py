"""Draw errors against bytes."""

from pathlib import Path

from job import job

from mirtrim.evidence.cost_rows import read_cost_rows
from mirtrim.evidence.figures.bytes_on_disk import draw
from mirtrim.evidence.figures.panels import write

with job(snakemake, "bytes"):
    figure = draw(read_cost_rows([Path(snakemake.input.costs)]))
    write(figure, [Path(snakemake.output.svg), Path(snakemake.output.png)])
