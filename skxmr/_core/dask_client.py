"""Run tasks through the client of a dask cluster, without importing dask.

joblib's dask backend is not used for two reasons. It waits forever for a task that the cluster has
given up because its workers died or could not import it (seen with joblib 1.6 and distributed
2026.8). And it sends the arguments of a task inside the task graph. The backend's client avoids
both.
"""

import math
import sys
from contextlib import suppress
from itertools import islice
from queue import Empty, SimpleQueue

import numpy as np

# Minimum bytes of an array argument that is stored on all workers, because several tasks use it.
MIN_BROADCAST_BYTES = 2**10
# Minimum bytes of another argument that is sent separately. dask warns if a graph has more than a
# few megabytes.
MIN_SCATTER_BYTES = 2**18
# Submitted, unfinished tasks per thread of the cluster.
TASKS_PER_THREAD = 3
# Maximum time without any worker, before the cluster is given up. New workers may be starting.
MAX_SECONDS_WITHOUT_WORKERS = 60


def iterate_dask_results(client, calls, make_loss, **options):
    """Yield the results of calls in the order in which they finish.

    Parameters
    ----------
    client : distributed.Client
        Client of the cluster.
    calls : iterator of tuple
        Tuples (function, *arguments), read only as fast as they can be submitted. An array that is
        an argument of several calls is sent to each worker only once.
    make_loss : callable
        Function of the exception of a call that the cluster could not run; its return value is
        yielded in place of the result.
    **options : dict
        Options of `Client.submit`.

    Yields
    ------
    object
        Results.
    """
    finished, submitted, broadcast = SimpleQueue(), set(), {}
    seconds_without_workers = 0

    def send_argument(argument):
        if isinstance(argument, np.ndarray) and argument.nbytes >= MIN_BROADCAST_BYTES:
            if id(argument) not in broadcast:
                [future] = client.scatter([argument], broadcast=True, hash=False)
                # A reference to the array keeps its id unique.
                broadcast[id(argument)] = argument, future
            return broadcast[id(argument)][1]
        if _estimate_bytes(argument) >= MIN_SCATTER_BYTES:
            return client.scatter([argument], hash=False)[0]
        return argument

    def submit(n_calls):
        for function, *arguments in islice(calls, n_calls):
            arguments = [send_argument(argument) for argument in arguments]
            future = client.submit(function, *arguments, pure=False, **options)
            submitted.add(future)
            future.add_done_callback(finished.put)

    try:
        submit(TASKS_PER_THREAD * max(1, sum(client.ncores().values())))
        while submitted:
            try:
                # On Windows, Ctrl+C does not interrupt a wait without a timeout.
                future = finished.get(timeout=1.0)
            except Empty:
                has_workers = bool(client.ncores())
                seconds_without_workers = 0 if has_workers else seconds_without_workers + 1
                if seconds_without_workers >= MAX_SECONDS_WITHOUT_WORKERS:
                    message = f"the cluster has had no worker for {seconds_without_workers} seconds"
                    yield make_loss(TimeoutError(message))
                    return
                continue
            submitted.remove(future)
            try:
                result = future.result()
            except Exception as error:
                result = make_loss(error)
                # Arrays on lost workers may be gone. Submit nothing more: the caller starts again
                # and sends the arrays again.
                calls = iter(())
            del future
            submit(1)
            yield result
    finally:
        with suppress(Exception):  # the cluster may be gone
            client.cancel(list(submitted))


def _estimate_bytes(argument):
    # Size of the arrays or strings in an argument; infinite for objects, whose size is unknown.
    if isinstance(argument, (tuple, list)):
        return sum(_estimate_bytes(part) for part in argument)
    if hasattr(argument, "__dict__") and not callable(argument):
        return math.inf
    return max(getattr(argument, "nbytes", 0), sys.getsizeof(argument))
