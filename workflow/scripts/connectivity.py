"""Train the tickets of a run twice, from the same weights, and score what lies between."""

from pathlib import Path

from job import finished_run, job, rows_of

from mirtrim.runs.jobs.connectivity import measure_barriers
from mirtrim.runs.tables import record

task, seed, name = snakemake.wildcards.task, int(snakemake.wildcards.seed), snakemake.wildcards.run
dense = name == "dense"
with job(snakemake, f"connectivity of {task} {name} seed {seed}") as running:
    rows = rows_of(snakemake, {task: [f"{name}_seed{seed}"]})
    run = finished_run(snakemake)
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
