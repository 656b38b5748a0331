# What the trained networks cost: bytes, error in int8, latency, memory. Trains nothing.


rule cost:
    input:
        store=features_of_task,
        networks=networks_of_run,
        rows=ancient(f"{RESULTS}/rows/{{task}}/{{run}}_seed{{seed}}.csv"),
    output:
        files=directory(f"{RESULTS}/onnx/{{task}}/{{run}}_seed{{seed}}"),
        costs=f"{RESULTS}/costs/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/cost/{{task}}_{{run}}_seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/cost/{{task}}_{{run}}_seed{{seed}}.tsv"
    conda:
        "../envs/mirtrim.yaml"
    params:
        profile=PROFILE,
        task=settings_of_task,
        code=lambda wildcards: code_of("cost.py", f"dense {wildcards.task}"),
    message:
        "Export, quantise and weigh {wildcards.run} on task {wildcards.task}, seed {wildcards.seed}"
    script:
        "../scripts/cost.py"


rule latency:
    input:
        store=features_of_task,
        networks=timed("networks", ending_of_dense=".safetensors"),
        files=timed("onnx"),
        rows=ancient(timed("rows", ".csv")),
    output:
        latency=f"{RESULTS}/latency/{{task}}.csv",
    log:
        f"{RESULTS}/logs/latency/{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    # All cores, for a measurement that nothing else disturbs; the networks use one.
    threads: workflow.cores or 1
    params:
        profile=PROFILE,
        task=settings_of_task,
        seconds=config["costs"]["latency_seconds"],
        code=code_of("latency.py"),
    message:
        "Latency of the networks of task {wildcards.task}, alone on the machine"
    script:
        "../scripts/latency.py"


rule microcontroller:
    input:
        store=features_of_task,
        networks=networks_of_run,
        rows=ancient(f"{RESULTS}/rows/{{task}}/{{run}}_seed{{seed}}.csv"),
    output:
        files=directory(f"{RESULTS}/tflite/{{task}}/{{run}}_seed{{seed}}"),
        table=f"{RESULTS}/microcontroller/{{task}}/{{run}}_seed{{seed}}.csv",
    log:
        f"{RESULTS}/logs/microcontroller/{{task}}_{{run}}_seed{{seed}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/microcontroller/{{task}}_{{run}}_seed{{seed}}.tsv"
    conda:
        "../envs/mirtrim.yaml"
    params:
        profile=PROFILE,
        task=settings_of_task,
        code=lambda wildcards: code_of("microcontroller.py", f"dense {wildcards.task}"),
    message:
        "{wildcards.run} of task {wildcards.task}, seed {wildcards.seed}, for microcontrollers"
    script:
        "../scripts/microcontroller.py"


rule cost_tables:
    input:
        costs=[path for task in TASKS for path in cost_files_of_task(task)],
        latency=expand(f"{RESULTS}/latency/{{task}}.csv", task=TASKS),
        arenas=[path for task in TASKS for path in arena_files_of_task(task)],
        boards="config/boards.yaml",
    output:
        costs=f"{RESULTS}/costs.csv",
        latency=f"{RESULTS}/latency.csv",
        csv=expand(f"{RESULTS}/costs/{{task}}.csv", task=TASKS),
        markdown=[
            report(
                f"{RESULTS}/costs/{task}.md",
                caption="../report/cost_table.rst",
                category="Costs",
                labels={"task": task},
            )
            for task in TASKS
        ],
        boards=[
            f"{RESULTS}/boards.csv",
            report(
                f"{RESULTS}/boards.md",
                caption="../report/boards.rst",
                category="Costs",
                labels={"task": "all, boards"},
            ),
            f"{RESULTS}/boards.tex",
        ],
        bytes=[
            report(
                f"{FIGURES}/bytes.svg",
                caption="../report/bytes.rst",
                category="Costs",
                labels={"task": "all, bytes"},
            ),
            f"{FIGURES}/bytes.png",
        ],
    log:
        f"{RESULTS}/logs/cost_tables.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        tasks=TASKS,
        code=code_of("cost_tables.py"),
    message:
        "What compression buys on each task, and which networks fit which board"
    script:
        "../scripts/cost_tables.py"
