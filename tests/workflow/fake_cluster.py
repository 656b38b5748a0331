"""A cluster of one machine: takes jobs, says how they are, and kills those that need more memory.

python fake_cluster.py FOLDER submit NEEDED_MB MEM_MB RUNTIME_MINUTES THREADS JOBSCRIPT
python fake_cluster.py FOLDER status ID
python fake_cluster.py FOLDER cancel ID ...

FOLDER keeps one JSON file per submission, with what was asked for. A job of rule `dense` that
asks for less than NEEDED_MB "runs out of memory" before it starts.
"""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

KILLED = 137


def submit(folder: Path, needed: str, mem: str, runtime: str, threads: str, script: str) -> str:
    """Start `script` in the background; returns the number of the job."""
    found = re.search(r"^# properties = (.*)$", Path(script).read_text(), re.MULTILINE)
    assert found is not None
    properties = json.loads(found[1])
    number = str(len(list(folder.glob("*.json"))) + 1)
    asked = {
        "name": properties.get("rule") or properties["groupid"],
        "mem_mb": int(mem),
        "runtime": int(runtime),
        "threads": int(threads),
        "output": properties["output"],
    }
    end = folder / f"{number}.end"
    if asked["name"] == "dense" and asked["mem_mb"] < int(needed):
        end.write_text(str(KILLED))
    else:
        with (folder / f"{number}.log").open("w") as log:
            process = subprocess.Popen(
                ["sh", "-c", f"sh '{script}'; echo $? > '{end}.new'; mv '{end}.new' '{end}'"],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        asked["process"] = process.pid
    (folder / f"{number}.json").write_text(json.dumps(asked))
    return number


def status(folder: Path, number: str) -> str:
    """running, success or failed."""
    end = folder / f"{number}.end"
    if not end.exists():
        return "running"
    return "success" if end.read_text().strip() == "0" else "failed"


def cancel(folder: Path, *numbers: str) -> None:
    """Kill jobs with everything that they have started."""
    for number in numbers:
        job = json.loads((folder / f"{number}.json").read_text())
        os.killpg(job["process"], signal.SIGKILL)
        (folder / f"{number}.end").write_text(str(KILLED))


if __name__ == "__main__":
    _, where, verb, *rest = sys.argv
    said = {"submit": submit, "status": status, "cancel": cancel}[verb](Path(where), *rest)
    if said is not None:
        print(said)
