"""Compare the runs of a study in every variant of its tasks."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.factors import factor_table, write_factors
from mirtrim.analysis.free_ratios import read_variants

given, wanted, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    rows = read_variants(
        wanted.variants,
        paths(given.get("tables")),
        paths(given.get("rows")),
        {wanted.study: wanted.runs},
    )
    write_factors(factor_table(rows, wanted.contrasts), Path(output.csv), Path(output.markdown))
