"""Tell, and draw, what was measured on finished networks of all tasks."""

from pathlib import Path

import pandas as pd
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
    parts = [read_measured(kind, [], [], {})]
    for task, jobs in wanted.jobs.items():
        files = [path for path in paths(given.get("files")) if path.parent.name == task]
        tables = [path for path in paths(given.get("tables")) if path.stem == task]
        # Rows name the task of a variant, files the variant.
        base = snakemake.config["plan"]["variants"].get(task, {"task": task})["task"]
        parts.append(read_measured(kind, files, tables, {base: jobs}))
    found = pd.concat([part for part in parts if len(part)] or parts, ignore_index=True)
    write(table(found), Path(output.csv), Path(output.markdown))
    if output.figure:
        save_figure(connectivity.draw_connectivity(found), paths(output.figure))
