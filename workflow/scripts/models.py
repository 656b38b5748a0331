"""Pack the trained networks of one task, with model cards, for `mirtrim listen`."""

from pathlib import Path

from job import job, rows_of

from mirtrim.listening.collecting import collect_bundles
from mirtrim.runs.rows import with_names
from mirtrim.tasks.store import open_store
from mirtrim.utils.files import read_json

given = snakemake.params
with job(snakemake, f"models {given.name}"):
    rows = with_names(rows_of(snakemake, given.jobs))[0]
    collect_bundles(
        given.task,
        {str(run): part for run, part in rows.groupby("run")},
        Path(snakemake.input.dense).parent,
        read_json(snakemake.input.store)["statistics"],
        Path(snakemake.output.models[0]).parent,
        given.runs,
        given.ratios,
        seed=given.seed,
        store=open_store(Path(snakemake.input.store).parent),
    )
