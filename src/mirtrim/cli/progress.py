"""Progress of one file on stderr: a line that redraws itself, or one every few seconds."""

import sys
import time
from typing import TextIO

BAR = 24
TERMINAL_SECONDS = 0.1
LOG_SECONDS = 5.0


class Progress:
    """Progress over a file; call it with (seconds read, seconds to read)."""

    def __init__(self, name: str, stream: TextIO | None = None) -> None:
        self.name = name
        self.stream = stream or sys.stderr
        self.terminal = self.stream.isatty()
        # Short files are not logged.
        self.last = 0.0 if self.terminal else time.monotonic()
        self.width = 0

    def __call__(self, done: float, total: float) -> None:
        now = time.monotonic()
        if now - self.last < (TERMINAL_SECONDS if self.terminal else LOG_SECONDS):
            return
        self.last = now
        part = min(done / total, 1.0) if total else 1.0
        if self.terminal:
            bar = ("#" * int(BAR * part)).ljust(BAR, ".")
            line = f"{self.name} [{bar}] {part:4.0%}"
            self.stream.write("\r" + line.ljust(self.width))
            self.width = len(line)
        else:
            self.stream.write(f"{self.name}: {part:.0%}\n")
        self.stream.flush()

    def clear(self) -> None:
        """Erase the line, so that later output starts on an empty one."""
        if self.width:
            self.stream.write("\r" + " " * self.width + "\r")
            self.stream.flush()
            self.width = 0
