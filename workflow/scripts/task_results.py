"""Write table, curve and operating points of one task."""

from pathlib import Path

from job import job, paths, rows_of

from mirtrim.analysis.curves import draw_error_curve
from mirtrim.analysis.operating_points import operating_points, write_operating_points
from mirtrim.analysis.recorded import load_recorded
from mirtrim.analysis.tables import summary_table, write_summary

output = snakemake.output
with job(snakemake, f"results {snakemake.wildcards.task}"):
    rows = rows_of(snakemake, snakemake.params.jobs)
    write_summary(summary_table(rows), *map(Path, output.table))
    recorded = load_recorded(Path(snakemake.params.recorded)).points.get(snakemake.wildcards.task)
    points = operating_points(rows, recorded=recorded)
    write_operating_points(points, *map(Path, output.points))
    draw_error_curve(rows, paths(output.curve))
