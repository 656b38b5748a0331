"""Run all rounds of one method."""

from pathlib import Path

from job import job

from mirtrim.experiments.compress import Run, compress
from mirtrim.experiments.dense import dense_cost, load_dense
from mirtrim.experiments.setting import open_setting, single_thread
from mirtrim.pruning.methods import choices_of
from mirtrim.training import choose_device

task, seed = snakemake.wildcards.task, int(snakemake.wildcards.seed)
config, rounds = snakemake.params.task, snakemake.params.rounds
reference = snakemake.input.get("reference")
epochs = config["training"]["epochs"] * len(rounds)
with job(snakemake, f"{task} {snakemake.wildcards.run} seed {seed}", epochs) as running:
    single_thread()
    device = choose_device(snakemake.resources.get("gpu", 0))
    store = Path(snakemake.input.store).parent
    setting = open_setting(snakemake.params.profile, task, config, store, device)
    run = Run(
        setting,
        load_dense(Path(snakemake.input.network)),
        dense_cost(Path(snakemake.input.rows)),
        choices_of(snakemake.params.run),
        {int(number): ratio for number, ratio in rounds.items()},
        seed,
        Path(reference) if reference else None,
    )
    compress(
        run,
        rows_path=Path(snakemake.output.rows),
        pieces_path=Path(snakemake.output.pieces),
        networks_folder=Path(snakemake.output.networks),
        resume_folder=Path(snakemake.params.resume),
        progress=running.epoch,
    )
