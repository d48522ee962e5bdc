"""Fits in other processes equal fits in threads, also if all workers are lost."""

import os
import pickle
import signal

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.cluster import KMeans
from sklearn.svm import LinearSVC

from helpers.models import assert_equal_models
from skxmr import HierarchicalLabelTree, XRLinearClassifier
from skxmr._linear.weight_stores import FolderStore
from skxmr.indexing import KMeansBisector
from skxmr.indexing._balanced_tree import PendingSplit, SubtreeTask


def make_classifier(**params):
    settings = {"max_leaf_size": 20, "n_trees": 2, "negatives": "tfn+man", "random_state": 0}
    return XRLinearClassifier(**{**settings, **params})


@pytest.mark.parametrize("in_folder", [False, True])
def test_fit_in_processes_gives_the_same_model(in_folder, backend, xmc_data, tmp_path):
    weights = np.random.RandomState(0).uniform(0.5, 2, len(xmc_data[0].indptr) - 1)
    expected = make_classifier().fit(*xmc_data, sample_weight=weights)
    with backend():
        model = make_classifier(model_dir=tmp_path / "model" if in_folder else None)
        model.fit(*xmc_data, sample_weight=weights)
    assert_equal_models(model, expected)


def test_fit_in_processes_accepts_read_only_arrays(backend, xmc_data):
    # Many rows: backends map large arrays into memory, so kernels get read-only arrays.
    X, Y = (np.repeat(np.arange(600), 40), np.repeat(np.arange(600), 40))
    X, Y = xmc_data[0][X], xmc_data[1][Y]
    assert X.data.nbytes > 2**20
    expected = make_classifier(n_trees=1, negatives="tfn").fit(X, Y)
    with backend():
        assert_equal_models(make_classifier(n_trees=1, negatives="tfn").fit(X, Y), expected)


@pytest.mark.parametrize("clustering", ["kmeans", KMeans(random_state=0, n_init=1)], ids=str)
def test_label_tree_in_processes_gives_the_same_hierarchy(clustering, backend, xmc_data):
    Z = xmc_data[0]
    tree = HierarchicalLabelTree(2, 5, clustering=clustering, random_state=0)
    expected = tree.fit(Z).hierarchy_
    with backend():
        assert tree.fit(Z).hierarchy_ == expected


def test_subtree_task_can_be_pickled_twice(xmc_data):
    bisector = KMeansBisector.of(xmc_data[0][:100], False, 5)
    rows = np.arange(99, 9, -1, dtype=np.int32)
    task = SubtreeTask(bisector, PendingSplit(rows, 0, np.array([30, 30, 30]), [3]))
    leaves, n_iter = task.run(0)
    for _ in range(2):
        task = pickle.loads(pickle.dumps(task))
        got, got_iter = task.run(0)
        assert got_iter == n_iter
        for leaf, expected in zip(got, leaves, strict=True):
            np.testing.assert_array_equal(leaf, expected)


def test_custom_ranker_in_processes_ranks_the_same(backend, xmc_data):
    model = make_classifier(n_trees=1, negatives="tfn", ranker=LinearSVC(random_state=0))
    expected = model.fit(*xmc_data).predict_topk(xmc_data[0])
    with backend():
        got = model.fit(*xmc_data).predict_topk(xmc_data[0])
    for array, expected_array in zip(got, expected, strict=True):
        np.testing.assert_array_equal(array, expected_array)


def test_fit_survives_the_loss_of_all_workers(dask_client, xmc_data, tmp_path, monkeypatch):
    finished = []
    keep = FolderStore.keep

    def keep_and_kill(self, block, arrays):
        finished.append((self.path.name, block))
        if len(finished) == 5:
            for worker in dask_client.run(os.getpid).values():
                os.kill(worker, signal.SIGKILL)
        return keep(self, block, arrays)

    monkeypatch.setattr(FolderStore, "keep", keep_and_kill)
    with parallel_config(backend="dask"), pytest.warns(UserWarning, match="Workers were lost"):
        model = make_classifier(negatives="tfn", model_dir=tmp_path / "model").fit(*xmc_data)
    assert len(finished) == len(set(finished)) > 5  # finished blocks are not trained again
    monkeypatch.undo()
    assert_equal_models(model, make_classifier(negatives="tfn").fit(*xmc_data))
