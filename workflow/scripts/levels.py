"""Compare errors at every level of a study with those at its first level."""

from pathlib import Path

from job import job, rows_of_study

from mirtrim.analysis.factors import level_contrasts, write_level_contrasts

wanted, output = snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    rows = rows_of_study(snakemake)
    firsts = {}
    for variant in wanted.variants.values():
        ((dimension, value),) = variant["values"].items()
        firsts.setdefault(variant["task"], float(value))
    table = level_contrasts(rows, firsts)
    write_level_contrasts(table, dimension, Path(output.csv), Path(output.markdown))
