"""Train one dense network."""

from pathlib import Path

from job import block_of, job, record_rows, resume_folder, setting_of

from mirtrim.runs.jobs.dense import train_dense

task, seed = snakemake.wildcards.task, int(snakemake.wildcards.seed)
config, plan = block_of(snakemake), snakemake.config["plan"]
with job(snakemake, f"{task} dense seed {seed}", config["training"]["epochs"]) as running:
    train_dense(
        setting_of(snakemake),
        seed,
        config["rewind_epoch"],
        network_path=Path(snakemake.output.network),
        rows_path=Path(snakemake.output.rows),
        pieces_path=Path(snakemake.output.pieces),
        resume_folder=resume_folder(snakemake),
        code=plan["code"][f"dense {task}"],
        progress=running.epoch,
    )
    record_rows(snakemake)
