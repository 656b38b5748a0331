"""Tell what runs have changed in the directions of the dense network's weights."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.singular import singular_table, write_singular
from mirtrim.runs.measured_rows import SingularView, read_measured

given, output = snakemake.input, snakemake.output
with job(snakemake, "singular"):
    found = read_measured(
        SingularView,
        paths(given.get("files")),
        paths(given.get("tables")),
        snakemake.params.jobs,
    )
    write_singular(singular_table(found), Path(output.csv), Path(output.markdown))
