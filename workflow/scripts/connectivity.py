"""Train the tickets of a run twice, from the same weights, and score what lies between."""

from pathlib import Path

from job import job, rows_of, setting_of

from mirtrim.pruning.settings import DENSE, PruningSettings
from mirtrim.runs.jobs.compress import Run
from mirtrim.runs.jobs.connectivity import measure_barriers
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.jobs.rounds import Cost
from mirtrim.runs.tables import record

task, seed, name = snakemake.wildcards.task, int(snakemake.wildcards.seed), snakemake.wildcards.run
plan = snakemake.config["plan"]
rounds = {int(number): ratio for number, ratio in plan["rounds"].get(f"{task} {name}", [])}
dense = name == "dense"
with job(snakemake, f"connectivity of {task} {name} seed {seed}") as running:
    rows = rows_of(snakemake, {task: [f"{name}_seed{seed}"]})
    run = Run(
        setting_of(snakemake),
        load_dense(Path(snakemake.input.network)),
        Cost(),
        DENSE if dense else PruningSettings.of_columns(plan["columns"][name]),
        rounds,
        seed,
    )
    measure_barriers(
        run,
        rows,
        None if dense else Path(snakemake.input.networks),
        snakemake.params.ratios,
        Path(snakemake.output.table),
        code_digest=snakemake.params.code,
        tell=running.tell,
    )
    record(Path(snakemake.output.table))
