"""Tell and draw what finished networks say of themselves: calibration, worst, units left."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.calibration import calibration_table, write_calibration
from mirtrim.analysis.figures.inspected import draw_calibration, draw_units
from mirtrim.analysis.style import save_figure
from mirtrim.analysis.task_evidence import read_pieces
from mirtrim.runs.measured_rows import Inspection, read_measured

given, jobs, output = snakemake.input, snakemake.params.jobs, snakemake.output
with job(snakemake, "inspections"):
    found = read_measured(
        Inspection, paths(given.get("inspections")), paths(given.get("tables")), jobs
    )
    pieces = read_pieces(paths(given.get("pieces")), paths(given.get("piece_tables")), jobs)
    files = zip(output.csv, output.markdown, output.units, output.units_png, strict=True)
    for task, (csv, markdown, svg, png) in zip(jobs, files, strict=True):
        part = found[found.task == task]
        write_calibration(
            calibration_table(part, pieces[pieces.task == task]), Path(csv), Path(markdown)
        )
        save_figure(draw_units(part), [Path(svg), Path(png)])
    save_figure(draw_calibration(found), paths(output.figure))
