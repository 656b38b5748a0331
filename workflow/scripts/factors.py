"""Compare the runs of a study in every variant of its tasks."""

from pathlib import Path

from job import job, rows_of_study

from mirtrim.analysis.factors import factor_table, write_factors

wanted, output = snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    rows = rows_of_study(snakemake)
    write_factors(factor_table(rows, wanted.contrasts), Path(output.csv), Path(output.markdown))
