"""Compare the singular directions of a run's weights with those of the dense network."""

from pathlib import Path

from job import finished_run, job, rows_of

from mirtrim.runs.jobs.singular import measure_directions
from mirtrim.runs.tables import record

task, seed, name = snakemake.wildcards.task, int(snakemake.wildcards.seed), snakemake.wildcards.run
dense = name == "dense"
with job(snakemake, f"directions of {task} {name} seed {seed}"):
    rows = rows_of(snakemake, {task: [f"{name}_seed{seed}"]})
    run = finished_run(snakemake)
    measure_directions(
        run,
        rows,
        None if dense else Path(snakemake.input.networks),
        snakemake.params.ratios,
        Path(snakemake.output.table),
        code_digest=snakemake.params.code,
    )
    record(Path(snakemake.output.table))
