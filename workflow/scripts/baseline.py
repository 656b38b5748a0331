"""Score a simple rule on the test pieces of one task."""

from pathlib import Path

from job import job

from mirtrim.runs.jobs.baselines import measure
from mirtrim.runs.jobs.setting import single_thread
from mirtrim.runs.tables_on_disk import write_csv

task, config = snakemake.wildcards.task, snakemake.config["tasks"]
with job(snakemake, f"baseline {task}"):
    single_thread()
    table = measure(
        task,
        config[task]["corpus"],
        Path(snakemake.input.store).parent,
        config[task]["features"],
    )
    write_csv(Path(snakemake.output.scores), table)
