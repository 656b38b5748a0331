"""Compare errors at every level of a study with those at its first level."""

from pathlib import Path

from job import job, rows_of_study

from mirtrim.analysis.factors import first_levels, level_contrasts, write_level_contrasts
from mirtrim.analysis.figures.levels import draw_errors_at_levels
from mirtrim.analysis.figures.panels import write

wanted, output = snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    rows = rows_of_study(snakemake)
    dimension, firsts = first_levels(wanted.variants.values())
    table = level_contrasts(rows, dimension, firsts)
    write_level_contrasts(table, dimension, Path(output.csv), Path(output.markdown))
    if output.figure:
        write(draw_errors_at_levels(rows, dimension), [Path(path) for path in output.figure])
