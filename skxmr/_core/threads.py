"""One place that decides how work is spread over threads."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from joblib import cpu_count, effective_n_jobs
from joblib.parallel import get_active_backend

from skxmr._core.remote_tasks import run_remotely

# Rows of a block are scored sorted by cluster: the more of them visit a cluster while it is in
# cache, the better (on 50,000 labels 52 microseconds a row at 2,048 rows, 32 at 65,536). Scores
# take 8 bytes each, so rows that keep many come in smaller blocks.
BLOCK_ROWS = 2**16
BLOCK_SCORES = 2**22


def run_tasks(function, tasks, n_jobs, shared=False, prefer="threads", on_result=None):
    """Call ``function(*task)`` for every task and return the results in the order of the tasks.

    Kernels release the GIL, so threads are asked for; tasks that call estimators of the user's own
    prefer "processes". A `joblib.parallel_config` of the user's own wins, see `run_remotely`,
    unless the tasks are `shared`: too cheap beside the arrays that all of them read to be sent
    elsewhere. Results must not depend on which task runs where. `on_result` is called with the
    number and the result of each task that has ended, in this process, from any thread and in any
    order; what it returns takes the result's place.
    """
    tasks = list(tasks)
    n_workers = min(effective_n_jobs(n_jobs), len(tasks))
    on_result = on_result or _unchanged

    def run_here(number, *task):
        return on_result(number, function(*task))

    numbered = [(number, *task) for number, task in enumerate(tasks)]
    backend, _ = get_active_backend(prefer="threads")
    local = getattr(backend, "supports_sharedmem", False)
    # Of a cluster there may be one worker at the moment, and more to come.
    if n_workers < 2 and (shared or not hasattr(backend, "client")):
        return [run_here(*task) for task in numbered]
    if shared or (local and prefer == "threads"):
        # A cluster may have more workers than this machine has cores.
        n_threads = n_workers if local else min(n_workers, cpu_count())
        # joblib looks for results every 10 milliseconds, a tenth of what a batch may take.
        with ThreadPoolExecutor(n_threads) as pool:
            return list(pool.map(run_here, *zip(*numbered, strict=True)))
    return run_remotely(function, tasks, n_jobs, prefer, on_result)


def _unchanged(number, result):
    return result


def balanced_blocks(costs, n_jobs):
    """Group items into blocks of about equal cost, the dearest items first.

    Parameters
    ----------
    costs : ndarray of shape (n_items,)
        Estimated work of each item.
    n_jobs : int or None
        As in joblib. About 32 blocks a worker are made, so that a worker that ends early finds
        another; items of a large cost stand alone.

    Returns
    -------
    blocks : list of ndarray
        Indices of items; every item is in one block.
    """
    order = np.argsort(-np.asarray(costs, dtype=np.float64), kind="stable")
    n_blocks = min(len(order), 32 * effective_n_jobs(n_jobs))
    if n_blocks <= 1:
        return [order] if len(order) else []
    sorted_costs = np.asarray(costs, dtype=np.float64)[order]
    spent = np.cumsum(sorted_costs)
    middle = (spent - 0.5 * sorted_costs) / max(spent[-1], 1e-300)
    block = np.minimum((middle * n_blocks).astype(int), n_blocks - 1)
    return np.split(order, np.flatnonzero(np.diff(block)) + 1)


def row_blocks(n_rows, per_row, n_jobs):
    """Return (start, stop) of blocks of rows to score, enough for all workers.

    Parameters
    ----------
    n_rows : int
        Number of rows.
    per_row : int
        Most scores that a row keeps.
    n_jobs : int or None
        As in joblib.

    Returns
    -------
    list of tuple
        In order; every row is in one block.
    """
    size = max(1, min(BLOCK_ROWS, BLOCK_SCORES // per_row, -(-n_rows // effective_n_jobs(n_jobs))))
    return [(start, min(start + size, n_rows)) for start in range(0, n_rows, size)]
