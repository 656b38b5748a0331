# From rows to what a reader sees. Nothing here trains anything.


rule collect:
    input:
        rows=row_files,
    output:
        rows=report(
            f"{RESULTS}/rows.csv", caption="../report/rows.rst", category="Rows"
        ),
    log:
        f"{RESULTS}/logs/collect.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("collect.py"),
    message:
        "Collect the rows of all jobs"
    script:
        "../scripts/collect.py"


rule table:
    input:
        rows=row_files_of_task,
    output:
        csv=f"{RESULTS}/tables/{{task}}.csv",
        markdown=f"{RESULTS}/tables/{{task}}.md",
        html=report(
            f"{RESULTS}/tables/{{task}}.html",
            caption="../report/table.rst",
            category="Tables",
            labels={"task": "{task}"},
        ),
    log:
        f"{RESULTS}/logs/table_{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("table.py"),
    message:
        "Table of task {wildcards.task}"
    script:
        "../scripts/table.py"


rule operating_points:
    input:
        rows=row_files_of_task,
    output:
        csv=f"{RESULTS}/points/{{task}}.csv",
        markdown=report(
            f"{RESULTS}/points/{{task}}.md",
            caption="../report/operating_points.rst",
            category="Tables",
            labels={"task": "{task}, best to small"},
        ),
        latex=f"{RESULTS}/points/{{task}}.tex",
    log:
        f"{RESULTS}/logs/operating_points_{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("operating_points.py"),
    message:
        "Best, Optim and Small of task {wildcards.task}"
    script:
        "../scripts/operating_points.py"


rule summary:
    input:
        rows=files_of_everything("rows", of_one_task=True),
        latency=f"{RESULTS}/latency/{{task}}.csv",
    output:
        csv=f"{RESULTS}/summary/{{task}}.csv",
        markdown=report(
            f"{RESULTS}/summary/{{task}}.md",
            caption="../report/operating_points.rst",
            category="Tables",
            labels={"task": "{task}, best to small, all runs"},
        ),
        latex=f"{RESULTS}/summary/{{task}}.tex",
    log:
        f"{RESULTS}/logs/summary_{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("operating_points.py"),
    message:
        "Best, Optim and Small of all runs on task {wildcards.task}"
    script:
        "../scripts/operating_points.py"


rule curve:
    input:
        rows=row_files_of_task,
    output:
        svg=report(
            f"{FIGURES}/{{task}}_curve.svg",
            caption="../report/curve.rst",
            category="Curves",
            labels={"task": "{task}"},
        ),
        png=f"{FIGURES}/{{task}}_curve.png",
    log:
        f"{RESULTS}/logs/curve_{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("curve.py"),
    message:
        "Curve of task {wildcards.task}"
    script:
        "../scripts/curve.py"


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


rule comparison:
    input:
        rows=row_files_of_study,
    output:
        csv=f"{RESULTS}/studies/{{study}}/{{task}}.csv",
        markdown=f"{RESULTS}/studies/{{study}}/{{task}}.md",
        svg=report(
            f"{FIGURES}/{{task}}_{{study}}.svg",
            caption="../report/study.rst",
            category="Studies",
            labels={"task": "{task}", "study": "{study}"},
        ),
        png=f"{FIGURES}/{{task}}_{{study}}.png",
    log:
        f"{RESULTS}/logs/{{study}}_{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        ratios=lambda wildcards: config["studies"][wildcards.study]["ratios"],
        code=code_of("comparison.py"),
    message:
        "Study {wildcards.study} on task {wildcards.task}"
    script:
        "../scripts/comparison.py"


rule figure:
    input:
        rows=files_of_everything("rows"),
        recorded="config/recorded_curves.yaml",
        latency=lambda wildcards: (
            expand(f"{RESULTS}/latency/{{task}}.csv", task=TASKS)
            if wildcards.figure == "speed_up"
            else []
        ),
    output:
        svg=report(
            f"{FIGURES}/{{figure}}.svg",
            caption="../report/figure.rst",
            category="Figures",
            labels={"figure": "{figure}"},
        ),
        png=f"{FIGURES}/{{figure}}.png",
    log:
        f"{RESULTS}/logs/figure_{{figure}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        ratios=[4, 16],
        code=code_of("figure.py"),
    message:
        "Figure {wildcards.figure} of all tasks"
    script:
        "../scripts/figure.py"


rule interactive:
    input:
        rows=files_of_everything("rows"),
        latency=expand(f"{RESULTS}/latency/{{task}}.csv", task=TASKS),
    output:
        html=report(
            f"{RESULTS}/curves.html",
            caption="../report/interactive.rst",
            category="Figures",
            labels={"figure": "all networks, to hover over"},
        ),
    log:
        f"{RESULTS}/logs/interactive.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        profile=PROFILE,
        code=code_of("interactive.py"),
    message:
        "One page with all networks, to hover over"
    script:
        "../scripts/interactive.py"


rule verdicts:
    input:
        rows=files_of_everything("rows"),
        pieces=files_of_everything("pieces"),
        hypotheses="config/hypotheses.yaml",
        costs=f"{RESULTS}/costs.csv",
        latency=f"{RESULTS}/latency.csv",
    output:
        csv=f"{RESULTS}/verdicts.csv",
        markdown=report(
            f"{RESULTS}/verdicts.md",
            caption="../report/verdicts.rst",
            category="Verdicts",
        ),
        latex=f"{RESULTS}/verdicts.tex",
    log:
        f"{RESULTS}/logs/verdicts.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        rng_seed=config["evidence_seed"],
        code=code_of("verdicts.py"),
    message:
        "Verdicts on the hypotheses"
    script:
        "../scripts/verdicts.py"


rule checklist:
    input:
        rows=files_of_everything("rows"),
        pieces=files_of_everything("pieces"),
        checklist="config/checklist.yaml",
        verdicts=f"{RESULTS}/verdicts.csv",
        citation="CITATION.cff",
    output:
        markdown=report(
            f"{RESULTS}/checklist.md",
            caption="../report/checklist.rst",
            category="Verdicts",
        ),
    log:
        f"{RESULTS}/logs/checklist.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("checklist.py"),
    message:
        "What a sceptic would ask for, computed"
    script:
        "../scripts/checklist.py"


rule replication:
    input:
        rows=files_of_everything("rows"),
        pieces=files_of_everything("pieces"),
        verdicts=f"{RESULTS}/verdicts.csv",
        recorded="config/recorded.yaml",
        curves="config/recorded_curves.yaml",
    output:
        markdown=report(
            f"{RESULTS}/REPLICATION.md",
            caption="../report/replication.rst",
            category="Verdicts",
        ),
    log:
        f"{RESULTS}/logs/replication.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("replication.py"),
    message:
        "The replication on one page"
    script:
        "../scripts/replication.py"


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
