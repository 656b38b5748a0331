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
        code=lambda wildcards: code_of("cost.py", dense_code(wildcards.task)),
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


rule cost_table:
    input:
        costs=cost_files_of_task,
        latency=f"{RESULTS}/latency/{{task}}.csv",
        arenas=lambda wildcards: [
            path
            for path in files_for_boards(wildcards)
            if path.split("/")[-2] == wildcards.task
        ],
    output:
        csv=f"{RESULTS}/costs/{{task}}.csv",
        markdown=report(
            f"{RESULTS}/costs/{{task}}.md",
            caption="../report/cost_table.rst",
            category="Costs",
            labels={"task": "{task}"},
        ),
    log:
        f"{RESULTS}/logs/cost_table_{{task}}.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("cost_table.py"),
    message:
        "What compression buys on task {wildcards.task}"
    script:
        "../scripts/cost_table.py"


rule collect_costs:
    input:
        costs=[
            path
            for task in TASKS
            for path in files_of_runs(
                "costs", task, ".csv", cost_runs(task), config["costs"]["seeds"]
            )
        ],
        latency=expand(f"{RESULTS}/latency/{{task}}.csv", task=TASKS),
    output:
        costs=f"{RESULTS}/costs.csv",
        latency=f"{RESULTS}/latency.csv",
    log:
        f"{RESULTS}/logs/collect_costs.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("collect_costs.py"),
    message:
        "Collect costs and latencies of all tasks"
    script:
        "../scripts/collect_costs.py"


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
        code=lambda wildcards: code_of("microcontroller.py", dense_code(wildcards.task)),
    message:
        "{wildcards.run} of task {wildcards.task}, seed {wildcards.seed}, for microcontrollers"
    script:
        "../scripts/microcontroller.py"


rule board_table:
    input:
        tables=files_for_boards,
        boards="config/boards.yaml",
    output:
        csv=f"{RESULTS}/boards.csv",
        markdown=report(
            f"{RESULTS}/boards.md",
            caption="../report/boards.rst",
            category="Costs",
            labels={"task": "all, boards"},
        ),
        latex=f"{RESULTS}/boards.tex",
    log:
        f"{RESULTS}/logs/boards.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("boards.py"),
    message:
        "Which networks fit which board"
    script:
        "../scripts/boards.py"


rule bytes:
    input:
        costs=f"{RESULTS}/costs.csv",
    output:
        svg=report(
            f"{FIGURES}/bytes.svg",
            caption="../report/bytes.rst",
            category="Costs",
            labels={"task": "all, bytes"},
        ),
        png=f"{FIGURES}/bytes.png",
    log:
        f"{RESULTS}/logs/bytes.log",
    conda:
        "../envs/mirtrim.yaml"
    params:
        code=code_of("bytes.py"),
    message:
        "Error against bytes"
    script:
        "../scripts/bytes.py"
