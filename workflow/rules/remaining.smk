# What a dry run says at its end: how many trainings are left, and about how long they take here.

import atexit
import collections

from mirtrim.utils import provenance
from mirtrim.runs.remaining import Pending, Work, about


def work_of(task):
    """How much a dense training is beside those of other variants of the task."""
    block = VARIANTS[task]["block"] if task in VARIANTS else config["tasks"][task]
    width = VARIANTS[task]["values"].get("width", 1) if task in VARIANTS else 1
    return Work(base_of(task), block["training"]["epochs"] * width**2)


WORK = {task: work_of(task) for task in [*TASKS, *VARIANTS]}


def say_what_is_left():
    """Print the line after a dry run."""
    dag = getattr(workflow, "dag", None)
    if dag is None or not workflow.dryrun:
        return
    jobs = [
        job
        for job in dag.needrun_jobs(exclude_finished=False)
        if job.rule.name in ("dense", "compress")
    ]
    left = [
        Pending(
            job.wildcards.task,
            job.wildcards.get("run", "dense"),
            (
                len(PLAN.rounds[f"{job.wildcards.task} {job.wildcards.run}"])
                if job.rule.name == "compress"
                else 1
            ),
        )
        for job in jobs
    ]
    cores = workflow.resource_settings.cores or 1
    line = about(left, ROWS, WORK, provenance.machine(), cores)
    if line:
        print(line, file=sys.stderr)
        reasons = collections.Counter(
            why_trained(
                job.wildcards.task,
                f"{job.wildcards.get('run', 'dense')}_seed{job.wildcards.seed}",
            )
            or "others start from it"
            for job in jobs
        )
        told = (f"{why} ({count})" for why, count in reasons.most_common())
        print(f"why: {', '.join(told)}", file=sys.stderr)


# When the process ends, because Snakemake has no hook for the end of a dry run.
if workflow.is_main_process:
    atexit.register(say_what_is_left)
