"""Time the networks of one task against each other."""

from pathlib import Path

from job import job

from mirtrim.evidence.rows import read_rows
from mirtrim.experiments.latencies import FinishedRun, measure_latencies
from mirtrim.experiments.setting import open_setting, single_thread

task, source = snakemake.wildcards.task, snakemake.input
with job(snakemake, f"latency {task}"):
    single_thread()
    runs = [
        FinishedRun(read_rows([Path(rows)]), Path(networks), Path(files))
        for rows, networks, files in zip(source.rows, source.networks, source.files, strict=True)
    ]
    measure_latencies(
        open_setting(
            snakemake.params.profile, task, snakemake.params.task, Path(source.store).parent
        ),
        runs,
        Path(snakemake.output.latency),
        seconds=snakemake.params.seconds,
    )
