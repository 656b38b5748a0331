"""Draw and tell what a study that varies the tasks themselves says."""

from pathlib import Path

from job import job, rows_of_study

from mirtrim.analysis.figures.free_ratios import draw_free, draw_task
from mirtrim.analysis.free_ratios import write_free_ratios
from mirtrim.analysis.recorded_curves import read_recorded_curves
from mirtrim.analysis.style import save_figure

given, wanted, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, f"study {wanted.study}"):
    rows = rows_of_study(snakemake)
    recorded = read_recorded_curves(Path(given.recorded))
    for task, svg, png in zip(wanted.tasks, output.svg, output.png, strict=True):
        save_figure(draw_task(rows[rows.task == task]), [Path(svg), Path(png)])
    save_figure(draw_free(rows, recorded), [Path(output.map_svg), Path(output.map_png)])
    write_free_ratios(rows, Path(output.csv), Path(output.markdown))
