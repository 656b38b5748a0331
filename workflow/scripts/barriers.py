"""Tell and draw whether two trainings of one ticket end in one valley."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.connectivity import (
    connectivity_table,
    draw_connectivity,
    write_connectivity,
)
from mirtrim.analysis.style import save_figure
from mirtrim.runs.measured_rows import Barrier, read_measured

given, output = snakemake.input, snakemake.output
with job(snakemake, "connectivity"):
    found = read_measured(
        Barrier,
        paths(given.get("files")),
        paths(given.get("tables")),
        snakemake.params.jobs,
    )
    write_connectivity(connectivity_table(found), Path(output.csv), Path(output.markdown))
    save_figure(draw_connectivity(found), [Path(path) for path in output.figure])
