"""Folders in which jobs keep what they have finished, outside their declared outputs.

A job that has ended only marks its folder. Whoever started it may be killed before that is written
down, and then deletes the outputs and starts the job again, which finds here all that it did.
"""

import shutil
from pathlib import Path

ENDED = "ended"


def mark_ended(folder: Path) -> None:
    """Say that the outputs of the job that works in `folder` are complete."""
    (folder / ENDED).touch()


def remove_ended(resume_folder: Path) -> None:
    """Delete the folders in `resume_folder` of jobs that have ended; others stay."""
    for mark in resume_folder.glob(f"*/{ENDED}"):
        shutil.rmtree(mark.parent, ignore_errors=True)
