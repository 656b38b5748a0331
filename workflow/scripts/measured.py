"""Tell, and draw, what was measured on finished networks of all tasks."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis import connectivity, merging, singular
from mirtrim.analysis.style import save_figure
from mirtrim.runs.measured_rows import Barrier, Merge, SingularView, read_measured

# What it is → its lines on disk, its table, and how that is written.
TOLD = {
    "connectivity": (Barrier, connectivity.connectivity_table, connectivity.write_connectivity),
    "merging": (Merge, merging.merging_table, merging.write_merging),
    "singular": (SingularView, singular.singular_table, singular.write_singular),
}
given, wanted, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, wanted.kind):
    kind, table, write = TOLD[wanted.kind]
    found = read_measured(kind, paths(given.get("files")), paths(given.get("tables")), wanted.jobs)
    write(table(found), Path(output.csv), Path(output.markdown))
    if output.figure:
        save_figure(connectivity.draw_connectivity(found), paths(output.figure))
