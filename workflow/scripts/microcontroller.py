"""Make the networks of one run for microcontrollers."""

from pathlib import Path

from job import job, rows_of

from mirtrim.runs.jobs.microcontrollers import fit_to_boards
from mirtrim.runs.jobs.setting import open_setting, single_thread
from mirtrim.runs.tables import record

task, output = snakemake.wildcards.task, snakemake.output
name = f"microcontroller {task} {snakemake.wildcards.run} seed {snakemake.wildcards.seed}"
jobs = {task: [f"{snakemake.wildcards.run}_seed{snakemake.wildcards.seed}"]}
with job(snakemake, name) as running:
    single_thread()
    store = Path(snakemake.input.store).parent
    fit_to_boards(
        open_setting(snakemake.config["profile"], task, snakemake.params.task, store),
        rows_of(snakemake, jobs),
        Path(snakemake.input.networks),
        files_folder=Path(output.files),
        table_path=Path(output.table),
        count=running.count("networks"),
    )
    record(Path(output.table))
