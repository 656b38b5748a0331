"""Draw the figures of all tasks, on paper and as a page to hover over."""

from pathlib import Path

from job import job, paths, rows_of

from mirtrim.analysis import interactive
from mirtrim.analysis.figures.catalogue import draw
from mirtrim.analysis.recorded_curves import read_recorded_curves
from mirtrim.analysis.style import save_figure
from mirtrim.runs.cost_rows import read_latencies

given, wanted, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, "figures of all tasks"):
    rows = rows_of(snakemake, wanted.jobs)
    recorded = read_recorded_curves(Path(given.recorded))
    latency = read_latencies(paths(given.get("latency")), paths(given.get("latency_tables")))
    fp32 = latency[~latency.runtime.str.contains("int8")]  # as the errors in the figures are
    for name, svg, png in zip(wanted.figures, output.svg, output.png, strict=True):
        save_figure(draw(name, rows, recorded, fp32, wanted.ratios), [Path(svg), Path(png)])
    page = interactive.draw(rows, latency)
    interactive.write(page, Path(output.interactive), f"mirtrim, profile {wanted.profile}")
