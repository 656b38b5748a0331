# Studies that vary their tasks, told level by level; targets by their own names.


def levels_of_study(study):
    """The variants that a study has."""
    return {
        name: variant for name, variant in VARIANTS.items() if study in variant["study"]
    }


# Error and calibration. What is inspected are networks, which no checkout has; their lines it has.
for study, block in VARIED.items():
    if block["told"] != "calibration":
        continue

    rule:
        name:
            study
        input:
            tables=tables("inspections", list(varied_jobs(study))),
            inspections=later(
                measurements,
                "inspections",
                measurable("inspections", varied_jobs(study)),
            ),
        output:
            csv=f"{RESULTS}/studies/{study}/calibration.csv",
            markdown=report(
                f"{RESULTS}/studies/{study}/calibration.md",
                caption="../report/levels.rst",
                category="Studies",
                labels={"task": "all", "study": study},
            ),
            figure=[
                report(
                    f"{FIGURES}/{study}.svg",
                    caption="../report/levels.rst",
                    category="Studies",
                    labels={"task": "all", "study": study},
                ),
                f"{FIGURES}/{study}.png",
            ],
        log:
            f"{RESULTS}/logs/study_{study}.log",
        priority: 1
        conda:
            "../envs/mirtrim.yaml"
        params:
            study=study,
            jobs=measurable("inspections", varied_jobs(study)),
            variants=levels_of_study(study),
            code=code_of("calibration_of_levels.py"),
        message:
            f"Study {study}: error and calibration at every level and ratio"
        script:
            "../scripts/calibration_of_levels.py"


# Errors of rare and of frequent classes, which stand in the rows.
for study, block in VARIED.items():
    if block["told"] != "rare_classes":
        continue

    rule:
        name:
            study
        input:
            tables=tables("rows", list(varied_jobs(study))),
            rows=later(files, "rows", varied_jobs(study)),
        output:
            csv=f"{RESULTS}/studies/{study}/rare_classes.csv",
            markdown=report(
                f"{RESULTS}/studies/{study}/rare_classes.md",
                caption="../report/levels.rst",
                category="Studies",
                labels={"task": "all", "study": study},
            ),
            figure=[
                report(
                    f"{FIGURES}/{study}.svg",
                    caption="../report/levels.rst",
                    category="Studies",
                    labels={"task": "all", "study": study},
                ),
                f"{FIGURES}/{study}.png",
            ],
        log:
            f"{RESULTS}/logs/study_{study}.log",
        priority: 1
        conda:
            "../envs/mirtrim.yaml"
        params:
            study=study,
            runs=runs_of_varied(study),
            variants=levels_of_study(study),
            code=code_of("rare_classes.py"),
        message:
            f"Study {study}: errors of rare and of frequent classes"
        script:
            "../scripts/rare_classes.py"


def has_line(block):
    """Whether a study has levels enough to draw errors along them."""
    return any(
        len(levels) > 2
        for dimensions in block["variants"].values()
        for levels in dimensions.values()
    )


# Whether a setting changes errors: every level minus the first.
for study, block in VARIED.items():
    if block["told"] != "levels":
        continue

    rule:
        name:
            study
        input:
            tables=tables("rows", list(varied_jobs(study))),
            rows=later(files, "rows", varied_jobs(study)),
        output:
            csv=f"{RESULTS}/studies/{study}/levels.csv",
            markdown=report(
                f"{RESULTS}/studies/{study}/levels.md",
                caption="../report/level_contrasts.rst",
                category="Studies",
                labels={"task": "all", "study": study},
            ),
            figure=(
                [
                    report(
                        f"{FIGURES}/{study}.svg",
                        caption="../report/level_contrasts.rst",
                        category="Studies",
                        labels={"task": "all", "study": study},
                    ),
                ]
                if has_line(block)
                else []
            ),
        log:
            f"{RESULTS}/logs/study_{study}.log",
        priority: 1
        conda:
            "../envs/mirtrim.yaml"
        params:
            study=study,
            runs=runs_of_varied(study),
            variants=levels_of_study(study),
            code=code_of("levels.py"),
        message:
            f"Study {study}: errors at every level minus those at the first"
        script:
            "../scripts/levels.py"
