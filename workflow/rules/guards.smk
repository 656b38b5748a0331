# What is done before any job starts: locks of killed runs, folders that cannot be written to,
# and when all have ended.
#
# Snakemake keeps others out of a folder with files, which a killed run leaves behind; the next
# one then asks for --unlock. The system, though, knows who lives: every run holds a shared lock
# on one file, and one that finds itself alone clears what the dead have left.

import fcntl
import shutil
import socket

from mirtrim.runs.tables import restore


def clear_stale_locks(folder):
    """Remove Snakemake's locks if nobody lives who could hold them; returns what says we live."""
    folder.mkdir(exist_ok=True)
    stream = open(folder / "mirtrim_living", "a+")
    stream.seek(0)
    hosts = set(stream.read().split())
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Not all network file systems tell hosts of each other's locks.
        if hosts == {socket.gethostname()}:
            shutil.rmtree(folder / "locks", ignore_errors=True)
    except OSError:
        pass
    if socket.gethostname() not in hosts:
        print(socket.gethostname(), file=stream, flush=True)
    try:
        fcntl.flock(stream, fcntl.LOCK_SH)
    except OSError:
        pass
    return stream


if workflow.is_main_process:
    try:
        LIVING = clear_stale_locks(Path(".snakemake"))
    except OSError:
        pass  # Snakemake itself says what is wrong with the folder


def unwritable(*roots):
    """Existing folders below `roots`, or the ones that these would be made in, that are closed."""
    for root in map(Path, roots):
        folders = [folder for folder, _, _ in os.walk(root)]
        while not folders:
            root = root.parent
            folders = [root] if root.is_dir() else []
        yield from (folder for folder in folders if not os.access(folder, os.W_OK))


# Not when the workflow is read: a dry run may look at results that it cannot write.
onstart:
    for folder in unwritable(RESULTS, FIGURES):
        raise WorkflowError(
            f"{folder} cannot be written to; make it writable, or run in a copy of this folder"
        )
    if workflow.is_main_process:
        restore(Path(RESULTS))
    # So that it starts few enough jobs per second, Snakemake (9.27) looks for work one second
    # after it has looked, and after every job that ends as well: n times a second after n jobs.
    # Clusters need such a limit. Here it takes a seventh of a core after 57 jobs, and ever more.
    if workflow.local_exec:
        workflow.scheduler.job_rate_limiter = None


# Only now is it written down that every job has ended; a killed run starts some of them again.
onsuccess:
    if workflow.is_main_process:
        remove_ended(Path(RESUME))
