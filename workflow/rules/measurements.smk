# What is measured on finished networks beside their scores: calibration, units left,
# barriers, trunks that two tasks share, directions of weights.
#
# Each job's lines go into tables of their own, as costs do: a new measurement makes no row stale.


rule inspection:
    input:
        store=features_of_task,
        networks=networks_of_run,
        tables=rows_at_hand,
        rows=rows_of_run,
    output:
        table=f"{RESULTS}/jobs/inspections/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/inspection/{{task}}_{{run}}_seed{{seed}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=lambda wildcards: code_of("inspection.py", f"dense {wildcards.task}"),
    message:
        "Calibration and units of {wildcards.run} on task {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/inspection.py"


rule barrier:
    input:
        store=features_of_task,
        network=f"{RESULTS}/networks/{{task}}/dense_seed{{seed}}.safetensors",
        networks=networks_of_run,
        tables=rows_at_hand,
        rows=rows_of_run,
    output:
        table=f"{RESULTS}/jobs/connectivity/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/connectivity/{{task}}_{{run}}_seed{{seed}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        ratios=lambda wildcards: config["connectivity"][wildcards.task]["ratios"],
        code=lambda wildcards: code_of("connectivity.py", f"dense {wildcards.task}"),
    message:
        "Two trainings of each ticket of {wildcards.run} on {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/connectivity.py"


rule merge:
    input:
        store=features_of_task,
        other_store=features_of_other,
        network=f"{RESULTS}/networks/{{task}}/dense_seed{{seed}}.safetensors",
        networks=networks_of_run,
        tables=rows_at_hand,
        rows=rows_of_run,
    output:
        table=f"{RESULTS}/jobs/merging/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/merging/{{task}}_{{run}}_seed{{seed}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        other=lambda wildcards: config["merging"][wildcards.task]["other"],
        ratios=lambda wildcards: config["merging"][wildcards.task]["ratios"],
        code=lambda wildcards: code_of(
            "merging.py",
            f"dense {wildcards.task}",
            f"dense {config['merging'][wildcards.task]['other']}",
        ),
    message:
        "Another task on the trunks of {wildcards.run}, {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/merging.py"


rule directions:
    input:
        store=features_of_task,
        network=f"{RESULTS}/networks/{{task}}/dense_seed{{seed}}.safetensors",
        networks=networks_of_run,
        tables=rows_at_hand,
        rows=rows_of_run,
    output:
        table=f"{RESULTS}/jobs/singular/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/singular/{{task}}_{{run}}_seed{{seed}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        ratios=lambda wildcards: config["singular"][wildcards.task]["ratios"],
        code=lambda wildcards: code_of("directions.py", f"dense {wildcards.task}"),
    message:
        "Directions of the weights of {wildcards.run} on {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/directions.py"


rule inspections:
    input:
        tables=tables("inspections", INSPECTED),
        inspections=later(measurements, "inspections", INSPECTED),
        piece_tables=tables("pieces", INSPECTED),
        pieces=later(files, "pieces", INSPECTED),
    output:
        csv=expand(f"{RESULTS}/calibration/{{task}}.csv", task=INSPECTED),
        markdown=[
            report(
                f"{RESULTS}/calibration/{task}.md",
                caption="../report/calibration.rst",
                category="Calibration",
                labels={"task": task},
            )
            for task in INSPECTED
        ],
        units=[
            report(
                f"{FIGURES}/{task}_units.svg",
                caption="../report/units.rst",
                category="Curves",
                labels={"task": f"{task}, units of each layer"},
            )
            for task in INSPECTED
        ],
        units_png=expand(f"{FIGURES}/{{task}}_units.png", task=INSPECTED),
        figure=[
            report(
                f"{FIGURES}/calibration.svg",
                caption="../report/calibration.rst",
                category="Calibration",
                labels={"task": "all"},
            ),
            f"{FIGURES}/calibration.png",
        ],
    log:
        f"{RESULTS}/logs/inspections.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        jobs=INSPECTED,
        code=code_of("inspections.py"),
    message:
        "How sure networks are, which class and pieces they do worst on, and which units are left"
    script:
        "../scripts/inspections.py"


# What was measured → whose, and what it is about.
MEASURED_PAGES = {
    "connectivity": (CONNECTED, "Do two trainings of one ticket end in one valley?"),
    "merging": (MERGED, "What does one trimmed trunk for two tasks cost?"),
    "singular": (
        TAKEN_APART,
        "What runs have changed in the directions of the dense network's weights",
    ),
}
for kind, (jobs, words) in MEASURED_PAGES.items():

    rule:
        name:
            kind
        input:
            tables=tables(kind, jobs),
            files=later(measurements, kind, jobs),
        output:
            csv=f"{RESULTS}/studies/{kind}.csv",
            markdown=page_of(f"{RESULTS}/studies/{kind}.md", kind, kind),
            figure=(
                [
                    page_of(f"{FIGURES}/{kind}.svg", kind, kind),
                    f"{FIGURES}/{kind}.png",
                ]
                if kind == "connectivity"
                else []
            ),
        log:
            f"{RESULTS}/logs/{kind}.log",
        conda:
            "../envs/mirtrim.yaml"
        params:
            jobs=jobs,
            kind=kind,
            code=code_of("measured.py"),
        message:
            words
        script:
            "../scripts/measured.py"


rule learning_curve:
    input:
        tables=f"{RESULTS}/learning/{{task}}.csv.gz",
    output:
        report(
            f"{FIGURES}/{{task}}_learning.svg",
            caption="../report/learning.rst",
            category="Curves",
            labels={"task": "{task}, learning curves"},
        ),
        f"{FIGURES}/{{task}}_learning.png",
    log:
        f"{RESULTS}/logs/learning_{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("learning.py"),
    message:
        "Learning curves of task {wildcards.task}"
    script:
        "../scripts/learning.py"
