"""Join the rows of all jobs."""

from pathlib import Path

from job import job

from mirtrim.evidence.rows import collect

with job(snakemake, "collect"):
    collect([Path(path) for path in snakemake.input.rows], Path(snakemake.output.rows))
