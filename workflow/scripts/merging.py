"""Train another task from the trunk of a run's tickets, merge both trunks, and score them."""

from pathlib import Path

from job import base_of, finished_run, job, rows_of

from mirtrim.runs.jobs.altered import augmented
from mirtrim.runs.jobs.merging import measure_merging
from mirtrim.runs.jobs.setting import open_setting
from mirtrim.runs.tables import record

task, seed, name = snakemake.wildcards.task, int(snakemake.wildcards.seed), snakemake.wildcards.run
config, plan = snakemake.config, snakemake.config["plan"]
other, ratios = snakemake.params.other, snakemake.params.ratios
# The other task may be a variant of one as well.
variant = plan["variants"].get(other, {})
block = variant.get("block") or config["tasks"][other]
epochs = block["training"]["epochs"] * len(ratios)
with job(snakemake, f"merging of {task} {name} seed {seed} with {other}", epochs) as running:
    rows = rows_of(snakemake, {base_of(snakemake): [f"{name}_seed{seed}"]})
    run = finished_run(snakemake)
    shared = open_setting(
        config["profile"],
        variant.get("task", other),
        block,
        Path(snakemake.input.other_store).parent,
        run.setting.device,
        plan["settings"][f"task {other}"],
    )
    measure_merging(
        run,
        augmented(shared),
        rows,
        Path(snakemake.input.networks),
        ratios,
        Path(snakemake.output.table),
        other_name=other,
        code_digest=snakemake.params.code,
        tell=running.tell,
        report=lambda epoch: running.epoch(other, epoch),
    )
    record(Path(snakemake.output.table))
