"""Compare the runs of a study on each of its tasks."""

from pathlib import Path

from job import job, rows_of

from mirtrim.analysis.comparison import comparison, draw_comparison, write_comparison

given, output = snakemake.params, snakemake.output
with job(snakemake, f"study {given.study}"):
    rows = rows_of(snakemake, given.jobs)
    files = zip(output.csv, output.markdown, output.svg, output.png, strict=True)
    for task, (csv, markdown, svg, png) in zip(given.tasks, files, strict=True):
        table = comparison(rows[rows.task == task], given.ratios)
        write_comparison(table, Path(csv), Path(markdown))
        draw_comparison(table, task, [Path(svg), Path(png)])
