"""Export, quantise, weigh and score the networks of one run."""

from pathlib import Path

from job import job, rows_of

from mirtrim.runs.jobs.costs import cost
from mirtrim.runs.jobs.setting import open_setting, single_thread
from mirtrim.runs.tables import record

task, output = snakemake.wildcards.task, snakemake.output
name = f"cost of {task} {snakemake.wildcards.run} seed {snakemake.wildcards.seed}"
jobs = {task: [f"{snakemake.wildcards.run}_seed{snakemake.wildcards.seed}"]}
with job(snakemake, name) as running:
    single_thread()
    store = Path(snakemake.input.store).parent
    cost(
        open_setting(snakemake.config["profile"], task, snakemake.params.task, store),
        rows_of(snakemake, jobs),
        Path(snakemake.input.networks),
        files_folder=Path(output.files),
        costs_path=Path(output.costs),
        code_digest=snakemake.params.code,
        count=running.count("networks"),
    )
    record(Path(output.costs))
