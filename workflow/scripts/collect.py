"""Join the rows of all jobs."""

from pathlib import Path

from job import job, rows_of

from mirtrim.utils.files import atomic_path

with job(snakemake, "collect"):
    rows = rows_of(snakemake, snakemake.params.jobs)
    with atomic_path(Path(snakemake.output.rows)) as temporary:
        rows.to_csv(temporary, index=False)
