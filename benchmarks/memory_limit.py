"""Run a child process, and end it when it takes more memory than it may.

What is watched is resident memory, the memory that the machine has to have: a limit of the address
space (RLIMIT_AS) would also count files that are mapped and stacks that are never touched.
"""

import os
import subprocess
import time

SECONDS_BETWEEN_LOOKS = 0.1


class MemoryLimitExceeded(RuntimeError):
    """A child took more memory than it may; `seconds` is when, from its start."""

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
    shown = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True)
    return int(shown.stdout or 0) * 1024


def can_watch():
    """Return whether the memory of another process can be told here."""
    try:
        return resident_bytes(os.getpid()) > 0
    except (OSError, ValueError):  # Windows
        return False


def run(command, most_bytes=None, **options):
    """Run a command to its end.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    most_bytes : int or None
        Resident memory at which the process is killed; None for no limit. Processes that it
        starts are not counted.
    **options
        For `subprocess.Popen`.

    Returns
    -------
    status : int
        Exit status.
    output : str or None
        What it wrote, if `options` have a pipe for that.

    Raises
    ------
    MemoryLimitExceeded
        If it was killed.
    """
    start = time.perf_counter()
    with subprocess.Popen(command, **options) as child:
        try:
            while True:
                try:
                    wait = None if most_bytes is None else SECONDS_BETWEEN_LOOKS
                    output, _ = child.communicate(timeout=wait)
                    return child.returncode, output
                except subprocess.TimeoutExpired:
                    if resident_bytes(child.pid) > most_bytes:
                        seconds = time.perf_counter() - start
                        raise MemoryLimitExceeded(
                            f"more than {most_bytes / 1e9:g} GB after {seconds:.0f} s", seconds
                        ) from None
        except BaseException:
            child.kill()
            raise
