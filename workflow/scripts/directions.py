"""Compare the singular directions of a run's weights with those of the dense network."""

from pathlib import Path

from job import job, rows_of, setting_of

from mirtrim.pruning.settings import DENSE, PruningSettings
from mirtrim.runs.jobs.compress import Run
from mirtrim.runs.jobs.dense import load_dense
from mirtrim.runs.jobs.rounds import Cost
from mirtrim.runs.jobs.singular import measure_directions
from mirtrim.runs.tables import record

task, seed, name = snakemake.wildcards.task, int(snakemake.wildcards.seed), snakemake.wildcards.run
plan = snakemake.config["plan"]
rounds = {int(number): ratio for number, ratio in plan["rounds"].get(f"{task} {name}", [])}
dense = name == "dense"
with job(snakemake, f"directions of {task} {name} seed {seed}"):
    rows = rows_of(snakemake, {task: [f"{name}_seed{seed}"]})
    run = Run(
        setting_of(snakemake),
        load_dense(Path(snakemake.input.network)),
        Cost(),
        DENSE if dense else PruningSettings.of_columns(plan["columns"][name]),
        rounds,
        seed,
    )
    measure_directions(
        run,
        rows,
        None if dense else Path(snakemake.input.networks),
        snakemake.params.ratios,
        Path(snakemake.output.table),
        code_digest=snakemake.params.code,
    )
    record(Path(snakemake.output.table))
