"""Score networks and simple rules on one set of recordings."""

from pathlib import Path

from job import job

from mirtrim.corpora.reader import Making
from mirtrim.listening.recordings.measure import measure
from mirtrim.runs.jobs.setting import single_thread
from mirtrim.runs.recording_rows import read_recording_rows
from mirtrim.runs.tables_on_disk import write_csv

given, path = snakemake.params, Path(snakemake.output.rows)
with job(snakemake, f"recordings {given.block['name']}") as running:
    single_thread()
    rows = measure(
        given.block,
        [Path(name) for name in given.networks],
        data_folder=Path(snakemake.config["data_folder"]),
        # What is known already is not computed, and the networks not heard, a second time.
        known=read_recording_rows([path]) if path.exists() else None,
        code=given.code,
        making=Making(tell=running.tell),
        count=running.count("recordings"),
    )
    write_csv(path, rows)
