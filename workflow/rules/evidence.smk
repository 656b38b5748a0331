# From rows to what a reader sees. Nothing here trains anything.


rule collect:
    input:
        tables=tables("rows", TASKS),
        rows=later(files, "rows", main_jobs()),
    output:
        rows=report(
            f"{RESULTS}/rows.csv", caption="../report/rows.rst", category="Rows"
        ),
    log:
        f"{RESULTS}/logs/collect.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        jobs=main_jobs(),
        code=code_of("collect.py"),
    message:
        "Collect the rows of all jobs"
    script:
        "../scripts/collect.py"


rule task_results:
    input:
        tables=lambda wildcards: tables("rows", [wildcards.task]),
        rows=lambda wildcards: files("rows", main_jobs([wildcards.task])),
    output:
        table=[
            f"{RESULTS}/tables/{{task}}.csv",
            f"{RESULTS}/tables/{{task}}.md",
            report(
                f"{RESULTS}/tables/{{task}}.html",
                caption="../report/table.rst",
                category="Tables",
                labels={"task": "{task}"},
            ),
        ],
        points=multiext(f"{RESULTS}/points/{{task}}", ".csv", ".md", ".tex"),
        curve=[
            report(
                f"{FIGURES}/{{task}}_curve.svg",
                caption="../report/curve.rst",
                category="Curves",
                labels={"task": "{task}"},
            ),
            f"{FIGURES}/{{task}}_curve.png",
        ],
    log:
        f"{RESULTS}/logs/results_{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        jobs=lambda wildcards: main_jobs([wildcards.task]),
        # Not an input, which a cluster would look for in its store.
        recorded="config/recorded.yaml",
        said=sha256_of_file(Path("config/recorded.yaml")),
        code=code_of("task_results.py"),
    message:
        "Table, curve, Best, Optim and Small of task {wildcards.task}"
    script:
        "../scripts/task_results.py"


rule overview:
    input:
        rows=f"{RESULTS}/rows.csv",
    output:
        svg=report(
            f"{FIGURES}/overview.svg",
            caption="../report/overview.rst",
            category="Curves",
            labels={"task": "all"},
        ),
        png=f"{FIGURES}/overview.png",
    log:
        f"{RESULTS}/logs/overview.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("overview.py"),
    message:
        "Curves of all tasks in one figure"
    script:
        "../scripts/overview.py"


# The jobs of studies are targets by their own names.
for study, block in STUDIES.items():

    rule:
        name:
            study
        input:
            tables=tables("rows", block["tasks"]),
            rows=later(files, "rows", study_jobs(study)),
        output:
            csv=expand(f"{RESULTS}/studies/{study}/{{task}}.csv", task=block["tasks"]),
            markdown=expand(
                f"{RESULTS}/studies/{study}/{{task}}.md", task=block["tasks"]
            ),
            svg=[
                report(
                    f"{FIGURES}/{task}_{study}.svg",
                    caption="../report/study.rst",
                    category="Studies",
                    labels={"task": task, "study": study},
                )
                for task in block["tasks"]
            ],
            png=expand(f"{FIGURES}/{{task}}_{study}.png", task=block["tasks"]),
        log:
            f"{RESULTS}/logs/study_{study}.log",
        # A job of five tasks that starts last would leave the other cores without work.
        priority: 1
        conda:
            "../envs/mirtrim.yaml"
        params:
            study=study,
            jobs=study_jobs(study),
            tasks=block["tasks"],
            ratios=block["ratios"],
            code=code_of("study.py"),
        message:
            f"Study {study}: its runs and the main ones beside each other"
        script:
            "../scripts/study.py"


# The same of studies that vary the tasks: targets by their own names, too.
for study, block in VARIED.items():
    if block["told"] != "free_ratios":
        continue

    rule:
        name:
            study
        input:
            tables=tables("rows", list(varied_jobs(study))),
            rows=later(files, "rows", varied_jobs(study)),
            recorded="config/recorded_curves.yaml",
        output:
            csv=f"{RESULTS}/studies/{study}/free_ratios.csv",
            markdown=f"{RESULTS}/studies/{study}/free_ratios.md",
            svg=[
                report(
                    f"{FIGURES}/{task}_{study}.svg",
                    caption="../report/regimes.rst",
                    category="Studies",
                    labels={"task": task, "study": study},
                )
                for task in block["tasks"]
            ],
            png=expand(f"{FIGURES}/{{task}}_{study}.png", task=block["tasks"]),
            map_svg=report(
                f"{FIGURES}/{study}.svg",
                caption="../report/regimes.rst",
                category="Studies",
                labels={"task": "all", "study": study},
            ),
            map_png=f"{FIGURES}/{study}.png",
        log:
            f"{RESULTS}/logs/study_{study}.log",
        priority: 1
        conda:
            "../envs/mirtrim.yaml"
        params:
            study=study,
            runs=[*PLAN.runs, *PLAN.studies[study]],
            tasks=block["tasks"],
            variants=variants_of(study),
            code=code_of("free_ratios.py"),
        message:
            f"Study {study}: error against size, and how far trimming is free"
        script:
            "../scripts/free_ratios.py"


rule figures_of_all:
    input:
        tables=tables("rows", TASKS),
        rows=later(files, "rows", all_jobs()),
        recorded="config/recorded_curves.yaml",
        latency_tables=tables("latency", TASKS),
        latency=later(latency_files, TASKS),
    output:
        svg=[
            report(
                f"{FIGURES}/{figure}.svg",
                caption=f"../report/{figure}.rst",
                category="Figures",
                labels={"figure": figure},
            )
            for figure in FIGURES_OF_ALL
        ],
        png=expand(f"{FIGURES}/{{figure}}.png", figure=FIGURES_OF_ALL),
        interactive=report(
            f"{RESULTS}/curves.html",
            caption="../report/interactive.rst",
            category="Figures",
            labels={"figure": "all networks, to hover over"},
        ),
    log:
        f"{RESULTS}/logs/figures_of_all.log",
    # The longest of these jobs start first.
    priority: 1
    conda:
        "../envs/mirtrim.yaml"
    params:
        profile=PROFILE,
        jobs=all_jobs(),
        figures=FIGURES_OF_ALL,
        ratios=[4, 16],
        code=code_of("figures_of_all.py"),
    message:
        "Figures of all tasks and runs"
    script:
        "../scripts/figures_of_all.py"


rule conclusions:
    input:
        tables=tables("rows", TASKS),
        rows=later(files, "rows", all_jobs()),
        piece_tables=tables("pieces", TASKS),
        pieces=later(files, "pieces", all_jobs()),
        cost_tables=tables("exports", TASKS),
        costs=later(measurements, "exports", exported_jobs()),
        latency_tables=tables("latency", TASKS),
        latency=later(latency_files, TASKS),
        # Of variants, what is there: nobody waits for all of them.
        variant_tables=tables("rows", VARIED_ROWS),
        hypotheses="config/hypotheses.yaml",
        checklist="config/checklist.yaml",
        citation="CITATION.cff",
        recorded="config/recorded.yaml",
        curves="config/recorded_curves.yaml",
        published="config/paper.yaml",
    output:
        verdicts=[
            f"{RESULTS}/verdicts.csv",
            report(
                f"{RESULTS}/verdicts.md",
                caption="../report/verdicts.rst",
                category="Verdicts",
            ),
            f"{RESULTS}/verdicts.tex",
        ],
        checklist=report(
            f"{RESULTS}/checklist.md",
            caption="../report/checklist.rst",
            category="Verdicts",
        ),
        replication=report(
            f"{RESULTS}/REPLICATION.md",
            caption="../report/replication.rst",
            category="Verdicts",
        ),
        points_csv=expand(f"{RESULTS}/summary/{{task}}.csv", task=TASKS),
        points_markdown=[
            report(
                f"{RESULTS}/summary/{task}.md",
                caption="../report/summary.rst",
                category="Tables",
                labels={"task": f"{task}, best to small, all runs"},
            )
            for task in TASKS
        ],
        points_latex=expand(f"{RESULTS}/summary/{{task}}.tex", task=TASKS),
    log:
        f"{RESULTS}/logs/conclusions.log",
    priority: 2
    conda:
        "../envs/mirtrim.yaml"
    params:
        tasks=TASKS,
        # With those that `so_far` leaves out.
        configured=PLAN.config["tasks"],
        jobs=all_jobs(),
        exported=exported_jobs(),
        variants=VARIANTS,
        left=LEFT,
        rng_seed=config["evidence_seed"],
        # Not inputs, which would have to be older: by what they say, this job runs again.
        others=OTHER_VERDICTS,
        baselines=BASELINES,
        recordings=RECORDED,
        measured=MEASURED_THERE,
        said=[
            sha256_of_file(Path(path))
            for path in [
                *OTHER_VERDICTS.values(),
                *BASELINES,
                *RECORDED,
                *(
                    p
                    for of in MEASURED_THERE.values()
                    for ps in of.values()
                    for p in ps
                ),
            ]
        ],
        code=code_of("conclusions.py"),
    message:
        "Verdicts, a sceptic's checklist, the smallest good networks, all of it on one page"
    script:
        "../scripts/conclusions.py"


rule page:
    input:
        evidence_of_the_report,
    output:
        html=f"{RESULTS}/report.html",
    log:
        f"{RESULTS}/logs/page.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        overrides=OVERRIDES,
        snakefile=str(workflow.main_snakefile),
    message:
        "One page with everything: {output.html}"
    script:
        "../scripts/page.py"
