"""Limits of the machine, or of its container."""

import os
from contextlib import suppress
from pathlib import Path


def find_memory_limit():
    """Return the bytes of memory that this process can have, or None if they are unknown."""
    limits = []
    with suppress(AttributeError, ValueError, OSError):  # Windows
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    root = Path("/sys/fs/cgroup")
    files = [root / "memory.max", root / "memory" / "memory.limit_in_bytes"]
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            files.append(root / line.rpartition(":")[2].lstrip("/") / "memory.max")
    for file in files:
        with suppress(OSError, ValueError):  # no such file, or "max"
            limits.append(int(file.read_text()))
    return min(limits, default=None)
