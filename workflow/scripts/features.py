"""Extract the features of one task."""

from pathlib import Path

from job import job

from mirtrim.runs.jobs.features import extract
from mirtrim.runs.jobs.setting import single_thread

task, config = snakemake.wildcards.task, snakemake.config
with job(snakemake, f"features {task}") as running:
    single_thread()
    extract(
        task,
        config["corpora"][config["tasks"][task]["corpus"]],
        Path(snakemake.input.corpus).parent,
        Path(snakemake.output.store).parent,
        config["tasks"][task]["features"],
        running.count("tracks"),
    )
