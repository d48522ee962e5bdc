"""Run tasks in other processes, on this or other machines, and survive the loss of workers.

Any joblib backend can be used: loky, dask, ray or another registered one. In addition to joblib,
results are received in any order as soon as they are finished; an error of a task is distinguished
from the loss of a worker; and tasks whose worker was lost are sent again.
"""

import pickle
import time
import traceback
from itertools import islice, takewhile
from typing import NamedTuple

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from skxmr._core.dask_client import iterate_dask_results
from skxmr._core.user_warnings import warn_user

# Maximum number of consecutive attempts without a new result. One more raises the error. The pause
# after them is 1, 2 and 3 seconds, because a worker needs about that long to restart.
MAX_RETRIES = 3
# Tasks per worker and call, for backends that return the results of a call only at its end.
TASKS_PER_WORKER = 4
# Time until a submitted task has left the queue of tasks. It takes less than a millisecond, but 0.1
# seconds were too short once on a machine with three processes per core.
SECONDS_TO_START_TASK = 1.0


def run_remotely(function, tasks, n_jobs, prefer, on_result):
    """Call ``function(*task)`` for each task in the workers of joblib's active backend.

    Parameters
    ----------
    function : callable
        Function of a module that the workers can import.
    tasks : list of tuple
        Arguments of each call. An array that several tasks share must be an argument itself, not
        part of another object: backends then send it to each worker only once.
    n_jobs : int or None
        Number of workers, as in joblib.
    prefer : {"threads", "processes"}
        Backend if the user has chosen none.
    on_result : callable
        Function of the index and the result of each finished task, called in this process. Its
        return value replaces the result.

    Returns
    -------
    list
        Results in the order of the tasks.

    Raises
    ------
    Exception
        Error of a task, with the traceback of the worker as its cause; error of `on_result`; or
        error of the backend after more than `MAX_RETRIES` consecutive attempts without a new
        result.
    """
    results = {}
    n_failed_attempts = 0  # consecutive, without a new result
    while len(results) < len(tasks):
        n_results_before = len(results)
        unfinished = [index for index in range(len(tasks)) if index not in results]
        calls = ((_attempt, function, index, *tasks[index]) for index in unfinished)
        failure = None
        for outcome in _iterate_outcomes(calls, n_jobs, prefer):
            if not isinstance(outcome, _Outcome):
                # a _LostTask, or an unexpected value of the backend
                failure = getattr(outcome, "error", outcome)
                continue
            if outcome.error is not None:
                raise outcome.error from _WorkerTraceback(outcome.traceback)
            results[outcome.index] = on_result(outcome.index, outcome.result)
        if len(results) == len(tasks):
            break
        n_failed_attempts = n_failed_attempts + 1 if len(results) == n_results_before else 0
        if not isinstance(failure, Exception):
            failure = RuntimeError(
                f"the backend did not return all results; it returned {failure!r}"
            )
        if n_failed_attempts > MAX_RETRIES:
            raise failure
        warn_user(
            f"Workers were lost ({type(failure).__name__}: {failure}). {len(results)} of "
            f"{len(tasks)} tasks are finished; the other tasks are sent again. If this repeats, "
            "check the memory of the workers.",
        )
        time.sleep(n_failed_attempts)
    return [results[index] for index in range(len(tasks))]


class _Outcome(NamedTuple):
    """Result of a task, or its error with the text of the worker's traceback."""

    index: int
    result: object = None
    error: Exception | None = None
    traceback: str = ""


class _LostTask(NamedTuple):
    """Error of the backend, returned in place of the outcome of a task."""

    error: Exception


class _WorkerTraceback(Exception):
    """Traceback of another process, shown as the cause of an error."""

    def __str__(self):
        return f"in the worker:\n\n{self.args[0]}"


def _attempt(function, index, *task):
    # Errors are returned, not raised, because backends treat raised errors differently.
    try:
        return _Outcome(index, function(*task))
    except Exception as error:
        text = traceback.format_exc()
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            error = RuntimeError(f"{type(error).__name__}: {error}")
        return _Outcome(index, error=error, traceback=text)


def _iterate_outcomes(calls, n_jobs, prefer):
    # Yield each outcome as soon as it is known, and a _LostTask if outcomes are missing.
    backend, _ = get_active_backend(prefer=prefer)
    try:
        if hasattr(backend, "client"):
            yield from iterate_dask_results(
                backend.client, calls, _LostTask, **backend.submit_kwargs
            )
            return
        calls = (delayed(function)(*args) for function, *args in calls)
        if getattr(backend, "supports_return_generator", False):
            is_closing = False
            calls = takewhile(lambda _: not is_closing, calls)
            outcomes = Parallel(n_jobs, prefer=prefer, return_as="generator_unordered")(calls)
            try:
                for outcome in outcomes:  # noqa: UP028 - "yield from" ends the workers first
                    yield outcome
            except GeneratorExit:
                # An error ends the iteration. If the workers were ended while loky's thread submits
                # the next task, this thread would die of a KeyError: loky (joblib 1.6) forgets the
                # task but not its number. So no task is submitted anymore, and the last one
                # has time to start.
                is_closing = True
                time.sleep(SECONDS_TO_START_TASK)
                raise
            return
        # These backends return all results of a call at its end. With a few tasks per call,
        # results come early; the pool of workers is used for all calls.
        size = TASKS_PER_WORKER * effective_n_jobs(n_jobs)
        with Parallel(n_jobs, prefer=prefer) as pool:
            while batch := list(islice(calls, size)):
                yield from pool(batch)
    except Exception as error:
        yield _LostTask(error)
