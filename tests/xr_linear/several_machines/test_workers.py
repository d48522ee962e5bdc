"""The same fit in other processes: equal to the byte, whatever happens to the workers."""

import logging
import os
import pickle
import signal
from contextlib import ExitStack

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.cluster import KMeans
from sklearn.svm import LinearSVC

from helpers import remote_functions
from skxmr import HierarchicalLabelTree, XRLinearClassifier
from skxmr._core import remote_tasks
from skxmr._core.dask_client import iterate_dask_results
from skxmr._core.threads import run_tasks
from skxmr._linear.weight_stores import FolderStore
from skxmr.indexing import KMeansBisector
from skxmr.indexing._balanced_tree import PendingSplit, SubtreeTask
from skxmr.persistence import _saved_prediction, predict_saved
from skxmr.persistence._saved_prediction import _predict_block

SMALL = np.arange(10.0)
LARGE = np.arange(300_000.0)  # what backends map into memory or place on workers


@pytest.fixture(scope="module")
def dask_clients():
    """Stacks of a cluster and its client: the last is in use."""
    pytest.importorskip("distributed")
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    stacks = []
    yield stacks
    for stack, _ in stacks:
        stack.close()


@pytest.fixture
def dask_client(dask_clients):
    """Two workers, which a test may kill."""
    if not dask_clients or len(dask_clients[-1][1].ncores()) < 2:
        distributed = pytest.importorskip("distributed")
        settings = {"threads_per_worker": 1, "host": "127.0.0.1", "dashboard_address": ":0"}
        stack = ExitStack()
        cluster = stack.enter_context(distributed.LocalCluster(n_workers=2, **settings))
        dask_clients.append((stack, stack.enter_context(distributed.Client(cluster))))
    return dask_clients[-1][1]


@pytest.fixture(params=["loky", "dask"])
def backend(request):
    """A context in which tasks run in two processes."""
    if request.param == "dask":
        request.getfixturevalue("dask_client")
    return lambda: parallel_config(backend=request.param, n_jobs=2)


def classifier(**params):
    settings = {"max_leaf_size": 20, "n_trees": 2, "negatives": "tfn+man", "random_state": 0}
    return XRLinearClassifier(**{**settings, **params})


def assert_same_model(model, other):
    for name in ("arrays", "tables"):
        for level, want in zip(model._model.levels, other._model.levels, strict=True):
            level, want = getattr(level, name), getattr(want, name)
            assert level.keys() == want.keys()
            for key in want:
                assert level[key].dtype == want[key].dtype
                np.testing.assert_array_equal(level[key], want[key])
    assert model.hierarchy_ == other.hierarchy_


@pytest.mark.parametrize("in_folder", [False, True])
def test_fit_is_the_same(in_folder, backend, xmc_data, tmp_path):
    weights = np.random.RandomState(0).uniform(0.5, 2, len(xmc_data[0].indptr) - 1)
    want = classifier().fit(*xmc_data, sample_weight=weights)
    with backend():
        model = classifier(model_dir=tmp_path / "model" if in_folder else None)
        model.fit(*xmc_data, sample_weight=weights)
    assert_same_model(model, want)


def test_rows_of_a_size_that_is_mapped_are_read_only_there(backend, xmc_data):
    # Many small rows: the kernels meet arrays that they cannot write to.
    X, Y = (np.repeat(np.arange(600), 40), np.repeat(np.arange(600), 40))
    X, Y = xmc_data[0][X], xmc_data[1][Y]
    assert X.data.nbytes > 2**20
    want = classifier(n_trees=1, negatives="tfn").fit(X, Y)
    with backend():
        assert_same_model(classifier(n_trees=1, negatives="tfn").fit(X, Y), want)


@pytest.mark.parametrize("clustering", ["kmeans", KMeans(random_state=0, n_init=1)], ids=str)
def test_a_clustering_is_the_same(clustering, backend, xmc_data):
    Z = xmc_data[0]
    tree = HierarchicalLabelTree(2, 5, clustering=clustering, random_state=0)
    want = tree.fit(Z).hierarchy_
    with backend():
        assert tree.fit(Z).hierarchy_ == want


def test_a_piece_of_a_clustering_may_travel_twice(xmc_data):
    bisector = KMeansBisector.of(xmc_data[0][:100], False, 5)
    rows = np.arange(99, 9, -1, dtype=np.int32)
    task = SubtreeTask(bisector, PendingSplit(rows, 0, np.array([30, 30, 30]), [3]))
    leaves, n_iter = task.run(0)
    for _ in range(2):
        task = pickle.loads(pickle.dumps(task))
        got, got_iter = task.run(0)
        assert got_iter == n_iter
        for leaf, wanted in zip(got, leaves, strict=True):
            np.testing.assert_array_equal(leaf, wanted)


def test_a_ranker_of_the_users_own_is_the_same(backend, xmc_data):
    model = classifier(n_trees=1, negatives="tfn", ranker=LinearSVC(random_state=0))
    want = model.fit(*xmc_data).predict_topk(xmc_data[0])
    with backend():
        got = model.fit(*xmc_data).predict_topk(xmc_data[0])
    for part, wanted in zip(got, want, strict=True):
        np.testing.assert_array_equal(part, wanted)


@pytest.mark.slow(reason="workers die and start again")
@pytest.mark.filterwarnings("ignore:Workers were lost")  # dask sends small tasks again by itself
@pytest.mark.parametrize("values", [SMALL, LARGE], ids=["small", "large"])
def test_a_worker_that_dies_costs_no_result(values, backend, tmp_path):
    taken = []
    tasks = [(values, factor, str(tmp_path)) for factor in range(20)]
    with backend():
        results = run_tasks(
            remote_functions.multiply_once_without_worker,
            tasks,
            2,
            on_result=lambda number, result: taken.append(number) or result,
        )
    assert (tmp_path / "died").exists()
    assert sorted(taken) == list(range(20))
    for factor, result in enumerate(results):
        np.testing.assert_array_equal(result, values * factor)


@pytest.mark.parametrize("method", ["predict_topk", "predict_proba", "predict"])
def test_predictions_of_a_saved_model_are_the_same(method, backend, xmc_data, tmp_path):
    X, Y = xmc_data
    model = classifier(model_dir=tmp_path / "model").fit(X, Y)
    want = getattr(model, method)(X)
    with backend():
        got = predict_saved(tmp_path / "model", X, method)
        with pytest.raises(FileNotFoundError, match="no such folder"):
            predict_saved(tmp_path / "other", X)
    assert type(got) is type(want)
    if method == "predict_topk":
        for part, wanted in zip(got, want, strict=True):
            assert part.dtype == wanted.dtype
            np.testing.assert_array_equal(part, wanted)
    else:
        assert got.dtype == want.dtype
        assert got.shape == want.shape
        assert (got != want).nnz == 0


def test_rows_to_predict_do_not_stand_by_themselves(xmc_data, tmp_path, monkeypatch):
    # The cluster's client gives all workers such an array.
    model = classifier(model_dir=tmp_path / "model").fit(*xmc_data)
    tasks = []

    def run_and_note(function, those, n_jobs):
        tasks.extend(those)
        return run_tasks(function, tasks, n_jobs)

    monkeypatch.setattr(_saved_prediction, "run_tasks", run_and_note)
    X = xmc_data[0].toarray()
    got = predict_saved(tmp_path / "model", X, n_jobs=3)
    assert len(tasks) == 3
    assert not any(isinstance(part, np.ndarray) for task in tasks for part in task)
    for part, wanted in zip(got, model.predict_topk(X), strict=True):
        np.testing.assert_array_equal(part, wanted)


def test_a_worker_with_another_model_says_so(xmc_data, tmp_path):
    classifier(model_dir=tmp_path / "model").fit(*xmc_data)
    with pytest.raises(ValueError, match="another model"):
        _predict_block(tmp_path / "model", "0", "predict", {}, xmc_data[:1])
    with pytest.raises(ValueError, match="method must be one of .* got 'fit'"):
        predict_saved(tmp_path / "model", xmc_data[0], "fit")


def test_a_fit_outlives_all_its_workers(dask_client, xmc_data, tmp_path, monkeypatch):
    kept = []
    keep = FolderStore.keep

    def keep_and_kill(self, level, block, solved):
        kept.append((self.path.name, level, block))
        if len(kept) == 5:
            for worker in dask_client.run(os.getpid).values():
                os.kill(worker, signal.SIGKILL)
        return keep(self, level, block, solved)

    monkeypatch.setattr(FolderStore, "keep", keep_and_kill)
    with parallel_config(backend="dask"), pytest.warns(UserWarning, match="Workers were lost"):
        model = classifier(negatives="tfn", model_dir=tmp_path / "model").fit(*xmc_data)
    assert len(kept) == len(set(kept)) > 5  # what had come was not asked for again
    monkeypatch.undo()
    assert_same_model(model, classifier(negatives="tfn").fit(*xmc_data))


@pytest.mark.slow(reason="workers are ended and start again")
@pytest.mark.filterwarnings("ignore:.*tasks which were still being processed")
@pytest.mark.filterwarnings("ignore:.*have been successfully executed")
def test_what_a_task_raises_is_raised_here_at_once(backend):
    tasks = [(SMALL, factor, KeyError) for factor in range(20)]
    with backend(), pytest.raises(KeyError, match="factor 5") as raised:
        run_tasks(remote_functions.refuse_five, tasks, 2)
    assert "in refuse_five" in str(raised.value.__cause__)
    with backend(), pytest.raises(Exception, match="factor 0"):
        run_tasks(remote_functions.refuse_in_two_parts, [(0,), (0,)], 2)
    with backend(), pytest.raises(OSError, match="disk is full"):
        run_tasks(np.multiply, [(SMALL, 2), (SMALL, 3)], 2, on_result=refuse)


def refuse(number, result):
    raise OSError("the disk is full")


@pytest.mark.slow(reason="workers die and start again")
def test_what_no_worker_can_run_is_raised_after_some_tries(backend, monkeypatch):
    monkeypatch.setattr(remote_tasks, "MAX_RETRIES", 1)
    tasks = [(SMALL, factor) for factor in range(4, 8)]
    with backend(), pytest.raises(Exception, match="died|terminated"):
        run_tasks(remote_functions.multiply_unless_five, tasks[1:2] * 2, 2)


def test_a_cluster_without_workers_is_given_up(monkeypatch):
    distributed = pytest.importorskip("distributed")
    monkeypatch.setattr("skxmr._core.dask_client.MAX_SECONDS_WITHOUT_WORKERS", 2)
    with (
        distributed.LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
        pytest.raises(TimeoutError, match="no worker for 2 seconds"),
    ):
        list(iterate_dask_results(client, iter([(np.add, 1, 2)]), raise_it))


def raise_it(error):
    raise error


def test_rows_are_sent_to_each_worker_once(dask_client, monkeypatch):
    sent = []
    scatter = dask_client.scatter

    def counting(arguments, **options):
        sent.extend(id(argument) for argument in arguments)
        return scatter(arguments, **options)

    def moved():
        # Between the workers, since they began.
        totals = dask_client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
        return sum(totals.values())

    before = moved()
    monkeypatch.setattr(dask_client, "scatter", counting)
    with parallel_config(backend="dask"):
        run_tasks(remote_functions.size_of, [(LARGE, number) for number in range(40)], 2)
    assert sent == [id(LARGE)]
    assert moved() - before < 1.5 * LARGE.nbytes  # from the first worker to the second


def test_large_arguments_of_one_task_stay_out_of_the_graph(dask_client):
    # Else dask warns, and all warnings are errors here.
    tasks = [(factor, (np.ones(2_000_000),)) for factor in range(4)]
    with parallel_config(backend="dask"):
        assert run_tasks(remote_functions.scale_sum, tasks, 2) == [0, 2e6, 4e6, 6e6]
