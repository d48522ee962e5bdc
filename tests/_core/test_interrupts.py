"""Interrupts of kernels by signals and by other threads, and threads that cannot be started."""

import faulthandler
import gc
import os
import signal
import threading
import time
import weakref
from contextlib import suppress

import numpy as np
import pytest
import scipy.sparse as sp

from helpers.models import assert_equal_models
from skxmr import HierarchicalLabelTree, XRLinearClassifier
from skxmr._core.interrupts import StopFlag
from skxmr._core.threads import run_tasks
from skxmr.indexing import positive_instance_features

MANY = 10**9
# Each of these fits takes longer than anyone waits: the classes cannot be separated.
ENDLESS_FITS = {
    "float32": {"C": 1e6, "tol": 1.1e-5, "max_iter": MANY},
    "float64": {"C": 1e6, "tol": 1e-300, "max_iter": MANY},
}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = sp.random_array((400, 100), density=0.1, format="csr", rng=rng)
    return X, sp.csr_matrix(rng.random((400, 60)) < 0.05)


@pytest.fixture
def ctrl_c():
    """Function that sends SIGINT after 0.2 seconds; a test that hangs ends the process."""
    faulthandler.dump_traceback_later(120, exit=True)
    yield lambda: threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    faulthandler.cancel_dump_traceback_later()


@pytest.mark.skipif(os.name == "nt", reason="os.kill ends the process on Windows")
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("name", ENDLESS_FITS)
def test_interrupted_fit_keeps_the_fitted_model(name, n_jobs, data, ctrl_c):
    X, Y = data
    model = XRLinearClassifier(n_jobs=n_jobs, random_state=0).fit(X, Y)
    before = model.predict_proba(X)
    model.set_params(**ENDLESS_FITS[name])
    n_threads = threading.active_count()
    ctrl_c()
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, :90], Y)
    while threading.active_count() > n_threads:
        time.sleep(0.01)
    np.testing.assert_array_equal(model.predict_proba(X).toarray(), before.toarray())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no alarms")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_error_of_a_signal_handler_stops_a_fit(n_jobs, data):
    X, Y = data

    def time_out(*args):
        raise TimeoutError("0.2 seconds")

    faulthandler.dump_traceback_later(120, exit=True)
    old = signal.signal(signal.SIGALRM, time_out)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(TimeoutError, match=r"0\.2 seconds"):
            XRLinearClassifier(n_jobs=n_jobs, **ENDLESS_FITS["float32"]).fit(X, Y)
    finally:
        signal.signal(signal.SIGALRM, old)
        faulthandler.cancel_dump_traceback_later()


def make_cases(data):
    """Return calls of each long kernel with more than `ROWS_PER_CHECK` rows."""
    X, Y = data
    model = XRLinearClassifier(max_leaf_size=60, random_state=0).fit(X, Y)
    rows = sp.vstack([X] * 20, format="csr")
    many_rows = sp.vstack([rows] * 2, format="csr")
    all_labels = sp.csr_matrix(np.ones((rows.shape[0], 60), dtype=bool))
    return {
        "fit": lambda: XRLinearClassifier(random_state=0).fit(X, Y),
        "predict_topk": lambda: model.predict_topk(rows, k=5),
        "score_candidates": lambda: model.score_candidates(rows, all_labels),
        "pifa": lambda: positive_instance_features(rows, all_labels),
        "k-means": lambda: HierarchicalLabelTree().fit(many_rows),
    }


@pytest.mark.parametrize("name", ["fit", "predict_topk", "score_candidates", "pifa", "k-means"])
def test_kernels_stop_if_the_flag_of_their_thread_is_set(name, data):
    call = make_cases(data)[name]
    call()
    flag = StopFlag()
    flag.run(call)
    flag.set()
    with pytest.raises(KeyboardInterrupt):
        flag.run(call)
    call()  # the flag belongs to that call only


def test_stop_flag_stops_kernels_of_inner_flags(data):
    call = make_cases(data)["fit"]
    outer = StopFlag()
    inner = outer.run(StopFlag)
    outer.set()
    with pytest.raises(KeyboardInterrupt):
        inner.run(call)


@pytest.mark.parametrize("place", [0, 1])
def test_run_tasks_stops_the_other_threads_if_a_thread_is_interrupted(place, data):
    X, Y = data
    endless = XRLinearClassifier(random_state=0, **ENDLESS_FITS["float32"])
    started = threading.Event()

    def work(task):
        if task != place:
            started.set()
            endless.fit(X, Y)
        started.wait()
        time.sleep(0.05)
        raise KeyboardInterrupt("the first one")

    faulthandler.dump_traceback_later(120, exit=True)
    with pytest.raises(KeyboardInterrupt, match="the first one"):
        run_tasks(work, [(0,), (1,), (2,)], 2)
    faulthandler.cancel_dump_traceback_later()


def test_run_tasks_raises_the_error_of_the_first_task_that_fails():
    barrier = threading.Barrier(2)

    def fail(task):
        barrier.wait()
        time.sleep(0.05 * (1 - task))  # the second task fails first
        raise ValueError(f"task {task}")

    with pytest.raises(ValueError, match="task 0"):
        run_tasks(fail, [(0,), (1,)], 2)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_run_tasks_frees_the_arguments_of_its_tasks_after_an_error(error):
    class Argument:
        pass

    def fail(argument):
        raise error

    arguments = [Argument(), Argument()]
    references = [weakref.ref(argument) for argument in arguments]
    gc.disable()
    try:
        with suppress(error):
            run_tasks(fail, [(argument,) for argument in arguments], 2)
        del arguments
        assert [reference() for reference in references] == [None, None]
    finally:
        gc.enable()


@pytest.mark.parametrize("n_started", [0, 1])
def test_threads_that_cannot_start_change_no_result(n_started, data, monkeypatch):
    X, Y = data
    expected = XRLinearClassifier(random_state=0).fit(X, Y)
    scores = expected.predict_proba(X)
    refused = []

    class FewThreads(threading.Thread):
        def start(self):
            if len(refused) % 3 >= n_started:
                refused.append(self)
                raise RuntimeError("can't start new thread")
            refused.append(None)
            super().start()

    monkeypatch.setattr("skxmr._core.threads.Thread", FewThreads)
    model = XRLinearClassifier(random_state=0, n_jobs=4).fit(X, Y)
    found = model.predict_proba(X)
    monkeypatch.undo()
    assert any(refused)
    assert_equal_models(model, expected)
    np.testing.assert_array_equal(found.toarray(), scores.toarray())
