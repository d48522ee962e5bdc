"""What a fit will take is known before it is begun."""

import numpy as np
import pytest
import scipy.sparse as sp

from skxmr import LabelHierarchy, XRLinearClassifier, memory_estimate
from skxmr.datasets import make_extreme_multilabel


@pytest.fixture(scope="module")
def data():
    X, Y = make_extreme_multilabel(4000, 5000, 2000, random_state=0)
    return sp.csr_matrix(X, dtype=np.float32), sp.csr_matrix(Y)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"weight_threshold": 0.2},
        {"weight_threshold": 0.05},
        {"max_leaf_size": 16},
        {"weight_dtype": "float16"},
        {"weight_dtype": "int8"},
        {"branching_factor": 64},
        {"n_trees": 2},
        {"C": 4.0},
        {"max_weights_per_label": 20},
    ],
    ids=str,
)
def test_the_model_is_of_the_size_that_was_estimated(data, options):
    model = XRLinearClassifier(random_state=0, **options)
    estimate = model.estimate_memory(*data)
    model.fit(*data)
    parts = ("entry_weights", "entry_children", "entry_counts")
    weights = sum(level.arrays[name].nbytes for level in model._model.levels for name in parts)
    tables = sum(
        array.nbytes
        for level in model._model.levels
        for name, array in level.tables.items()
        if name in ("table", "ranked_words")
    )
    assert weights / 2 < estimate.weights < 2 * weights
    assert tables / 4 < estimate.tables < 4 * tables


def test_parts_follow_the_parameters(data):
    X, Y = data
    default = XRLinearClassifier().estimate_memory(X, Y)
    assert default.rows == 0
    assert default.peak > default.weights + default.tables
    assert XRLinearClassifier().estimate_memory(X.astype(np.float64), Y).rows > 8 * X.nnz
    more = XRLinearClassifier(weight_threshold=0.0).estimate_memory(X, Y)
    assert more.weights > 5 * default.weights
    assert f"{default.peak / 1e6:,.0f} MB" in str(default)
    classes = XRLinearClassifier().estimate_memory(X[:50].toarray(), np.arange(50) % 3)
    assert 0 < classes.peak < default.peak


def test_it_takes_and_refuses_what_fit_does(data):
    X, Y = (M[:100] for M in data)
    model = XRLinearClassifier(random_state=0)
    lists = model.estimate_memory(X.toarray().tolist(), Y.toarray().tolist())
    assert lists == model.estimate_memory(X.toarray(), Y.toarray())
    assert model.estimate_memory(X, ["a", "b"] * 50).peak > 0
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.estimate_memory(X[:50], Y)
    with pytest.raises(ValueError, match="infinity"):
        model.estimate_memory(X * np.inf, Y)
    other = XRLinearClassifier(label_tree=LabelHierarchy.from_parents([[0, 0]]))
    with pytest.raises(ValueError, match="LabelHierarchy of 2 labels"):
        other.estimate_memory(X, Y)
    assert not hasattr(model, "n_features_in_")


def test_a_fit_that_cannot_end_is_refused_with_what_to_change(data, monkeypatch):
    X, Y = data
    model = XRLinearClassifier(n_trees=3, random_state=0)
    peak = model.estimate_memory(X, Y).peak
    monkeypatch.setattr(memory_estimate, "memory_limit", lambda: peak // 3)
    with pytest.raises(MemoryError, match=r"weight_threshold \(now 0\.1\).*n_trees \(now 3\)"):
        model.fit(X, Y)
    assert not hasattr(model, "hierarchy_")
    # An estimate is not a measurement: what may fit is tried.
    monkeypatch.setattr(memory_estimate, "memory_limit", lambda: peak // 1.5)
    model.fit(X, Y)
    monkeypatch.setattr(memory_estimate, "memory_limit", lambda: None)
    model.fit(X, Y)


def test_the_limit_is_that_of_the_machine_or_less():
    limit = memory_estimate.memory_limit()
    assert limit is None or 2**20 < limit < 2**60
