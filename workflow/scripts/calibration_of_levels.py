"""Tell and draw error and calibration at every level of a study that varies its tasks."""

from pathlib import Path

from job import job, paths

from mirtrim.analysis.figures.levels import draw_calibration_of_levels
from mirtrim.analysis.figures.panels import write
from mirtrim.analysis.levels import (
    CALIBRATION,
    CALIBRATION_NOTE,
    level_table,
    read_inspected,
    write_levels,
)

given, wanted, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    lines = read_inspected(
        wanted.variants, wanted.jobs, paths(given.get("tables")), paths(given.get("inspections"))
    )
    table = level_table(lines, CALIBRATION)
    write_levels(table, CALIBRATION, CALIBRATION_NOTE, Path(output.csv), Path(output.markdown))
    write(draw_calibration_of_levels(lines), [Path(path) for path in output.figure])
