"""Run tasks in other processes, of this machine or of several, and outlive the loss of workers.

The backends are joblib's: loky, dask, ray, any that is registered. Added is that results are taken
as they come, in any order; that what a task raises is told apart from what befalls the workers; and
that after the latter the tasks without a result are sent again.
"""

import pickle
import time
import traceback
import warnings
from itertools import islice
from typing import NamedTuple

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from skxmr._core.dask_client import results_of_client

# Sendings in a row without a single result, after which the failure is the caller's. Before another
# there is a pause of a second, of two after the second: a worker takes that long to come back.
MAX_VAIN = 4


def run_remotely(function, tasks, n_jobs, prefer, on_result):
    """Call ``function(*task)`` for every task in the workers of joblib's active backend.

    Parameters
    ----------
    function : callable
        Of a module that the workers can import.
    tasks : list of tuple
        Arguments. Arrays that many tasks share must stand among them by themselves: backends then
        send them to a worker once.
    n_jobs : int or None
        As in joblib.
    prefer : {"threads", "processes"}
        As in joblib.
    on_result : callable
        Called here with the number and the result of each task, as they come; what it returns
        takes the result's place.

    Returns
    -------
    list
        Results in the order of the tasks.

    Raises
    ------
    Exception
        What a task raised, with the traceback of its worker as the cause; what `on_result` raised;
        or what the backend raised, if workers were lost MAX_VAIN times without a result between.
    """
    results = {}
    vain = 0
    while len(results) < len(tasks):
        waiting = [number for number in range(len(tasks)) if number not in results]
        calls = ((_attempt, function, number, *tasks[number]) for number in waiting)
        loss = None
        for outcome in _outcomes(calls, n_jobs, prefer):
            if not isinstance(outcome, _Outcome):
                loss = getattr(outcome, "error", outcome)
                continue
            if outcome.error is not None:
                raise outcome.error from _WorkerTraceback(outcome.result)
            results[outcome.number] = on_result(outcome.number, outcome.result)
        if len(results) == len(tasks):
            break
        vain = vain + 1 if len(results) == len(tasks) - len(waiting) else 0
        if not isinstance(loss, Exception):
            loss = RuntimeError(f"the backend did not return all results, and said {loss!r}")
        if vain == MAX_VAIN:
            raise loss
        warnings.warn(
            f"Workers were lost ({type(loss).__name__}: {loss}); {len(results)} of {len(tasks)} "
            "tasks are done, the others are sent again.",
            stacklevel=3,
        )
        time.sleep(vain)
    return [results[number] for number in range(len(tasks))]


class _Outcome(NamedTuple):
    """What comes back of a task: its result, or what it raised and the text of the traceback."""

    number: int
    result: object
    error: Exception | None = None


class _Loss(NamedTuple):
    """In place of results: what befell the worker that should have made them."""

    error: Exception


class _WorkerTraceback(Exception):
    """The traceback of another process, to be shown as the cause of what it raised."""

    def __str__(self):
        return f"in the worker:\n\n{self.args[0]}"


def _attempt(function, number, *task):
    # What a task raises is a result: backends differ in what they do with it.
    try:
        return _Outcome(number, function(*task))
    except Exception as error:
        text = traceback.format_exc()
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return _Outcome(number, text, error)


def _outcomes(calls, n_jobs, prefer):
    # Yield outcomes as they come, and a loss in place of those that never will.
    backend, _ = get_active_backend(prefer=prefer)
    try:
        if hasattr(backend, "client"):
            yield from results_of_client(backend.client, calls, _Loss, **backend.submit_kwargs)
            return
        calls = (delayed(function)(*args) for function, *args in calls)
        if getattr(backend, "supports_return_generator", False):
            yield from Parallel(n_jobs, prefer=prefer, return_as="generator_unordered")(calls)
            return
        # All results of a call come at its end: a few tasks a call, in one pool of workers.
        size = 4 * effective_n_jobs(n_jobs)
        with Parallel(n_jobs, prefer=prefer) as pool:
            while batch := list(islice(calls, size)):
                yield from pool(batch)
    except Exception as error:
        yield _Loss(error)
