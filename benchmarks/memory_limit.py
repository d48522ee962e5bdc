"""Run a child process, and end it if its memory exceeds a limit.

The limit applies to the resident memory. A limit of the address space (RLIMIT_AS) would also count
memory-mapped files and unused stack memory.
"""

import os
import subprocess
import time

SECONDS_BETWEEN_CHECKS = 0.1


class MemoryLimitExceeded(RuntimeError):
    """The memory of a child process exceeded the limit `seconds` after its start."""

    def __init__(self, message, seconds):
        super().__init__(message)
        self.seconds = seconds


def resident_bytes(pid):
    """Return the resident memory of a process, 0 if it has ended."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        pass
    if os.path.isdir("/proc/self"):
        return 0
    process = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
    return int(process.stdout or 0) * 1024


def can_measure_memory():
    """Return whether this system reports the memory of other processes."""
    try:
        return resident_bytes(os.getpid()) > 0
    except (OSError, ValueError):  # Windows
        return False


def run(command, max_bytes=None, **options):
    """Run a command and wait for its end.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    max_bytes : int or None
        Maximum resident memory. If it is exceeded, the process is killed. None means no limit.
        Child processes of the process are not counted.
    **options
        Arguments of `subprocess.Popen`.

    Returns
    -------
    status : int
        Exit status.
    output : str or None
        Output of the process, if `options` contain a pipe for it.

    Raises
    ------
    MemoryLimitExceeded
        If the process was killed.
    """
    start = time.perf_counter()
    with subprocess.Popen(command, **options) as child:
        try:
            while True:
                try:
                    wait = None if max_bytes is None else SECONDS_BETWEEN_CHECKS
                    output, _ = child.communicate(timeout=wait)
                    return child.returncode, output
                except subprocess.TimeoutExpired:
                    if resident_bytes(child.pid) > max_bytes:
                        seconds = time.perf_counter() - start
                        raise MemoryLimitExceeded(
                            f"more than {max_bytes / 1e9:g} GB after {seconds:.0f} s", seconds
                        ) from None
        except BaseException:
            child.kill()
            raise
