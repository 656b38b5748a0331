"""Let Snakemake write its report about everything that this job has as input."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from job import job

from mirtrim.utils.errors import MirtrimError
from mirtrim.utils.files import atomic_path

with job(snakemake, "page") as running, TemporaryDirectory() as folder:
    overrides = Path(folder, "overrides.yaml")
    overrides.write_text(yaml.safe_dump(snakemake.params.overrides), encoding="utf-8")
    with atomic_path(snakemake.output.html) as page:
        # The files are there; the run that this job belongs to holds the lock.
        command = [sys.executable, "-m", "snakemake", "--nolock", "--cores", "1"]
        command += ["--snakefile", snakemake.params.snakefile, "--configfile", str(overrides)]
        command += ["--report", str(page), "--", *snakemake.input]
        # Snakemake lists files in the order of sets, which is random without this.
        fixed = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(command, capture_output=True, text=True, env=fixed)
        running.log.info("%s", done.stderr)
        if done.returncode:
            raise MirtrimError("Snakemake could not write the report; see the log")
