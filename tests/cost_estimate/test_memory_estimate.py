"""Estimates of the memory of a fit, and the refusal of fits that are too large."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.cluster import KMeans

from helpers import quick
from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr._core.rows import as_rows
from skxmr.cost_estimate import _estimation


@pytest.mark.parametrize(
    "options",
    quick.first(
        3,
        [
            {},
            {"weight_threshold": 0.0, "weight_dtype": "int8"},
            {"branching_factor": 64, "max_leaf_size": 10},
            {"weight_threshold": 0.0},
            {"weight_dtype": "int8"},
            {"n_trees": 2},
            {"weight_threshold": 0.2},
            {"max_leaf_size": 16},
            {"weight_dtype": "float16"},
            {"max_leaf_size": 2000},
            {"C": 4.0, "relevance_norm": "l1"},
            {"loss": "log_loss", "relevance_norm": "max"},
            {"relevance_norm": None},
            {"label_tree": HierarchicalLabelTree(20, 40, balanced=False)},
        ],
    ),
    ids=str,
)
def test_estimate_memory_predicts_the_size_of_the_model(data, options):
    model = XRLinearClassifier(random_state=0, **options)
    estimate = model.estimate_memory(*data)
    model.fit(*data)
    trees = getattr(model._model, "trees", [model._model])
    levels = [level for tree in trees for level in tree.levels]
    arrays = [array for level in levels for name, array in level.arrays.items() if name != "words"]
    weights = sum(array.nbytes for array in arrays)
    tables = sum(array.nbytes for level in levels for array in level.tables.values())
    assert weights / 1.25 < estimate.weights < 1.25 * weights
    # Whether a level has dense weights is uncertain if about a quarter of them is not 0.
    assert tables / 1.5 < estimate.tables < 1.5 * tables


def test_estimate_memory_predicts_the_size_of_files(data, tmp_path):
    model = XRLinearClassifier(model_dir=tmp_path / "model", random_state=0)
    estimate = model.estimate_memory(*data)
    assert not list(tmp_path.iterdir())
    model.fit(*data)
    size = sum(file.stat().st_size for file in (tmp_path / "model").rglob("*"))
    assert size / 1.3 < estimate.files < 1.3 * size
    dense = [level.tables.get("table") for level in model._model.levels]
    size = sum(table.nbytes for table in dense if table is not None)
    assert size / 1.3 < estimate.tables < 1.3 * size
    assert estimate.weights == 0


def test_estimate_memory_follows_parameters(data):
    X, Y = data
    default = XRLinearClassifier().estimate_memory(X, Y)
    assert default.rows <= 8 * (X.shape[0] + 1)
    assert default.peak > default.weights + default.tables
    assert default.files == 0
    assert XRLinearClassifier().estimate_memory(X.astype(np.float64), Y).rows >= 4 * X.nnz
    assert XRLinearClassifier().estimate_memory(X.tocsc(), Y).rows >= 8 * X.nnz
    more = XRLinearClassifier(weight_threshold=0.0).estimate_memory(X, Y)
    assert more.weights > 5 * default.weights
    assert more.peak > default.peak
    trees = XRLinearClassifier(n_trees=3).estimate_memory(X, Y)
    assert abs(trees.weights - 3 * default.weights) <= 3  # each number is rounded
    threads = XRLinearClassifier(n_jobs=8).estimate_memory(X, Y)
    assert threads.label_features > default.label_features
    assert threads.training > default.training
    narrow = XRLinearClassifier(weight_dtype="float16").estimate_memory(X, Y)
    assert narrow.weights < 0.7 * default.weights
    files = XRLinearClassifier(model_dir="model").estimate_memory(X, Y)
    assert files.peak < default.peak
    assert files.files + files.tables == default.weights + default.tables
    assert f"{default.peak / 1e6:,.0f} MB" in str(default)
    assert ("files" in str(default), "files" in str(files)) == (False, True)


@pytest.mark.slow(reason="estimates many settings")
def test_estimate_memory_accepts_all_kinds_of_trees(data):
    X, Y = data
    model = XRLinearClassifier(random_state=0).fit(X, Y)
    known = XRLinearClassifier(label_tree=model.hierarchy_).estimate_memory(X, Y)
    found = XRLinearClassifier().estimate_memory(X, Y)
    assert known.label_features == 0
    assert known.weights / 1.2 < found.weights < 1.2 * known.weights
    for clustering, balanced in [
        ("random", True),
        ("kmeans", True),
        ("huffman", False),
        (KMeans(), True),
    ]:
        tree = HierarchicalLabelTree(clustering=clustering, balanced=balanced, max_leaf_size=50)
        assert XRLinearClassifier(label_tree=tree).estimate_memory(X, Y).weights > 0


def test_estimate_memory_accepts_and_refuses_what_fit_does(data):
    X, Y = (M[:100] for M in data)
    model = XRLinearClassifier(random_state=0)
    lists = model.estimate_memory(X.toarray().tolist(), Y.toarray().tolist())
    dense = model.estimate_memory(X.toarray(), Y.toarray())
    assert lists[1:] == dense[1:]
    assert model.estimate_memory(X, ["a", "b"] * 50).peak > 0
    assert model.estimate_memory(X, np.arange(100) % 3).peak < dense.peak
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.estimate_memory(X[:50], Y)
    with pytest.raises(ValueError, match="infinity"):
        model.estimate_memory(X * np.inf, Y)
    with pytest.raises(ValueError, match="y must have at least one label; got only zeros"):
        model.estimate_memory(X, 0 * Y)
    other = XRLinearClassifier(label_tree=LabelHierarchy.from_parents([[0, 0]]))
    with pytest.raises(ValueError, match="LabelHierarchy of 2 labels"):
        other.estimate_memory(X, Y)


@pytest.mark.filterwarnings("ignore:y has 2,000 labels")
@pytest.mark.parametrize("case", ["no features", "one label", "one row"])
def test_estimate_costs_accepts_degenerate_data(data, case):
    X, Y = (M[:50] for M in data)
    if case == "no features":
        X = 0 * X
    elif case == "one label":
        Y = Y[:, [int(np.argmax(Y.sum(axis=0)))]]
    else:
        X, Y = X[:1], Y[:1]
    model = XRLinearClassifier(max_leaf_size=20)
    memory, time = model.estimate_costs(X, Y)
    assert memory.peak > 0
    assert time.cpu >= 0


def test_estimate_memory_is_deterministic_and_changes_nothing(data):
    X, Y = data
    copies = X.copy(), Y.copy()
    model = XRLinearClassifier(random_state=np.random.RandomState(3))
    before = dict(vars(model))
    state = model.random_state.get_state()[1].copy()
    first, second = model.estimate_memory(X, Y), model.estimate_memory(X, Y)
    assert first == second
    assert vars(model) == before
    assert np.array_equal(model.random_state.get_state()[1], state)
    assert all((a != b).nnz == 0 for a, b in zip(copies, data, strict=True))


def test_fit_raises_memory_error_that_says_what_to_change(data, monkeypatch):
    X, Y = data
    model = XRLinearClassifier(n_trees=3, random_state=0)
    peak = model.estimate_memory(X, Y).peak
    monkeypatch.setattr(_estimation, "find_memory_limit", lambda: peak // 2)
    message = (
        rf"fit needs about {peak / 1e9:.1f} GB; the machine \(or its container\) has .* GB\. "
        r"Set model_dir, set weight_dtype='float16', increase weight_threshold \(now 0\.1\), "
        r"decrease n_trees \(now 3\), or train on fewer rows\. Estimate: peak "
    )
    with pytest.raises(MemoryError, match=message):
        model.fit(X, Y)
    assert not hasattr(model, "hierarchy_")
    # Estimates are not exact: a fit that may succeed is not refused.
    monkeypatch.setattr(_estimation, "find_memory_limit", lambda: peak // 1.4)
    model.fit(X, Y)
    monkeypatch.setattr(_estimation, "find_memory_limit", lambda: None)
    model.fit(X, Y)


@pytest.mark.slow(reason="estimates many settings")
def test_fit_with_model_dir_raises_memory_error_for_its_own_limit(data, monkeypatch, tmp_path):
    X, Y = data
    memory = XRLinearClassifier(n_trees=8, weight_threshold=0.0, random_state=0)
    files = XRLinearClassifier(**memory.get_params()).set_params(model_dir=tmp_path / "model")
    limit = files.estimate_memory(X, Y).peak
    monkeypatch.setattr(_estimation, "find_memory_limit", lambda: limit)
    with pytest.raises(MemoryError, match="Set model_dir"):
        memory.fit(X, Y)
    files.set_params(n_trees=1).fit(X, Y)
    monkeypatch.setattr(_estimation, "find_memory_limit", lambda: limit // 100)
    files.set_params(n_jobs=2, model_dir=tmp_path / "other")
    with pytest.raises(MemoryError, match=r"Decrease n_jobs \(now 2\), or train on fewer rows"):
        files.fit(X, Y)
    assert not (tmp_path / "other").exists()


@pytest.mark.slow(reason="estimates many settings")
def test_bound_memory_is_above_the_estimate(data):
    X, Y = data
    for threshold in (0.0, 0.05, 0.1, 0.4):
        for n_jobs in (1, 4):
            model = XRLinearClassifier(weight_threshold=threshold, n_jobs=n_jobs)
            bound = _estimation.bound_memory(model, as_rows(X).to_training_rows(), Y)
            assert bound > model.estimate_memory(X, Y).peak


def test_dense_rows_are_copied_only_if_they_must_be_converted():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 64)).astype(np.float32)
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    Y = sp.csr_array((rng.random((2000, 50)) < 0.05).astype(np.int8))
    model = XRLinearClassifier(random_state=0)
    indptr_bytes = 8 * (2000 + 1)
    for rows, copied in [
        (X, 0),
        (X.astype(np.float64), X.nbytes),
        (np.asfortranarray(X), X.nbytes),
        (3 * X, X.nbytes),
        (sp.csr_array(X), 0),
    ]:
        assert copied <= model.estimate_memory(rows, Y).rows <= copied + indptr_bytes
