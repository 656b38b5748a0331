"""Which jobs have ended: what they keep to be resumed may go."""

import shutil
from pathlib import Path

ENDED = "ended"


def mark_ended(folder: Path) -> None:
    """Say that the outputs of the job that works in `folder` are complete."""
    (folder / ENDED).touch()


def remove_ended(resume_folder: Path) -> None:
    """Delete the folders of finished jobs in `resume_folder`; others stay."""
    for mark in resume_folder.glob(f"*/{ENDED}"):
        shutil.rmtree(mark.parent, ignore_errors=True)
