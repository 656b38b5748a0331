"""Compare the runs of a study on one task."""

from pathlib import Path

from job import job

from mirtrim.evidence.comparison import comparison, draw_comparison, write_comparison
from mirtrim.evidence.rows import read_rows

task, output = snakemake.wildcards.task, snakemake.output
with job(snakemake, f"{snakemake.wildcards.study} {task}"):
    rows = read_rows([Path(path) for path in snakemake.input.rows])
    table = comparison(rows, snakemake.params.ratios)
    write_comparison(table, Path(output.csv), Path(output.markdown))
    draw_comparison(table, task, [Path(output.svg), Path(output.png)])
