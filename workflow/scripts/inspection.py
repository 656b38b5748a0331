"""Look at the networks of one run: calibration, worst class, units left."""

from pathlib import Path

from job import base_of, job, rows_of, setting_of

from mirtrim.runs.jobs.inspections import inspect_networks
from mirtrim.runs.tables import record

task, output = snakemake.wildcards.task, snakemake.output
name = f"{snakemake.wildcards.run}_seed{snakemake.wildcards.seed}"
with job(snakemake, f"inspection of {task} {name}") as running:
    inspect_networks(
        setting_of(snakemake),
        rows_of(snakemake, {base_of(snakemake): [name]}),
        Path(snakemake.input.networks),
        Path(output.table),
        code_digest=snakemake.params.code,
        count=running.count("networks"),
    )
    record(Path(output.table))
