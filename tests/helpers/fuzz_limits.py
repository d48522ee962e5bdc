"""Limits of the time and memory of each case of a fuzzer, and the output of its process."""

import faulthandler
import os
import subprocess
import sys
from pathlib import Path

import skxmr

ROOT, TESTS = str(Path(skxmr.__file__).parents[1]), str(Path(__file__).parents[1])
SECONDS = 20  # a case takes less than 0.5 s, but the machine may be busy
SPARE_BYTES = 2**26  # for fragments of freed memory


class Limits:
    """Ends the process with a traceback if a case takes too long or too much memory.

    Parameters
    ----------
    n_bytes : int
        Size of the files. The peak of the memory may rise by twice this number and SPARE_BYTES.
    """

    def __init__(self, n_bytes):
        self.max_peak = peak_memory() + 2 * n_bytes + SPARE_BYTES

    def begin(self, seed):
        """Print the seed of a case, and start its time."""
        print(f"seed {seed}", file=sys.stderr, flush=True)
        faulthandler.dump_traceback_later(SECONDS, exit=True)

    def end(self):
        """Check the memory of a case."""
        faulthandler.cancel_dump_traceback_later()
        if peak_memory() > self.max_peak:
            raise MemoryError(f"peak of {peak_memory()} bytes, more than {self.max_peak}")


def peak_memory():
    """Return the peak of the memory of this process in bytes; 0 where it is unknown."""
    if not sys.platform.startswith("linux"):
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run_fuzzer(module, first_seed, n, targets):
    """Run a fuzzer in a child process.

    Parameters
    ----------
    module : module
        The fuzzer.
    first_seed, n : int
        Seeds of the cases.
    targets : list
        Arguments of its command line. One process for all is faster than several.

    Returns
    -------
    list of (int, int)
        Numbers of refused and of accepted cases of each target.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([ROOT, TESTS]),
        "PYTHONWARNINGS": "ignore",
        "PYTHONFAULTHANDLER": "1",
        "HF_HUB_OFFLINE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-m", module.__name__, *map(str, [first_seed, n, *targets])],
        capture_output=True,
        text=True,
        env=environment,
        timeout=1000,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    counts = [int(word) for word in done.stdout.split() if word.isdecimal()]
    return list(zip(counts[::2], counts[1::2], strict=True))
