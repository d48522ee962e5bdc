"""Tasks for workers of other processes, which import this file."""

import os
import signal
import time
from pathlib import Path


class TwoPartError(Exception):
    """Cannot be made of its text alone, so not be unpickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} {second}")


def multiply_once_without_worker(values, factor, folder):
    """Kill the worker of the task with factor 5 the first time."""
    died = Path(folder) / "died"
    if factor == 5 and not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.01)
    return values * factor


def multiply_unless_five(values, factor):
    """Kill every worker that tries factor 5."""
    if factor == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return values * factor


def refuse_five(values, factor, error):
    if factor == 5:
        raise error(f"factor {factor}")
    return values * factor


def refuse_in_two_parts(factor):
    raise TwoPartError("factor", factor)


def size_of(values, number):
    return values.nbytes


def scale_sum(factor, arrays):
    return factor * sum(array.sum() for array in arrays)
