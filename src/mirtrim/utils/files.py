"""Writing files so that a reader sees either the old one or the whole new one."""

import errno
import hashlib
import itertools
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mirtrim.utils.errors import ArtefactError, MirtrimError

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None  # type: ignore[assignment]


REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EROFS: "make the folder writable",
    errno.EACCES: "make it accessible",
    errno.EPERM: "make it accessible",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EISDIR: "move it away or choose another name",
    errno.ENOTDIR: "choose another name",
    errno.EEXIST: "choose another name",
}


def explain(error: OSError | MirtrimError) -> str:
    """One line for an error; for system errors it names the file and says what to do."""
    if isinstance(error, MirtrimError):
        return str(error)
    if error.errno is None:
        return " ".join(str(error).split())
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{os.strerror(error.errno)}; {remedy(error)} and run again"


def remedy(error: OSError) -> str:
    """What the user can do about it."""
    return REMEDIES.get(error.errno or 0, "check the folder")


@contextmanager
def naming(path: Path, *others: Path) -> Iterator[None]:
    """Make an `OSError` name `path` if it names no file, as for a full disk, or one of `others`."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename not in (None, *map(str, others)):
            raise
        raise OSError(error.errno, os.strerror(error.errno), str(path)) from error


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path next to `path`; move it into place if the block succeeds.

    The move is atomic because both names lie in the same folder. If the block raises, the
    temporary file is removed and `path` is left as it was. What a killed process has left is
    taken over by the next one that writes `path`.

    A symbolic link is kept and its target is written. Devices and pipes are kept as well: the
    finished content is copied into them.

    Raises:
        OSError: names `path`, also where the system names no file; before the block if
            `check_target` knows.
    """
    if is_special(path):
        with _copied_into(Path(path)) as temporary:
            yield temporary
        return
    check_target(path)
    target = _behind_links(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = _reserve(target)
    try:
        with naming(target, temporary):
            yield temporary
            os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


def check_target(path: str | os.PathLike[str]) -> None:
    """Refuse what cannot be written before any work is put into it; nothing is made.

    Raises:
        OSError: `path` is a folder, its folder cannot be made or written, or its name is too long.
    """
    if is_special(path):
        return
    target = _behind_links(path)
    folder = next(one for one in target.absolute().parents if os.path.lexists(one))
    if target.is_dir():
        raise _refusal(errno.EISDIR, path)
    if not folder.is_dir():
        raise _refusal(errno.ENOTDIR, folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _refusal(errno.EACCES, folder)
    hidden = _hidden(target, 0)
    # If the file does not exist yet, check its nearest existing folder.
    for name in (*target.absolute().parent.relative_to(folder).parts, hidden.name):
        with suppress(FileNotFoundError), naming(target, folder / name):
            os.lstat(folder / name)


def _refusal(number: int, path: str | os.PathLike[str]) -> OSError:
    return OSError(number, os.strerror(number), os.fspath(path))


def _behind_links(path: str | os.PathLike[str]) -> Path:
    return Path(os.path.realpath(path)) if os.path.islink(path) else Path(path)


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether a path exists that is neither a regular file nor a folder, or that is standard output
    under another name."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or _is_stdout(path)


def _is_stdout(path: str | os.PathLike[str]) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(1))
    except OSError:
        return False


@contextmanager
def _copied_into(target: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="mirtrim-") as folder:
        temporary = Path(folder) / f"content{target.suffix}"
        with naming(target, temporary):
            yield temporary
            # If standard output is a file, reopening it would overwrite it from the start.
            where = os.dup(1) if _is_stdout(target) else target
            with open(temporary, "rb") as content, open(where, "wb") as stream:
                shutil.copyfileobj(content, stream)


def _reserve(target: Path) -> tuple[int, Path]:
    """Open the first hidden file beside `target` that no living process writes."""
    for number in itertools.count():
        path = _hidden(target, number)
        with naming(target, path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if lock(descriptor) and _is_at(descriptor, path):
            os.ftruncate(descriptor, 0)
            return descriptor, path
        os.close(descriptor)
    raise AssertionError  # numbers do not end


def _hidden(target: Path, number: int) -> Path:
    return target.with_name(f".{target.name}.{number}{target.suffix}")


def lock(descriptor: int) -> bool:
    """Lock an open file until it is closed or its process dies; False if another one has it.

    True where the file system, or the operating system, has no locks.
    """
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return not isinstance(error, BlockingIOError)
    return True


def wait_for_lock(descriptor: int) -> None:
    """The same, but wait until it is free."""
    if fcntl is not None:
        with suppress(OSError):  # the file system has no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file still has that name: its last writer may just have moved it."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write `content` to `path` in one atomic step."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write UTF-8 `text` to `path` in one atomic step."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write `value` as indented JSON with sorted keys, in one atomic step."""
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """What `write_json` writes."""
    return json.dumps(value, indent=2, sort_keys=True, allow_nan=False) + "\n"


def read_json(path: str | os.PathLike[str], remedy: str = "delete it and run again") -> Any:
    """Read JSON; a damaged file is an `ArtefactError` that names it and ends with `remedy`."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{path} is not valid JSON ({error}); {remedy}") from error


def sha256_of_file(path: str | os.PathLike[str]) -> str:
    """Hexadecimal SHA-256 digest of a file's bytes."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def sha256_of_value(value: Any) -> str:
    """Digest of a JSON-able value, independent of the order of mapping keys."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
