"""One table of what networks and simple rules score on recordings; cards tell it."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.recordings import write_recordings
from mirtrim.listening.card import write_cards
from mirtrim.runs.recording_rows import read_recording_rows
from mirtrim.utils.errors import ConfigError

given, output = snakemake.input, snakemake.output
with job(snakemake, "recordings"):
    if not given.get("rows"):
        raise ConfigError(
            "no recordings are configured; set recordings.sets in a configuration "
            "(docs/listening.md)"
        )
    rows = read_recording_rows(paths(given.rows))
    pages = map(Path, (output.csv, output.markdown, output.shelf))
    write_recordings(rows, *pages, clusters=snakemake.params.clusters)
    write_cards(Path(output.shelf).parent)
