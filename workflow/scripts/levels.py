"""Compare errors at every level of a study with those at its first level."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.factors import level_table, write_level_table
from mirtrim.analysis.free_ratios import read_variants

given, wanted, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    rows = read_variants(
        wanted.variants,
        paths(given.get("tables")),
        paths(given.get("rows")),
        {wanted.study: wanted.runs},
    )
    # A variant may be of several studies.
    rows = rows[rows.study == wanted.study]
    firsts = {}
    for variant in wanted.variants.values():
        ((dimension, value),) = variant["values"].items()
        firsts.setdefault(variant["task"], float(value))
    table = level_table(rows, firsts)
    write_level_table(table, dimension, Path(output.csv), Path(output.markdown))
