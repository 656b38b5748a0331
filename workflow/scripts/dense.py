"""Train one dense network."""

from pathlib import Path

from job import job

from mirtrim.experiments.dense import train_dense
from mirtrim.experiments.setting import open_setting, single_thread
from mirtrim.training import choose_device

task, seed = snakemake.wildcards.task, int(snakemake.wildcards.seed)
config = snakemake.params.task
with job(snakemake, f"{task} dense seed {seed}", config["training"]["epochs"]) as running:
    single_thread()
    device = choose_device(snakemake.resources.get("gpu", 0))
    store = Path(snakemake.input.store).parent
    setting = open_setting(snakemake.params.profile, task, config, store, device)
    train_dense(
        setting,
        seed,
        config["rewind_epoch"],
        network_path=Path(snakemake.output.network),
        rows_path=Path(snakemake.output.rows),
        pieces_path=Path(snakemake.output.pieces),
        resume_folder=Path(snakemake.params.resume),
        progress=running.epoch,
    )
