"""Tasks in other processes: lost workers, errors, and arguments sent to a dask cluster."""

import time

import numpy as np
import pytest
from joblib import parallel_config
from joblib.externals.loky.process_executor import _ExecutorManagerThread

from helpers import remote_functions
from skxmr._core import remote_tasks
from skxmr._core.dask_client import iterate_dask_results
from skxmr._core.threads import run_tasks

SMALL = np.arange(10.0)
LARGE = np.arange(300_000.0)  # backends share arrays of this size between tasks


@pytest.mark.slow(reason="workers die and start again")
# Only some cases warn: dask itself sends small tasks again.
@pytest.mark.filterwarnings("ignore:Workers were lost")
@pytest.mark.parametrize("values", [SMALL, LARGE], ids=["small", "large"])
def test_run_tasks_sends_tasks_of_a_lost_worker_again(values, backend, tmp_path):
    received = []
    tasks = [(values, factor, str(tmp_path)) for factor in range(20)]
    with backend():
        results = run_tasks(
            remote_functions.multiply_and_kill_first_worker,
            tasks,
            2,
            on_result=lambda index, result: received.append(index) or result,
        )
    assert (tmp_path / "died").exists()
    assert sorted(received) == list(range(20))
    for factor, result in enumerate(results):
        np.testing.assert_array_equal(result, values * factor)


@pytest.mark.slow(reason="workers are ended and start again")
@pytest.mark.filterwarnings("ignore:.*tasks which were still being processed")
@pytest.mark.filterwarnings("ignore:.*have been successfully executed")
def test_run_tasks_raises_the_error_of_a_task_at_once(backend):
    tasks = [(SMALL, factor, KeyError) for factor in range(20)]
    with backend(), pytest.raises(KeyError, match="factor 5") as raised:
        run_tasks(remote_functions.raise_for_five, tasks, 2)
    assert "in raise_for_five" in str(raised.value.__cause__)
    with backend(), pytest.raises(Exception, match="factor 0"):
        run_tasks(remote_functions.raise_two_part_error, [(0,), (0,)], 2)
    with backend(), pytest.raises(OSError, match="disk is full"):
        run_tasks(np.multiply, [(SMALL, 2), (SMALL, 3)], 2, on_result=raise_disk_full)


def raise_disk_full(index, result):
    raise OSError("the disk is full")


@pytest.mark.slow(reason="workers are ended and start again")
@pytest.mark.filterwarnings("ignore:.*tasks which were still being processed")
def test_run_tasks_submits_no_task_while_it_ends_the_workers_of_loky(monkeypatch):
    # pytest reports the KeyError of loky's thread. The pause makes the fault certain.
    process_result = _ExecutorManagerThread.process_result_item

    def process_result_and_pause(thread, result):
        process_result(thread, result)
        time.sleep(0.02)

    monkeypatch.setattr(_ExecutorManagerThread, "process_result_item", process_result_and_pause)
    tasks = [(SMALL, factor) for factor in range(40)]
    with parallel_config(backend="loky"), pytest.raises(OSError, match="disk is full"):
        run_tasks(np.multiply, tasks, 2, on_result=raise_disk_full)


@pytest.mark.slow(reason="workers die and start again")
def test_run_tasks_gives_up_after_the_maximum_number_of_retries(backend, monkeypatch):
    monkeypatch.setattr(remote_tasks, "MAX_RETRIES", 0)
    tasks = [(SMALL, factor) for factor in range(4, 8)]
    with backend(), pytest.raises(Exception, match="died|terminated"):
        run_tasks(remote_functions.multiply_or_kill_worker, tasks[1:2] * 2, 2)


def test_dask_cluster_without_workers_raises_timeout_error(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("skxmr._core.dask_client.MAX_SECONDS_WITHOUT_WORKERS", 2)
    with (
        distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(TimeoutError, match="no worker for 2 seconds"),
    ):
        list(iterate_dask_results(client, iter([(np.add, 1, 2)]), raise_error))


def raise_error(error):
    raise error


def test_dask_client_sends_a_shared_array_to_each_worker_once(dask_client, monkeypatch):
    sent = []
    scatter = dask_client.scatter

    def record_scatter(arguments, **options):
        sent.extend(id(argument) for argument in arguments)
        return scatter(arguments, **options)

    def count_transferred_bytes():
        # Bytes sent between workers since the cluster was started.
        totals = dask_client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
        return sum(totals.values())

    before = count_transferred_bytes()
    monkeypatch.setattr(dask_client, "scatter", record_scatter)
    with parallel_config(backend="dask"):
        run_tasks(remote_functions.count_bytes, [(LARGE, number) for number in range(40)], 2)
    assert sent == [id(LARGE)]
    # The array is sent between workers from the first to the second. On a busy machine, dask has
    # sent it back once. Each of the 40 tasks would send it without `scatter`.
    assert count_transferred_bytes() - before < 2.5 * LARGE.nbytes


def test_dask_client_sends_large_arguments_outside_the_graph(dask_client):
    # Otherwise dask would warn, and warnings are errors in tests.
    tasks = [(factor, (np.ones(2_000_000),)) for factor in range(4)]
    with parallel_config(backend="dask"):
        assert run_tasks(remote_functions.scale_sum, tasks, 2) == [0, 2e6, 4e6, 6e6]
