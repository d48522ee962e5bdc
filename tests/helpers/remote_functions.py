"""Tasks for other processes, which import this module."""

import os
import signal
import time
from pathlib import Path


class TwoPartError(Exception):
    """Exception that cannot be unpickled, because its constructor needs two arguments."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def multiply_and_kill_first_worker(values, factor, folder):
    """Return the product, but kill the worker at the first call with factor 5."""
    died = Path(folder) / "died"
    if factor == 5 and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return values * factor


def multiply_or_kill_worker(values, factor):
    """Return the product, but kill the worker at each call with factor 5."""
    if factor == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return values * factor


def raise_for_five(values, factor, error):
    """Return the product, but raise an error for factor 5."""
    if factor == 5:
        raise error(f"factor {factor}")
    return values * factor


def raise_two_part_error(factor):
    raise TwoPartError("factor", factor)


def count_bytes(values, number):
    return values.nbytes


def scale_sum(factor, arrays):
    return factor * sum(array.sum() for array in arrays)
