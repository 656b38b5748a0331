"""Tell what one trimmed trunk for two tasks costs."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.merging import merging_table, write_merging
from mirtrim.runs.measured_rows import Merge, read_measured

given, output = snakemake.input, snakemake.output
with job(snakemake, "merging"):
    found = read_measured(
        Merge, paths(given.get("files")), paths(given.get("tables")), snakemake.params.jobs
    )
    write_merging(merging_table(found), Path(output.csv), Path(output.markdown))
