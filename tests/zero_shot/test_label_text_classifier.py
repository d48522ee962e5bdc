"""`LabelTextClassifier`: labels without rows are found, and other labels keep their places."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.decomposition import TruncatedSVD
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.preprocessing import normalize

from skxmr import XRLinearClassifier, load_model, make_text_classifier, save_model
from skxmr.calibration import CalibratedMultilabelClassifierCV
from skxmr.metrics import precision_at_k, recall_at_k, topk_scorer
from skxmr.pipeline import make_pipeline
from skxmr.text import TextEmbedder, TfidfVectorizer
from skxmr.zero_shot import LabelTextClassifier, _classifier
from skxmr.zero_shot._merging import merge_rankings, raise_to_places
from skxmr.zero_shot._precision_map import fit_precision_map
from skxmr.zero_shot._text_search import EXPANSION_WEIGHT, LabelTextSearch

N_LABELS, N_NEW = 60, 6
NEW = np.arange(0, N_LABELS, N_LABELS // N_NEW)


def make_data(seed=0, n_rows=900, n_words=400):
    """Return rows, targets, and the rows of label texts; rows contain words of their labels."""
    rng = np.random.default_rng(seed)
    topics = [rng.choice(n_words, 12, replace=False) for _ in range(N_LABELS)]
    Y = np.zeros((n_rows, N_LABELS), dtype=np.int64)
    X = np.zeros((n_rows, n_words), dtype=np.float32)
    for row in range(n_rows):
        labels = rng.choice(N_LABELS, 2, replace=False)
        Y[row, labels] = 1
        for label in labels:
            np.add.at(X[row], rng.choice(topics[label], 5), 1)
        np.add.at(X[row], rng.integers(0, n_words, 6), 1)
    texts = np.zeros((N_LABELS, n_words), dtype=np.float32)
    for label, topic in enumerate(topics):
        texts[label, topic[:6]] = 1
    return sp.csr_array(normalize(X)), sp.csr_array(Y), sp.csr_array(texts)


def hide(Y, labels=NEW):
    Y = Y.tolil(copy=True)
    Y[:, labels] = 0
    return Y.tocsr()


def make_model(label_texts, estimator=None, **params):
    estimator = estimator or XRLinearClassifier(max_leaf_size=20, random_state=0)
    return LabelTextClassifier(estimator, label_texts, random_state=0, **params)


def recall_of_new(Y, ranking):
    """Return recall@10 of the labels without training rows, over the rows that have one."""
    new = sp.csr_array(Y - hide(Y))
    rows = np.diff(new.indptr) > 0
    return recall_at_k(new[rows], tuple(array[rows] for array in ranking), k=10)


@pytest.fixture(scope="module")
def data():
    X, Y, texts = make_data()
    return X[:600], hide(Y[:600]), X[600:], Y[600:], texts


@pytest.fixture(scope="module")
def model(data):
    X, Y, _, _, texts = data
    return make_model(texts).fit(X, Y)


def as_texts(X):
    """Return a text per row, with a word per nonzero value."""
    return [" ".join(f"w{word}" for word in X.indices[a:b]) for a, b in row_slices(X)]


def row_slices(X):
    return zip(X.indptr[:-1], X.indptr[1:], strict=True)


def as_names(Y):
    return [[f"label {label:02d}" for label in Y.indices[a:b]] for a, b in row_slices(Y)]


def test_labels_without_rows_are_found_and_other_labels_keep_their_places(data, model):
    X, Y, X_test, Y_test, _ = data
    known = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(X, Y)
    expected, ranking = known.predict_topk(X_test), model.predict_topk(X_test)
    assert recall_of_new(Y_test, expected) == 0
    assert recall_of_new(Y_test, ranking) > 0.8
    without = hide(Y_test)
    k1 = [precision_at_k(without, r, k=1) for r in (expected, ranking)]
    assert k1[1] > k1[0] - 0.05
    np.testing.assert_array_equal(model.labels_without_rows_, NEW)


def test_known_labels_keep_order_and_scores(data, model):
    X, Y, X_test, _, _ = data
    known = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(X, Y)
    expected_labels, expected_scores = known.predict_topk(X_test, 10)
    labels, scores = model.predict_topk(X_test, 10)
    assert np.all(np.diff(scores, axis=1) <= 0)
    for row in range(len(labels)):
        is_known = ~np.isin(labels[row], NEW)
        n = np.count_nonzero(is_known)
        np.testing.assert_array_equal(labels[row][is_known], expected_labels[row][:n])
        np.testing.assert_array_equal(scores[row][is_known], expected_scores[row][:n])


@pytest.mark.parametrize("places", [(9, 10), (2,), (3, 5, 6), [4]])
def test_best_labels_without_rows_have_their_places_at_the_latest(data, model, places):
    X_test = data[2]
    labels, _ = clone_fitted(model, places=places).predict_topk(X_test, N_LABELS)
    is_new = np.isin(labels, NEW)
    n_found = is_new.sum(axis=1)  # texts that have something in common with the query
    assert n_found.mean() > 3
    for j, place in enumerate(places):
        assert np.all(is_new[:, :place].sum(axis=1) >= np.minimum(j + 1, n_found))


def clone_fitted(model, **params):
    return pickle.loads(pickle.dumps(model)).set_params(**params)


def test_rankings_of_different_lengths_agree(data, model):
    X_test = data[2]
    labels, scores = model.predict_topk(X_test, N_LABELS)
    for row in labels:
        found = row[row >= 0].tolist()
        assert len(set(found)) == len(found) >= N_LABELS - N_NEW
    for k in (1, 5, 8, 9, 10, 11, 30):
        shorter = model.predict_topk(X_test, k)
        np.testing.assert_array_equal(shorter[0], labels[:, :k])
        np.testing.assert_array_equal(shorter[1], scores[:, :k])
    assert model.predict_topk(X_test, 10 * N_LABELS)[0].shape == labels.shape


@pytest.mark.parametrize("kind", ["sparse", "dense"])
def test_predictions_do_not_depend_on_other_rows(data, kind, monkeypatch):
    X, Y, X_test, _, texts = data
    if kind == "dense":
        reduce = TruncatedSVD(32, random_state=0).fit(X)
        X, X_test, texts = (reduce.transform(M).astype(np.float32) for M in (X, X_test, texts))
    model = make_model(texts).fit(X, Y)
    labels, scores = model.predict_topk(X_test)
    predicted = model.predict(X_test).toarray()
    for row in range(0, X_test.shape[0], 7):
        single = model.predict_topk(X_test[[row]])
        np.testing.assert_array_equal(single[0][0], labels[row])
        np.testing.assert_array_equal(single[1][0], scores[row])
        np.testing.assert_array_equal(model.predict(X_test[[row]]).toarray()[0], predicted[row])
    monkeypatch.setattr(_classifier, "ROWS_PER_BLOCK", 7)
    np.testing.assert_array_equal(model.predict_topk(X_test)[0], labels)
    np.testing.assert_array_equal(make_model(texts).fit(X, Y).predict_topk(X_test)[1], scores)


def test_texts_and_names_are_ranked(data):
    X, Y, X_test, Y_test, texts = data
    names = [f"label {label:02d}" for label in range(N_LABELS)]
    label_texts = dict(zip(names, as_texts(texts), strict=True))
    by_name = make_model(label_texts, make_text_classifier(random_state=0))
    by_name.fit(as_texts(X), as_names(Y))
    assert by_name.labels_without_rows_.tolist() == [names[label] for label in NEW]
    assert by_name.classes_.tolist() == names
    X_test = as_texts(X_test)
    labels, scores = by_name.predict_topk(X_test)
    assert recall_at_k(Y_test, (labels, scores), k=10) > 0.8
    assert recall_of_new(Y_test, (labels, scores)) > 0.8
    suggestions = by_name.suggest(X_test[:5], k=10)
    shown = [[name for name, _ in pairs] for pairs in suggestions]
    assert shown == [[names[label] for label in row] for row in labels[:5]]
    predicted = by_name.predict(X_test)
    assert predicted.dtype == object
    assert {type(labels) for labels in predicted} == {tuple}


def test_dict_for_columns_of_an_indicator(data):
    X, Y, X_test, _, texts = data
    pipeline = make_text_classifier(random_state=0)
    label_texts = dict(zip(np.arange(N_LABELS), as_texts(texts), strict=True))
    model = make_model(label_texts, pipeline).fit(as_texts(X), Y)
    np.testing.assert_array_equal(model.labels_without_rows_, NEW)
    assert np.isin(NEW, model.predict_topk(as_texts(X_test))[0]).all()


@pytest.mark.parametrize("container", [sp.csr_matrix, sp.csc_array, sp.coo_array, np.asarray])
def test_containers_of_targets_give_the_same_ranking(data, model, container):
    X, Y, X_test, _, texts = data
    y = Y.toarray() if container is np.asarray else container(Y)
    label_texts = texts.toarray() if container is np.asarray else container(texts)
    again = make_model(label_texts if sp.issparse(label_texts) else texts).fit(X, y)
    for array, expected in zip(again.predict_topk(X_test), model.predict_topk(X_test), strict=True):
        np.testing.assert_array_equal(array, expected)
    predicted = again.predict(X_test)
    assert sp.issparse(predicted) == (container is not np.asarray)
    assert predicted.dtype == Y.dtype
    assert (predicted != model.predict(X_test)).sum() == 0


def test_predict_adds_only_labels_without_rows(data, model):
    X, Y, X_test, _, _ = data
    known = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(X, Y).predict(X_test)
    difference = (model.predict(X_test) - known).tocoo()
    assert difference.data.min() == 1
    assert np.isin(difference.coords[1], NEW).all()


def test_mixed_rows_are_accepted(data):
    X, Y, X_test, Y_test, texts = data
    encoder = make_pipeline(TfidfVectorizer(), TruncatedSVD(16, random_state=0))
    pipeline = make_text_classifier(embedder=TextEmbedder(encoder), random_state=0)
    label_texts = dict(enumerate(as_texts(texts)))
    model = make_model(label_texts, pipeline).fit(as_texts(X), Y)
    ranking = model.predict_topk(as_texts(X_test))
    assert recall_at_k(Y_test, ranking, k=10) > 0.6


def test_label_without_rows_and_text_is_never_found(data):
    X, Y, X_test, _, texts = data
    texts = texts.tolil()
    texts[NEW[0]] = 0
    model = make_model(texts.tocsr()).fit(X, Y)
    np.testing.assert_array_equal(model.labels_without_rows_, NEW[1:])
    labels, scores = model.predict_topk(X_test, N_LABELS)
    assert np.all(scores[labels == NEW[0]] < 1e-30)


def test_without_new_labels_the_ranking_is_that_of_the_estimator(data):
    X, _, X_test, _, texts = data
    Y = make_data()[1][:600]
    model = make_model(texts).fit(X, Y)
    assert len(model.labels_without_rows_) == 0
    expected = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(X, Y)
    for array, wanted in zip(
        model.predict_topk(X_test), expected.predict_topk(X_test), strict=True
    ):
        np.testing.assert_array_equal(array, wanted)
    assert (model.predict(X_test) != expected.predict(X_test)).nnz == 0


def test_rows_without_features_are_ranked(data, model):
    n_features = data[0].shape[1]
    labels, _ = model.predict_topk(sp.csr_array((2, n_features), dtype=np.float32), 10)
    assert labels.shape == (2, 10)


def test_calibrated_classifier_can_be_wrapped(data):
    X, Y, X_test, _, texts = data
    inner = CalibratedMultilabelClassifierCV(XRLinearClassifier(random_state=0), cv=2)
    labels, scores = make_model(texts, inner).fit(X, Y).predict_topk(X_test)
    assert np.isin(NEW, labels).all()
    assert scores.max() < 1


def test_log_scores_are_supported(data):
    X, Y, X_test, _, texts = data
    inner = XRLinearClassifier(max_leaf_size=20, score_transform="log-l3-hinge", random_state=0)
    labels, scores = make_model(texts, inner).fit(X, Y).predict_topk(X_test)
    assert scores.max() <= 0
    assert np.isin(NEW, labels).all()


def test_search_can_be_wrapped(data):
    X, Y, X_test, Y_test, texts = data
    search = GridSearchCV(
        XRLinearClassifier(max_leaf_size=20, random_state=0),
        {"C": [0.5, 1.0]},
        scoring=topk_scorer("precision", k=1),
        cv=2,
    )
    model = make_model(texts, search).fit(X, Y)
    assert model.estimator_.best_params_["C"] in (0.5, 1.0)
    assert recall_of_new(Y_test, model.predict_topk(X_test)) > 0.8


def test_search_and_clone(data):
    X, Y, _, _, texts = data
    search = GridSearchCV(
        make_model(texts),
        {"places": [(2, 3, 4), (9, 10)], "estimator__beam_width": [1, 10]},
        scoring=topk_scorer("precision", k=3),
        cv=2,
    ).fit(X, Y)
    assert search.best_params_ == {"places": (9, 10), "estimator__beam_width": 10}
    again = clone(search.best_estimator_)
    assert not hasattr(again, "estimator_")
    assert again.label_texts is not None


def test_sample_weight_is_passed_to_the_estimator(data):
    X, Y, X_test, _, texts = data
    weights = np.random.default_rng(0).random(X.shape[0]) + 0.1
    weighted = make_model(texts).fit(X, Y, sample_weight=weights)
    expected = XRLinearClassifier(max_leaf_size=20, random_state=0)
    expected.fit(X, Y, sample_weight=weights)
    assert (weighted.estimator_.predict_proba(X_test) != expected.predict_proba(X_test)).nnz == 0


@pytest.mark.parametrize("kind", ["names", "matrix", "columns"])
def test_load_model_restores_classifier(data, tmp_path, kind):
    X, Y, X_test, _, texts = data
    if kind == "matrix":
        model = make_model(texts, places=[3, 4])
    else:
        names = as_names(sp.csr_array(np.eye(N_LABELS)))
        keys = range(N_LABELS) if kind == "columns" else [label for (label,) in names]
        label_texts = dict(zip(keys, as_texts(texts), strict=True))
        model = make_model(label_texts, make_text_classifier(random_state=0))
        X, X_test = as_texts(X), as_texts(X_test)
        Y = as_names(Y) if kind == "names" else Y
    save_model(model.fit(X, Y), tmp_path / "model")
    for mmap_mode in (None, "r"):
        loaded = load_model(tmp_path / "model", mmap_mode=mmap_mode)
        assert loaded.places == model.places
        if kind != "matrix":
            assert loaded.label_texts == model.label_texts
        assert loaded.suggest(X_test) == model.suggest(X_test)
        assert np.array_equal(loaded.labels_without_rows_, model.labels_without_rows_)
        assert (loaded.predict(X_test) != model.predict(X_test)).sum() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_known_columns", np.arange(3, dtype=np.int32)),
        ("labels_without_rows_", np.arange(2)),
        ("_score_map", None),
        ("_target_kind", "classes"),
        ("_search", None),
    ],
)
def test_save_model_rejects_invalid_attributes(model, tmp_path, name, value):
    model = clone_fitted(model)
    setattr(model, name, value)
    with pytest.raises(ValueError, match=name):
        save_model(model, tmp_path / "model")


INVALID = {
    "texts of one label": ({0: "w1", 1: "w2"}, "at least two labels with training rows.*got 1"),
    "unknown column": ({1: "w1", 2: "w2", 99: "w3"}, "from 0 to 59.*got 99"),
    "empty text": ({1: "w1", 2: " "}, "not empty; got ' ' for the label 2"),
    "no text": ({1: "w1", 2: None}, "not empty; got None"),
    "list": (["w1", "w2"], "must be a dict.*got an object of type list"),
    "rows": (np.ones((3, 400)), "one row per column of y, 60; got 3"),
}


@pytest.mark.parametrize("name", INVALID)
def test_fit_rejects_invalid_label_texts(data, name):
    X, Y, *_ = data
    label_texts, message = INVALID[name]
    with pytest.raises(ValueError, match=message):
        make_model(label_texts, make_text_classifier()).fit(as_texts(X), Y)


@pytest.mark.parametrize("places", [(1,), (3, 3), (4, 2), (2.5,), [True], 3, "9", [[2]]])
def test_fit_rejects_invalid_places(data, places):
    X, Y, _, _, texts = data
    with pytest.raises(ValueError, match="places"):
        make_model(texts, places=places).fit(X, Y)


def test_fit_rejects_other_estimators_and_targets(data):
    X, Y, _, _, texts = data
    with pytest.raises(TypeError, match="estimator must have predict_topk.*OneVsRest"):
        make_model(texts, OneVsRestClassifier(LogisticRegression())).fit(X, Y)
    with pytest.raises(ValueError, match="must not be a FrozenEstimator"):
        make_model(texts, FrozenEstimator(XRLinearClassifier().fit(X, Y))).fit(X, Y)
    with pytest.raises(ValueError, match=r"one class per row. Pass \[\[label\] for label in y\]"):
        make_model(texts).fit(X, np.arange(X.shape[0]) % 3)
    with pytest.raises(ValueError, match="must be a dict if y has a list of labels per row"):
        make_model(texts).fit(X, as_names(Y))
    calibrated = CalibratedMultilabelClassifierCV(make_text_classifier(), cv=2)
    label_texts = {label: f"w{label}" for label in range(N_LABELS)}
    with pytest.raises(ValueError, match="pipeline whose first steps convert rows"):
        make_model(label_texts, calibrated).fit(as_texts(X), Y)
    with pytest.raises(ValueError, match="labels in more rows"):
        make_model(texts).fit(X[:2], sp.csr_array(np.eye(N_LABELS)[[1, 2]]))


@pytest.mark.parametrize("k", [0, -1, 2.0, True])
def test_predict_topk_rejects_invalid_k(data, model, k):
    with pytest.raises(ValueError, match=f"k must be an integer >= 1; got {k}"):
        model.predict_topk(data[2], k)


def test_label_with_two_types_is_rejected():
    label_texts = {"a": "w1", 2: "w2"}
    with pytest.raises(ValueError, match="y and label_texts must have labels that are all str"):
        make_model(label_texts, make_text_classifier()).fit(["w1", "w2"], [["a"], ["b"]])


def test_search_equals_dense_computation():
    rng = np.random.default_rng(0)
    n_labels, n_features = 12, 9
    columns = np.array([0, 2, 3, 5, 6, 8, 9, 11], dtype=np.int32)
    is_new = np.array([1, 0, 1, 1, 0, 0, 1, 1], dtype=bool)
    vectors = rng.random((8, n_features)).astype(np.float32) * (rng.random((8, n_features)) < 0.6)
    rows = rng.random((20, n_features)).astype(np.float32) * (rng.random((20, n_features)) < 0.5)
    labels = np.array([rng.permutation(n_labels)[:4] for _ in range(20)], dtype=np.int32)
    labels[::3, 2:] = -1
    precision = rng.random(labels.shape).astype(np.float32)
    text_of_label = dict(zip(columns[~is_new].tolist(), normalize(vectors)[~is_new], strict=True))
    query = normalize(rows)
    for row in range(20):
        for label, weight in zip(labels[row].tolist(), precision[row], strict=True):
            query[row] += EXPANSION_WEIGHT * weight * text_of_label.get(label, 0)
    expected = normalize(query) @ normalize(vectors)[is_new].T
    for convert in (sp.csr_array, np.asarray):
        search = LabelTextSearch(convert(vectors), columns, is_new, n_labels)
        found, similarities = search.search(convert(rows), labels, precision, 5)
        order = np.argsort(-expected, axis=1)
        is_found = found >= 0
        np.testing.assert_array_equal(is_found.sum(axis=1), (expected > 0).sum(axis=1))
        np.testing.assert_array_equal(found[is_found], columns[is_new][order][is_found])
        best = np.take_along_axis(expected, order, axis=1)
        np.testing.assert_allclose(similarities[is_found], best[is_found], rtol=1e-5)


@st.composite
def rankings(draw, max_labels=8):
    """A ranking of one row: falling scores, padded."""
    scores = sorted(draw(st.lists(st.integers(1, 30), max_size=max_labels)), reverse=True)
    padding = [-np.inf] * draw(st.integers(0, 2))
    return np.array([[score / 30 for score in scores] + padding], dtype=np.float32)


@given(
    rankings(),
    rankings(),
    st.lists(st.integers(2, 10), max_size=4, unique=True),
    st.integers(1, 20),
)
def test_merged_ranking_keeps_orders_and_places(known_scores, new_scores, places, k):
    places = sorted(places)
    known = np.where(known_scores > -np.inf, np.arange(known_scores.shape[1]), -1).astype(np.int32)
    new = np.where(new_scores > -np.inf, 100 + np.arange(new_scores.shape[1]), -1).astype(np.int32)
    raised = raise_to_places(known_scores, new_scores, places)
    labels, scores = merge_rankings((known, known_scores), (new, raised), k)
    assert labels.shape == scores.shape == (1, k)
    assert np.all(scores[:, 1:] <= scores[:, :-1])
    found = labels[labels >= 0].tolist()
    n_known, n_new = np.count_nonzero(known >= 0), np.count_nonzero(new >= 0)
    assert len(found) == min(k, n_known + n_new)
    for part in (range(100), range(100, 200)):
        kept = [label for label in found if label in part]
        assert kept == sorted(kept)
    has_ties = len(set(known_scores[0][:n_known])) < n_known
    for j, place in enumerate(places[:n_new]):
        if place <= k and n_known >= place - 1 and not has_ties:
            assert 100 + j in found[:place]


def test_precision_map_equals_means_of_separate_scores():
    scores = np.repeat(np.array([0.1, 0.2, 0.4], dtype=np.float32), 4)
    is_true = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0], dtype=bool)
    score_map = fit_precision_map(scores, is_true)
    np.testing.assert_allclose(score_map([0.1, 0.2, 0.4, 0.9, 0]), [0, 0.25, 0.75, 0.75, 0])
    np.testing.assert_allclose(score_map([0.3]), [0.5], rtol=1e-6)
    np.testing.assert_allclose(score_map.find_scores([0.25, 0.5, 1.0, 0.0]), [0.2, 0.3, 0.4, 0.1])
