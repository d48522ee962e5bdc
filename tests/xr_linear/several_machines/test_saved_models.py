"""`predict_saved` in other processes equals the methods of the model."""

import numpy as np
import pytest

from skxmr import XRLinearClassifier
from skxmr._core.threads import run_tasks
from skxmr.persistence import _saved_prediction, predict_saved
from skxmr.persistence._saved_prediction import _predict_block


def make_classifier(**params):
    settings = {"max_leaf_size": 20, "n_trees": 2, "negatives": "tfn+man", "random_state": 0}
    return XRLinearClassifier(**{**settings, **params})


@pytest.mark.parametrize("method", ["predict_topk", "predict_proba", "predict"])
def test_predict_saved_equals_the_model(method, backend, xmc_data, tmp_path):
    X, Y = xmc_data
    model = make_classifier(model_dir=tmp_path / "model").fit(X, Y)
    expected = getattr(model, method)(X)
    with backend():
        got = predict_saved(tmp_path / "model", X, method)
        with pytest.raises(FileNotFoundError, match="no such folder"):
            predict_saved(tmp_path / "other", X)
    assert type(got) is type(expected)
    if method == "predict_topk":
        for array, expected_array in zip(got, expected, strict=True):
            assert array.dtype == expected_array.dtype
            np.testing.assert_array_equal(array, expected_array)
    else:
        assert got.dtype == expected.dtype
        assert got.shape == expected.shape
        assert (got != expected).nnz == 0


def test_predict_saved_sends_each_worker_only_its_rows(xmc_data, tmp_path, monkeypatch):
    # An array that is an argument itself would be sent to all workers.
    model = make_classifier(model_dir=tmp_path / "model").fit(*xmc_data)
    tasks = []

    def record_tasks(function, new_tasks, n_jobs):
        tasks.extend(new_tasks)
        return run_tasks(function, tasks, n_jobs)

    monkeypatch.setattr(_saved_prediction, "run_tasks", record_tasks)
    X = xmc_data[0].toarray()
    got = predict_saved(tmp_path / "model", X, n_jobs=3)
    assert len(tasks) == 3
    assert not any(isinstance(part, np.ndarray) for task in tasks for part in task)
    for part, expected in zip(got, model.predict_topk(X), strict=True):
        np.testing.assert_array_equal(part, expected)


def test_predict_saved_rejects_another_model_on_a_worker(xmc_data, tmp_path):
    make_classifier(model_dir=tmp_path / "model").fit(*xmc_data)
    with pytest.raises(ValueError, match="another model"):
        _predict_block(tmp_path / "model", "0", "predict", {}, xmc_data[:1])
    with pytest.raises(ValueError, match="method must be one of .* got 'fit'"):
        predict_saved(tmp_path / "model", xmc_data[0], "fit")
