"""`make_extreme_multilabel`: sizes, long tail, label hierarchy, informative features."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.preprocessing import normalize

from helpers import quick
from skxmr import LabelHierarchy
from skxmr.datasets import _generator, make_extreme_multilabel


def compute_centroid_precision(X, Y, first_test_row):
    """Return the precision at 1 of a nearest centroid classifier on the last rows."""
    centroids = normalize(Y[:first_test_row].astype(np.float32).T @ X[:first_test_row])
    best = (X[first_test_row:] @ centroids.T).toarray().argmax(axis=1)
    return np.asarray(Y[first_test_row:][np.arange(len(best)), best]).mean()


def test_defaults_return_canonical_csr():
    X, Y = make_extreme_multilabel(random_state=0)
    assert X.shape == (1000, 2000)
    assert Y.shape == (1000, 500)
    assert X.format == Y.format == "csr"
    assert X.dtype == np.float32
    assert Y.dtype == np.int32
    for matrix in (X, Y):
        assert matrix.indices.dtype == np.int32
        matrix.check_format(full_check=True)
        view = sp.csr_array((matrix.data, matrix.indices, matrix.indptr), shape=matrix.shape)
        assert view.has_canonical_format
    assert np.all(Y.data == 1)
    assert X.data.min() > 0
    assert np.diff(X.indptr).min() >= 1
    np.testing.assert_allclose(X.multiply(X).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("n_labels_per_sample", [1, 2.5, 8])
@pytest.mark.parametrize("n_features_per_sample", [2, 50])
def test_mean_sizes_of_rows_match_parameters(n_labels_per_sample, n_features_per_sample):
    X, Y = make_extreme_multilabel(
        2000,
        5000,
        400,
        n_features_per_sample=n_features_per_sample,
        n_labels_per_sample=n_labels_per_sample,
        random_state=3,
    )
    assert Y.nnz == round(2000 * n_labels_per_sample)
    assert np.diff(Y.indptr).min() == 1
    assert X.nnz / 2000 == pytest.approx(n_features_per_sample, rel=0.1)


@pytest.mark.parametrize("n_samples", [1, 7, 100])
def test_tiny_data_has_labels_and_features_in_each_row(n_samples):
    X, Y = make_extreme_multilabel(
        n_samples, 3, 2, n_features_per_sample=3, n_labels_per_sample=2, random_state=0
    )
    assert X.shape == (n_samples, 3)
    assert np.diff(Y.indptr).min() >= 1
    assert np.diff(X.indptr).min() >= 1


@pytest.mark.parametrize("n_labels", [300, 1200])
def test_every_label_has_a_row_if_there_are_enough_labels_per_row(n_labels):
    _, Y = make_extreme_multilabel(400, 500, n_labels, n_labels_per_sample=4, random_state=0)
    assert np.bincount(Y.indices, minlength=n_labels).min() >= 1
    # The number of labels is unchanged, and no row has a label twice.
    assert Y.nnz == 1600
    assert Y.has_canonical_format


def test_rare_labels_have_no_row_if_there_are_too_few_labels_per_row():
    _, Y = make_extreme_multilabel(100, 500, 1000, n_labels_per_sample=4, random_state=0)
    frequency = np.bincount(Y.indices, minlength=1000)
    assert frequency.min() == 0
    assert frequency.max() > 5


def test_random_state_determines_data():
    def make(random_state):
        X, Y = make_extreme_multilabel(200, 300, 50, random_state=random_state)
        return X.toarray(), Y.toarray()

    for first, again, other in zip(make(7), make(7), make(8), strict=True):
        np.testing.assert_array_equal(first, again)
        assert np.any(first != other)
    for first, again in zip(make(7), make(np.random.RandomState(7)), strict=True):
        np.testing.assert_array_equal(first, again)


def test_label_exponent_increases_head():
    def head_fraction(exponent):
        _, Y = make_extreme_multilabel(5000, 500, 1000, label_exponent=exponent, random_state=0)
        frequency = np.sort(np.bincount(Y.indices, minlength=1000))[::-1]
        return frequency[:100].sum() / frequency.sum()

    assert 0.1 < head_fraction(0) < 0.2
    assert 0.5 < head_fraction(1) < head_fraction(1.5)


def test_labels_and_features_follow_hierarchy():
    X, Y, parents = make_extreme_multilabel(
        3000, 4000, 1000, labels_per_topic=20, return_parents=True, random_state=0
    )
    tree = LabelHierarchy.from_parents(parents)
    assert tree.level_sizes == (7, 50, 1000)
    topic = parents[-1]
    np.testing.assert_array_equal(tree.leaf_of_label, topic)
    # Labels of a row share a topic much more often than random labels, which do so in 2 % of all
    # pairs, or slightly more because of popular labels.
    cooccurrences = (Y.T @ Y).tocoo()
    row, column = cooccurrences.coords
    pairs = row < column
    is_same_topic = topic[row[pairs]] == topic[column[pairs]]
    assert np.average(is_same_topic, weights=cooccurrences.data[pairs]) > 0.3
    # Centroids of labels are closer within a topic than between topics.
    centroids = normalize(Y.astype(np.float32).T @ X)
    similarity = (centroids @ centroids.T).toarray()
    is_sibling = topic[:, None] == topic
    np.fill_diagonal(is_sibling, False)
    assert similarity[is_sibling].mean() > 1.5 * similarity[~is_sibling].mean()
    # Label ids contain no information: consecutive labels are rarely siblings.
    assert np.mean(topic[1:] == topic[:-1]) < 0.1


def test_background_decreases_precision():
    def precision(background):
        X, Y = make_extreme_multilabel(3000, 4000, 200, background=background, random_state=0)
        return compute_centroid_precision(X, Y, 2000)

    easy, hard, impossible = map(precision, (0.2, 0.8, 1.0))
    assert easy > 0.6
    assert easy > hard + 0.1 > impossible + 0.2


def test_features_match_labels_in_all_blocks(monkeypatch):
    monkeypatch.setattr(_generator, "_WORDS_PER_BLOCK", 5000)
    X, Y = make_extreme_multilabel(3000, 4000, 200, background=0.2, random_state=0)
    assert X.shape[0] == 3000
    assert compute_centroid_precision(X, Y, 2000) > 0.6


@pytest.mark.parametrize("n_labels_per_sample", [1, 2.5, 8])
def test_labels_are_correct_for_several_blocks(n_labels_per_sample, monkeypatch):
    monkeypatch.setattr(_generator, "_DRAWS_PER_BLOCK", 500)
    _, Y, parents = make_extreme_multilabel(
        2000,
        500,
        400,
        labels_per_topic=20,
        n_labels_per_sample=n_labels_per_sample,
        return_parents=True,
        random_state=0,
    )
    Y.check_format(full_check=True)
    assert sp.csr_array((Y.data, Y.indices, Y.indptr), shape=Y.shape).has_canonical_format
    assert Y.nnz == round(2000 * n_labels_per_sample)
    assert np.bincount(Y.indices, minlength=400).min() >= 1
    lengths = np.diff(Y.indptr)
    assert lengths.min() == 1
    # All blocks have the same mean number of labels.
    assert lengths.reshape(4, 500).mean(axis=1) == pytest.approx(n_labels_per_sample, rel=0.1)
    if n_labels_per_sample > 1:
        # Companions belong to the topic of the first label, so topics repeat within a row.
        def distinct_topic_fraction(topic):
            return np.mean([len(set(topic[a:b])) / (b - a) for a, b in pairwise(Y.indptr)])

        topic = parents[-1][Y.indices]
        shuffled = np.random.default_rng(0).permutation(topic)
        assert distinct_topic_fraction(topic) < 0.85 * distinct_topic_fraction(shuffled)


@pytest.mark.parametrize("n_labels_per_sample", quick.first(1, [4, 30]))
def test_peak_memory_is_close_to_size_of_output(n_labels_per_sample, monkeypatch):
    monkeypatch.setattr(_generator, "_WORDS_PER_BLOCK", 50_000)
    monkeypatch.setattr(_generator, "_DRAWS_PER_BLOCK", 50_000)
    tracemalloc.start()
    try:
        X, Y = make_extreme_multilabel(
            20_000, 30_000, 10_000, n_labels_per_sample=n_labels_per_sample, random_state=0
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    output_bytes = sum(m.data.nbytes + m.indices.nbytes + m.indptr.nbytes for m in (X, Y))
    assert peak < 3 * output_bytes + 15e6  # a dense X would take 2.4 GB


def test_container_follows_sparse_interface_of_scikit_learn():
    X, Y = make_extreme_multilabel(10, 20, 5, n_features_per_sample=5, random_state=0)
    default = sklearn.get_config().get("sparse_interface", "spmatrix")
    assert isinstance(X, sp.spmatrix) == isinstance(Y, sp.spmatrix) == (default == "spmatrix")
    if "sparse_interface" in sklearn.get_config():
        with sklearn.config_context(sparse_interface="sparray"):
            X, Y = make_extreme_multilabel(10, 20, 5, n_features_per_sample=5, random_state=0)
        assert isinstance(X, sp.csr_array)
        assert isinstance(Y, sp.csr_array)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("n_samples", 0, ValueError),
        ("n_samples", 10.0, TypeError),
        ("n_features", 0, ValueError),
        ("n_labels", -1, ValueError),
        ("n_features_per_sample", 0.5, ValueError),
        ("n_features_per_sample", 2001, ValueError),
        ("n_labels_per_sample", 0, ValueError),
        ("n_labels_per_sample", 501, ValueError),
        ("n_labels_per_sample", "4", TypeError),
        ("labels_per_topic", 0, ValueError),
        ("label_exponent", -0.1, ValueError),
        ("label_exponent", np.inf, ValueError),
        ("background", 1.1, ValueError),
        ("background", np.nan, ValueError),
    ],
)
def test_invalid_parameter_raises_error_with_its_name(name, value, error):
    with pytest.raises(error, match=name):
        make_extreme_multilabel(**{name: value})
