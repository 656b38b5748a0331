"""Train one dense network."""

from pathlib import Path

from job import job, resume_folder

from mirtrim.experiments.dense import train_dense
from mirtrim.experiments.setting import open_setting, single_thread
from mirtrim.runs.tables import record
from mirtrim.training import choose_device

task, seed = snakemake.wildcards.task, int(snakemake.wildcards.seed)
config, plan = snakemake.config["tasks"][task], snakemake.config["plan"]
with job(snakemake, f"{task} dense seed {seed}", config["training"]["epochs"]) as running:
    single_thread()
    device = choose_device(snakemake.resources.get("gpu", 0))
    setting = open_setting(
        snakemake.config["profile"],
        task,
        config,
        Path(snakemake.input.store).parent,
        device,
        plan["settings"][f"task {task}"],
    )
    train_dense(
        setting,
        seed,
        config["rewind_epoch"],
        network_path=Path(snakemake.output.network),
        rows_path=Path(snakemake.output.rows),
        pieces_path=Path(snakemake.output.pieces),
        resume_folder=resume_folder(snakemake),
        code=plan["code"][f"dense {task}"],
        progress=running.epoch,
    )
    record(Path(snakemake.output.rows))
    record(Path(snakemake.output.pieces))
