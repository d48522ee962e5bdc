"""Run tasks through the client of a dask cluster, without importing dask.

joblib's own way to dask waits forever for a task that the cluster has given up, because the workers
that ran it died or could not import it (seen in joblib 1.6 with distributed 2026.8), and sends the
arguments of a task inside the graph. The client that it holds can do better.
"""

import math
import sys
from contextlib import suppress
from itertools import islice
from queue import Empty, SimpleQueue

import numpy as np

# Arrays that stand by themselves among the arguments are kept on the workers from this size up, and
# other arguments travel as data and not inside the graph, of which dask wants only a few megabytes.
PLACED_BYTES = 2**10
GRAPH_BYTES = 2**18
# Tasks on their way for each thread of the cluster.
AHEAD = 3
# Seconds that a cluster may be without a worker: others may be on their way.
MOST_WITHOUT = 60


def results_of_client(client, calls, lost, **options):
    """Yield what calls return, as they end.

    Parameters
    ----------
    client : distributed.Client
        Of the cluster.
    calls : iterator of tuple
        (function, *arguments), taken as there is room for them. An array among the arguments of
        several calls is sent to each worker once.
    lost : callable
        From the exception of a call that the cluster could not run to what is yielded in its place.
    **options : dict
        For `Client.submit`.

    Yields
    ------
    object
        In any order.
    """
    ended, sent, placed = SimpleQueue(), set(), {}
    without = 0

    def place(argument):
        if isinstance(argument, np.ndarray) and argument.nbytes >= PLACED_BYTES:
            if id(argument) not in placed:
                [future] = client.scatter([argument], broadcast=True, hash=False)
                placed[id(argument)] = argument, future  # an id is known as long as its object is
            return placed[id(argument)][1]
        if _size(argument) >= GRAPH_BYTES:
            return client.scatter([argument], hash=False)[0]
        return argument

    def send(n):
        for function, *arguments in islice(calls, n):
            arguments = [place(argument) for argument in arguments]
            future = client.submit(function, *arguments, pure=False, **options)
            sent.add(future)
            future.add_done_callback(ended.put)

    try:
        send(AHEAD * max(1, sum(client.ncores().values())))
        while sent:
            try:
                future = ended.get(timeout=1.0)  # so that Windows sees an interrupt
            except Empty:
                without = 0 if client.ncores() else without + 1
                if without >= MOST_WITHOUT:
                    error = f"the cluster has had no worker for {without} seconds"
                    yield lost(TimeoutError(error))
                    return
                continue
            sent.remove(future)
            try:
                result = future.result()
            except Exception as error:
                result = lost(error)
                calls = iter(())  # what stands on the workers may be gone, and must be sent again
            del future
            send(1)
            yield result
    finally:
        with suppress(Exception):  # the cluster may be gone
            client.cancel(list(sent))


def _size(argument):
    # About the bytes that its arrays, or its texts, take; objects may be of any size.
    if isinstance(argument, (tuple, list)):
        return sum(_size(part) for part in argument)
    if hasattr(argument, "__dict__") and not callable(argument):
        return math.inf
    return max(getattr(argument, "nbytes", 0), sys.getsizeof(argument))
