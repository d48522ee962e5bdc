"""Limit the threads of BLAS and OpenMP while custom estimators are fitted on many small problems.

The threads wait for each other longer than they compute. On 300 rows, a label tree with
`MiniBatchKMeans` took 6 seconds with two threads and 0.1 seconds with one.

Most BLAS libraries have one limit for the whole process. Concurrent threads that set and restore it
would leave a wrong limit, so it is set once, around all tasks. The limit of OpenMP holds for the
calling thread only, so each task sets it.
"""

from sklearn.utils.parallel import _get_threadpool_controller


def limit_threads():
    """Return a context in which BLAS and OpenMP use one thread; for the caller of `run_tasks`."""
    return _get_threadpool_controller().limit(limits=1)


def limit_openmp_threads():
    """Return a context in which OpenMP uses one thread in the calling thread; for a task."""
    return _get_threadpool_controller().limit(limits=1, user_api="openmp")
