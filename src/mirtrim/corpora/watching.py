"""Whether the files of a corpus that a user keeps have changed."""

import os
from collections.abc import Iterator
from pathlib import Path

from mirtrim.corpora.reader import Settings
from mirtrim.files import sha256_of_value


def state_of_folder(settings: Settings) -> str | None:
    """A digest of names, sizes and times of all files in `folder` and of `index`.

    None where neither is set: what is fetched or rendered here is nobody else's to change. Reading
    the files themselves would take minutes each time that the workflow is started.
    """
    named = [settings.get(key) for key in ("folder", "index")]
    if not any(named):
        return None
    paths = [Path(os.path.expanduser(name)) for name in named if name]
    return sha256_of_value(sorted(entry for path in paths for entry in _entries(path)))


def _entries(path: Path) -> Iterator[list[str | int]]:
    found = [path]
    if path.is_dir():
        found = [Path(root, name) for root, _, names in os.walk(path) for name in names]
    for file in found:
        try:
            about = file.stat()
        except OSError:  # it will be named when it is read
            continue
        name = str(file.relative_to(path)) if file != path else file.name
        yield [name, about.st_size, about.st_mtime_ns]
