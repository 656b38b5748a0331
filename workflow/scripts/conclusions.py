"""Write what all rows say: verdicts, checklist, smallest good networks, the replication."""

from pathlib import Path

import yaml
from job import job, paths, rows_of

from mirtrim.analysis.checklist import write_checklist
from mirtrim.analysis.conditions import conditions_of
from mirtrim.analysis.free_ratios import read_variants
from mirtrim.analysis.operating_points import operating_points, write_operating_points
from mirtrim.analysis.recorded import load_recorded
from mirtrim.analysis.recordings import read_summary
from mirtrim.analysis.replication import write_replication
from mirtrim.analysis.simple_rules import dense_beside_rules, read_rules
from mirtrim.analysis.task_evidence import read_pieces
from mirtrim.analysis.verdict_tables import read_verdicts
from mirtrim.analysis.verdicts import write_verdicts
from mirtrim.runs.cost_rows import read_cost_rows, read_latencies
from mirtrim.runs.measured_rows import Barrier, Inspection, read_beside

given, settings, output = snakemake.input, snakemake.params, snakemake.output
with job(snakemake, "conclusions"):
    rows = rows_of(snakemake, settings.jobs)
    pieces = read_pieces(
        paths(given.get("pieces")), paths(given.get("piece_tables")), settings.jobs
    )
    latency = read_latencies(paths(given.get("latency")), paths(given.get("latency_tables")))
    costs = read_cost_rows(
        paths(given.get("costs")), paths(given.get("cost_tables")), settings.exported
    )
    inspections, barriers = (
        read_beside(kind, settings.measured[name])
        for name, kind in (("inspections", Inspection), ("connectivity", Barrier))
    )
    published = yaml.safe_load(Path(given.published).read_text(encoding="utf-8"))
    conditions = conditions_of(snakemake.config["tasks"], published["tasks"])
    write_verdicts(
        rows,
        pieces,
        Path(given.hypotheses),
        *map(Path, output.verdicts),
        rng_seed=settings.rng_seed,
        costs=costs,
        latency=latency,
        corpora=snakemake.config["corpora"],
        conditions=conditions,
        variants=read_variants(settings.variants, paths(given.get("variant_tables"))),
        barriers=barriers[barriers.profile == snakemake.config["profile"]],
    )
    verdicts = read_verdicts(Path(output.verdicts[0]))
    write_checklist(
        rows,
        pieces,
        {**snakemake.config, "tasks": settings.configured},
        Path(given.checklist),
        Path(output.checklist),
        verdicts=verdicts,
        citation=yaml.safe_load(Path(given.citation).read_text(encoding="utf-8")),
        inspections=inspections,
        barriers=barriers,
    )
    recorded = load_recorded(Path(given.recorded)).points
    files = zip(output.points_csv, output.points_markdown, output.points_latex, strict=True)
    for task, paths in zip(settings.tasks, files, strict=True):
        points = operating_points(
            rows[rows.task == task], latency[latency.task == task], recorded.get(task)
        )
        write_operating_points(points, *map(Path, paths))
    rules = None
    if settings.baselines:
        rules = dense_beside_rules(
            pieces,
            read_rules(list(map(Path, settings.baselines))),
            snakemake.config["corpora"],
            settings.rng_seed,
        )
    recordings = read_summary(Path(settings.recordings[0])) if settings.recordings else None
    write_replication(
        rows,
        pieces,
        verdicts,
        Path(given.recorded),
        Path(given.curves),
        Path(output.replication),
        conditions,
        {profile: read_verdicts(Path(path)) for profile, path in settings.others.items()},
        rules,
        settings.left,
        recordings=recordings,
    )
