"""Run all rounds of one method."""

from pathlib import Path

from job import block_of, job, record_rows, resume_folder, setting_of

from mirtrim.pruning.settings import PruningSettings
from mirtrim.runs.jobs.altered import self_damaged, taught
from mirtrim.runs.jobs.compress import Run, compress, setting_of_run
from mirtrim.runs.jobs.dense import dense_cost, load_dense

task, seed, name = snakemake.wildcards.task, int(snakemake.wildcards.seed), snakemake.wildcards.run
config, plan = block_of(snakemake), snakemake.config["plan"]
rounds = {int(number): ratio for number, ratio in plan["rounds"][f"{task} {name}"]}
reference = snakemake.input.get("reference")
settings = PruningSettings.of_columns(plan["columns"][name])
epochs = config["training"]["epochs"] * len(rounds)
with job(snakemake, f"{task} {name} seed {seed}", epochs) as running:
    dense = load_dense(Path(snakemake.input.network))
    setting = setting_of_run(setting_of(snakemake), settings)
    teacher = setting.new_network(seed)
    teacher.load_state_dict(dense.best)
    run = Run(
        self_damaged(taught(setting, teacher), teacher),
        dense,
        dense_cost(Path(snakemake.input.rows)),
        settings,
        rounds,
        seed,
        Path(reference) if reference else None,
    )
    compress(
        run,
        rows_path=Path(snakemake.output.rows),
        pieces_path=Path(snakemake.output.pieces),
        networks_folder=Path(snakemake.output.networks),
        resume_folder=resume_folder(snakemake),
        code=plan["code"][f"compress {task} {name}"],
        progress=running.epoch,
    )
    record_rows(snakemake)
