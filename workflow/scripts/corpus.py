"""Prepare one corpus."""

from pathlib import Path

from job import job

from mirtrim.corpora.prepare import prepare
from mirtrim.corpora.reader import Making

with job(snakemake, f"corpus {snakemake.params.name}") as running:
    prepare(
        snakemake.config["corpora"][snakemake.params.name],
        Path(snakemake.output.manifest).parent,
        Making(snakemake.threads, running.count("pieces"), running.tell),
    )
