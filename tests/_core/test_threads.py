"""Number of workers, and where tasks run."""

import threading
import warnings
from multiprocessing import current_process

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from helpers.models import assert_equal_models
from skxmr import XRLinearClassifier
from skxmr._core.threads import count_workers, run_tasks, split_rows
from skxmr.calibration import CalibratedMultilabelClassifierCV
from skxmr.model_selection import cross_val_predict, cross_val_score


@pytest.fixture
def in_daemon(monkeypatch):
    """Make this process a daemon, like a worker of `multiprocessing.Pool`."""
    monkeypatch.setitem(current_process()._config, "daemon", True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def record_thread(barrier):
    barrier.wait(timeout=30)
    return threading.get_ident()


def get_thread(_):
    return threading.get_ident()


@pytest.mark.parametrize("backend", [None, "loky", "multiprocessing", "threading"])
def test_run_tasks_uses_threads_in_a_daemon(backend, in_daemon):
    with joblib.parallel_config(backend) if backend else joblib.parallel_config(verbose=0):
        assert count_workers(2) == 2
        assert len(split_rows(100, 1, 2)) == 2
        for threads_only in (False, True):
            barrier = threading.Barrier(2)  # passed only if two tasks run at the same time
            idents = run_tasks(record_thread, [(barrier,)] * 2, 2, threads_only=threads_only)
            assert len(set(idents)) == 2


def test_run_tasks_that_prefer_processes_are_sequential_in_a_daemon(in_daemon):
    idents = run_tasks(get_thread, [(i,) for i in range(4)], 2, prefer="processes")
    assert set(idents) == {threading.get_ident()}


def test_classifier_gives_equal_results_in_a_daemon(xmc_data, monkeypatch):
    X, Y = xmc_data
    options = [{}, {"ranker": LogisticRegression(), "max_leaf_size": 50}]
    models = [XRLinearClassifier(n_jobs=2, random_state=0, **params) for params in options]
    expected = [XRLinearClassifier(random_state=0, **params).fit(X, Y) for params in options]
    monkeypatch.setitem(current_process()._config, "daemon", True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_equal_models(models[0].fit(X, Y), expected[0])
        models[1].fit(X[:200], Y[:200])
        for part, want in zip(models[0].predict_topk(X), expected[0].predict_topk(X), strict=True):
            np.testing.assert_array_equal(part, want)


def test_count_workers_uses_the_configured_number():
    with joblib.parallel_config(n_jobs=3):
        assert count_workers(None) == 3
        assert count_workers(2) == 2
    assert count_workers(None) == 1
    assert count_workers(-1) == joblib.cpu_count()


@pytest.mark.parametrize(
    "function",
    [
        lambda X, Y: cross_val_score(XRLinearClassifier(), X, Y, cv=2, n_jobs=2),
        lambda X, Y: cross_val_predict(XRLinearClassifier(), X, Y, cv=2, n_jobs=2),
        lambda X, Y: CalibratedMultilabelClassifierCV(
            XRLinearClassifier(), cv=2, n_jobs=2, method="sigmoid"
        ).fit(X, Y),
    ],
)
def test_cross_validation_does_not_warn_in_a_daemon(function, in_daemon, xmc_data):
    function(xmc_data[0][:100], xmc_data[1][:100])
