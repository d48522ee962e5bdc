"""Fixtures that run tasks in processes of loky and of a local dask cluster."""

import logging
from contextlib import ExitStack

import pytest
from joblib import parallel_config


@pytest.fixture(scope="module")
def dask_clients():
    """Exit stack and client of each cluster that was started; the last one is in use."""
    pytest.importorskip("distributed")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    stacks = []
    yield stacks
    for stack, _ in stacks:
        stack.close()


@pytest.fixture
def dask_client(dask_clients):
    """Client of a dask cluster with two workers, which a test may kill."""
    if not dask_clients or len(dask_clients[-1][1].ncores()) < 2:
        distributed = pytest.importorskip("distributed")
        settings = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
        stack = ExitStack()
        cluster = stack.enter_context(distributed.LocalCluster(n_workers=2, **settings))
        dask_clients.append((stack, stack.enter_context(distributed.Client(cluster))))
    return dask_clients[-1][1]


@pytest.fixture(params=["loky", "dask"])
def backend(request):
    """Function that returns a context in which tasks run in two processes."""
    if request.param == "dask":
        request.getfixturevalue("dask_client")
    return lambda: parallel_config(backend=request.param, n_jobs=2)
