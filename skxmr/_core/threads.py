"""Distribution of work: blocks of work, and where the tasks run."""

from collections import deque
from multiprocessing import current_process
from threading import Event, Thread

import numpy as np
from joblib import cpu_count
from joblib.parallel import (
    LokyBackend,
    MultiprocessingBackend,
    ThreadingBackend,
    get_active_backend,
)

from skxmr._core.interrupts import StopFlag, Stopped
from skxmr._core.remote_tasks import run_remotely

# Maximum number of rows and of scores per block in prediction. The rows of a block are scored
# cluster by cluster: with more rows per block, more of them use a cluster while it is in the cache.
# On generated data with 50,000 labels and 100,000 rows, the time per row was 52 microseconds in
# blocks of 2,048 rows, and 32 microseconds in blocks of 65,536 (one thread, November 2026). A score
# takes 12 bytes, so BLOCK_SCORES limits the memory.
BLOCK_ROWS = 2**16
BLOCK_SCORES = 2**22
# More than one block per worker, so that a worker that finishes early takes another one.
BLOCKS_PER_WORKER = 32


def run_tasks(function, tasks, n_jobs, threads_only=False, prefer="threads", on_result=None):
    """Call ``function(*task)`` for each task, in parallel.

    The default is threads, because kernels release the GIL. A joblib backend that the user has
    chosen with `joblib.parallel_config` takes precedence; see `run_remotely`. Results must not
    depend on where a task runs.

    Parameters
    ----------
    function : callable
        Module-level function, so that other processes can import it. With `threads_only`, any
        function.
    tasks : iterable of tuple
        Arguments of each call.
    n_jobs : int or None
        Number of workers, as in joblib.
    threads_only : bool
        Whether to use threads of this process under every backend. Set for short tasks that read
        large common arrays, because sending the arrays would take longer than the tasks.
    prefer : {"threads", "processes"}
        Backend if the user has chosen none. Custom estimators hold the GIL and prefer processes.
    on_result : callable or None
        Function of the index and the result of each finished task. Its return value replaces the
        result. It is called in this process, from any thread and in any order.

    Returns
    -------
    list
        Results in the order of the tasks.
    """
    tasks = list(tasks)
    on_result = on_result or _return_result

    def run_here(index, *task):
        return on_result(index, function(*task))

    indexed_tasks = [(index, *task) for index, task in enumerate(tasks)]
    if threads_only and len(tasks) < 2:  # the search for the backend takes as long as a small task
        return [run_here(*task) for task in indexed_tasks]
    n_workers = min(count_workers(n_jobs), len(tasks))
    backend = _find_backend()
    has_threads = getattr(backend, "supports_sharedmem", False)
    # A cluster can have a single worker now and more workers later.
    is_cluster = hasattr(backend, "client")
    # Estimators that prefer processes may not be safe in threads.
    is_sequential = n_workers < 2 or (prefer == "processes" and current_process().daemon)
    if is_sequential and (threads_only or not is_cluster):
        return [run_here(*task) for task in indexed_tasks]
    if threads_only or (has_threads and prefer == "threads"):
        # A cluster can have more workers than this machine has cores.
        n_threads = n_workers if has_threads else min(n_workers, cpu_count())
        return _run_in_threads(run_here, indexed_tasks, n_threads)
    return run_remotely(function, tasks, n_jobs, prefer, on_result)


def _run_in_threads(function, indexed_tasks, n_threads):
    """Return the results of ``function(*task)`` for each task; the first entry is its index.

    Not joblib: it looks for results every 10 ms, which is up to 10 % of the time of a batch. Not a
    pool of `concurrent.futures`: it loses a task if the system cannot start one more thread. Here
    this thread works, too, so the tasks need no other one.

    After an error of a task, no further task is started, and the error of the first task in the
    list is raised. If a thread is interrupted, kernels in the other threads stop within
    milliseconds.
    """
    pending = deque(indexed_tasks)
    results = [None] * len(indexed_tasks)
    errors = []
    ends = []
    flag = StopFlag()

    def work():
        while not errors:
            try:
                task = pending.popleft()
            except IndexError:
                return
            try:
                results[task[0]] = function(*task)
            except BaseException as error:
                errors.append((task[0], error))
                if not isinstance(error, Exception):
                    flag.set()

    def work_in_thread():
        end = Event()
        ends.append(end)
        try:
            flag.run(work)
        finally:
            end.set()

    def wait():
        # A thread that has not begun yet finds no task. Not `Thread.join`: after an interrupt,
        # Python 3.12 and earlier take a running thread for a finished one.
        for end in ends:
            while not end.wait(0.1):  # Windows does not interrupt a wait without a limit
                pass

    try:
        for _ in range(n_threads - 1):
            try:
                Thread(target=work_in_thread).start()
            except RuntimeError:  # no memory for another thread, or a limit of the system
                break
        flag.run(work)
        wait()
    except BaseException:  # an interrupt
        flag.set()
        pending.clear()
        wait()
        errors.clear()
        raise
    if not errors:
        return results
    error = _find_cause(errors)
    errors.clear()
    try:
        raise error
    finally:
        del error  # otherwise its traceback, and so the arrays of the tasks, would refer to itself


def _find_cause(errors):
    # An interrupt, or the error of the first task that failed; not the threads that were stopped.
    errors = sorted(errors, key=lambda pair: (isinstance(pair[1], Exception), pair[0]))
    causes = [error for _, error in errors if not isinstance(error, Stopped)]
    return causes[0] if causes else errors[0][1]


def _return_result(index, result):
    return result


def count_workers(n_jobs):
    """Return the number of workers of `run_tasks` for a value of `n_jobs`, as in joblib.

    `joblib.effective_n_jobs` assumes processes. Inside a worker of a `multiprocessing.Pool`, which
    cannot start processes, it warns and returns 1, although threads can be used there.
    """
    if n_jobs is None:
        _, n_jobs = get_active_backend()
    return _find_backend().effective_n_jobs(n_jobs)


def limit_process_jobs(n_jobs):
    """Return `n_jobs` for `joblib.Parallel`, or 1 in a process that cannot start processes.

    For fits of estimators of the user, which may not be safe in threads.
    """
    backend, _ = get_active_backend()
    return 1 if _is_blocked(backend) else n_jobs


def _find_backend():
    # The backend that the user has chosen, or threads.
    backend, _ = get_active_backend(prefer="threads")
    return ThreadingBackend() if _is_blocked(backend) else backend


def _is_blocked(backend):
    # Daemonic processes cannot start processes.
    is_of_processes = isinstance(backend, MultiprocessingBackend | LokyBackend)
    return is_of_processes and current_process().daemon


def split_by_cost(costs, n_jobs):
    """Split items into blocks of about equal cost, the most expensive items first.

    Parameters
    ----------
    costs : ndarray of shape (n_items,)
        Estimated cost of each item.
    n_jobs : int or None
        Number of workers, as in joblib. There are at most `BLOCKS_PER_WORKER` blocks per worker;
        an expensive item is the only one in its block.

    Returns
    -------
    list of ndarray
        Indices of the items of each block. Each item is in exactly one block.
    """
    order = np.argsort(-np.asarray(costs, dtype=np.float64), kind="stable")
    n_blocks = min(len(order), BLOCKS_PER_WORKER * count_workers(n_jobs))
    if n_blocks <= 1:
        return [order] if len(order) else []
    sorted_costs = np.asarray(costs, dtype=np.float64)[order]
    cumulative_costs = np.cumsum(sorted_costs)
    # The block of an item is given by the position of its middle on the axis of cumulative costs.
    middle = (cumulative_costs - 0.5 * sorted_costs) / max(cumulative_costs[-1], 1e-300)
    block = np.minimum((middle * n_blocks).astype(int), n_blocks - 1)
    return np.split(order, np.flatnonzero(np.diff(block)) + 1)


def split_rows(n_rows, scores_per_row, n_jobs):
    """Split rows into blocks for prediction, at least one block per worker if possible.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    scores_per_row : int
        Maximum number of scores per row that are in memory at the same time.
    n_jobs : int or None
        Number of workers, as in joblib.

    Returns
    -------
    list of (int, int)
        Start and stop of each block, in order.
    """
    if n_rows == 1:
        return [(0, 1)]
    rows_per_worker = -(-n_rows // count_workers(n_jobs))
    size = max(1, min(BLOCK_ROWS, BLOCK_SCORES // scores_per_row, rows_per_worker))
    return [(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
