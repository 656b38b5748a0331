"""Time the networks of one task against each other."""

from pathlib import Path

from job import job, rows_of

from mirtrim.runs.jobs.latencies import FinishedRun, measure_latencies
from mirtrim.runs.jobs.setting import open_setting, single_thread
from mirtrim.runs.tables import record

task, source = snakemake.wildcards.task, snakemake.input
with job(snakemake, f"latency {task}"):
    single_thread()
    runs = [
        FinishedRun(rows_of(snakemake, {task: [name]}), Path(networks), Path(files))
        for name, networks, files in zip(
            snakemake.params.jobs[task], source.networks, source.files, strict=True
        )
    ]
    measure_latencies(
        open_setting(
            snakemake.config["profile"], task, snakemake.params.task, Path(source.store).parent
        ),
        runs,
        Path(snakemake.output.latency),
        seconds=snakemake.params.seconds,
    )
    record(Path(snakemake.output.latency))
