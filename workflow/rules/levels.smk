# Studies that vary their tasks, told level by level; targets by their own names.

# How a study is told → caption of its page, and what it is about.
PAGES = {
    "contrasts": ("factors", "two runs beside each other, in every variant"),
    "calibration": ("levels", "error and calibration at every level and ratio"),
    "rare_classes": ("levels", "errors of rare and of frequent classes"),
    "levels": ("level_contrasts", "errors at every level minus those at the first"),
}


def has_line(block):
    """Whether a study has levels enough to draw errors along them."""
    return any(
        len(levels) > 2
        for dimensions in block["variants"].values()
        for levels in dimensions.values()
    )


def figure_of(study, block, caption):
    """Figures of a study, if it has some."""
    if block["told"] == "contrasts" or (
        block["told"] == "levels" and not has_line(block)
    ):
        return []
    drawn = page_of(f"{FIGURES}/{study}.svg", study, caption)
    return [drawn] if block["told"] == "levels" else [drawn, f"{FIGURES}/{study}.png"]


for study, block in VARIED.items():
    if block["told"] not in PAGES:
        continue
    caption, words = PAGES[block["told"]]
    # Inspected are networks, which no checkout has; their lines it has. All else is in the rows.
    inspected = block["told"] == "calibration"
    kind, jobs = ("inspections" if inspected else "rows"), varied_jobs(study)
    wanted = measurable(kind, jobs) if inspected else jobs

    rule:
        name:
            study
        input:
            tables=tables(kind, list(jobs)),
            rows=later(measurements if inspected else files, kind, wanted),
        output:
            csv=f"{RESULTS}/studies/{study}/{block['told']}.csv",
            markdown=page_of(
                f"{RESULTS}/studies/{study}/{block['told']}.md", study, caption
            ),
            figure=figure_of(study, block, caption),
        log:
            f"{RESULTS}/logs/study_{study}.log",
        priority: 1
        conda:
            "../envs/mirtrim.yaml"
        params:
            study=study,
            told=block["told"],
            runs=runs_of_varied(study),
            jobs=wanted,
            contrasts=block["contrasts"],
            variants=variants_of(study),
            code=code_of("levels.py"),
        message:
            f"Study {study}: {words}"
        script:
            "../scripts/levels.py"
