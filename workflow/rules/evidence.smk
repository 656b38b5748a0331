# From rows to what a reader sees. Nothing here trains anything.


rule collect:
    input:
        rows=row_files,
        pieces=piece_files,
    output:
        rows=report(
            f"{RESULTS}/rows.csv", caption="../report/rows.rst", category="Rows"
        ),
        pieces=f"{RESULTS}/pieces.csv",
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
