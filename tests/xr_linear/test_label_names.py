"""Targets that are lists of labels: names in, names out."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.preprocessing import MultiLabelBinarizer

from skxmr import XRLinearClassifier, load_model, save_model
from skxmr._core.label_names import binarize_names, find_label_names, to_names
from skxmr._core.target_containers import read_targets
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.datasets import make_extreme_multilabel
from skxmr.inspection import explain
from skxmr.matching import NearestNeighborsMatcher
from skxmr.metrics import topk_scorer
from skxmr.model_selection import (
    IterativeStratification,
    beam_width_curve,
    cross_val_predict,
    cross_val_score,
    tune_prediction,
)

X, Y = make_extreme_multilabel(n_samples=600, n_features=300, n_labels=80, random_state=0)
Y = sp.csr_array(Y[:, np.bincount(Y.indices, minlength=80) > 0])
NAMES = np.array([f"label {column:03d}" for column in range(Y.shape[1])], dtype=object)
COLUMNS = np.split(Y.indices, Y.indptr[1:-1])
LISTS = [NAMES[columns].tolist() for columns in COLUMNS]
MODEL = XRLinearClassifier(4, 10, random_state=0).fit(X, LISTS)
INDICATOR_MODEL = XRLinearClassifier(4, 10, random_state=0).fit(X, Y)
N5 = topk_scorer("ndcg", k=5)


def containers():
    objects = np.empty(len(LISTS), dtype=object)
    objects[:] = [np.array(row, dtype=object) for row in LISTS]
    pandas = pytest.importorskip("pandas")
    return {
        "lists": LISTS,
        "tuples": [tuple(row) for row in LISTS],
        "sets": [set(row) for row in LISTS],
        "objects": objects,
        "series": pandas.Series(LISTS),
        "frozensets": [frozenset(row) for row in LISTS],
    }


@pytest.mark.parametrize("name", list(containers()))
def test_model_of_names_is_that_of_the_indicator(name):
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, containers()[name])
    assert model.classes_.tolist() == NAMES.tolist()
    expected = INDICATOR_MODEL.predict_topk(X, k=5)
    for got, wanted in zip(model.predict_topk(X, k=5), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert (model.predict_proba(X) != INDICATOR_MODEL.predict_proba(X)).nnz == 0
    predicted = model.predict(X)
    assert predicted.shape == (600,)
    wanted = sp.csr_array(INDICATOR_MODEL.predict(X))
    assert predicted.tolist() == to_names(wanted, NAMES).tolist()
    assert type(predicted[0]) is tuple
    pairs = model.suggest(X[:1], k=3)[0]
    assert [label for label, _ in pairs] == NAMES[expected[0][0, :3]].tolist()


def test_scores_are_those_of_the_indicator():
    assert MODEL.score(X, LISTS) == INDICATOR_MODEL.score(X, Y)
    assert N5(MODEL, X, LISTS) == N5(INDICATOR_MODEL, X, Y)
    weights = np.arange(600) % 3
    expected = INDICATOR_MODEL.score(X, Y, sample_weight=weights)
    assert MODEL.score(X, LISTS, sample_weight=weights) == pytest.approx(expected, abs=1e-12)
    # A label that the model does not know is a true label that was not found.
    recall = topk_scorer("recall", k=5)
    unknown = [[*row, "never seen"] for row in LISTS]
    assert recall(MODEL, X, unknown) < recall(MODEL, X, LISTS)


def test_integers_are_labels_if_lists_differ_in_length():
    ids = [(10 * columns).tolist() for columns in COLUMNS]
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, ids)
    assert model.classes_.dtype == np.int64
    assert model.classes_.tolist() == list(range(0, 10 * Y.shape[1], 10))
    assert model.predict(X[:3]).tolist() == [
        tuple(int(label[6:]) * 10 for label in row) for row in MODEL.predict(X[:3])
    ]


def test_names_are_kept_in_files_and_pickles(tmp_path):
    save_model(MODEL, tmp_path / "model")
    for other in (load_model(tmp_path / "model"), pickle.loads(pickle.dumps(MODEL))):
        assert other.classes_.tolist() == NAMES.tolist()
        assert other.predict(X[:9]).tolist() == MODEL.predict(X[:9]).tolist()


def test_model_selection_accepts_names():
    model = clone(MODEL)
    scores = cross_val_score(model, X, LISTS, scoring=N5, cv=IterativeStratification(2))
    expected = cross_val_score(model, X, Y, scoring=N5, cv=IterativeStratification(2))
    np.testing.assert_allclose(scores, expected, rtol=0.05)
    curve = beam_width_curve(model, X, LISTS, [1, 10], scoring=N5, cv=2)
    assert curve.test_score.shape == (2, 2)
    tuned = tune_prediction(MODEL, X, LISTS, scoring=N5)
    assert tuned.initial_score == pytest.approx(N5(MODEL, X, LISTS))
    assert tune_prediction(MODEL, X, LISTS, scoring="f1_micro").threshold > 0
    assert type(cross_val_predict(model, X, LISTS, cv=2)[0]) is tuple
    ranking = cross_val_predict(model, X, LISTS, cv=2, method="predict_topk", k=3)
    np.testing.assert_array_equal(
        ranking[0], cross_val_predict(model, X, Y, cv=2, method="predict_topk", k=3)[0]
    )
    search = GridSearchCV(model, {"beam_width": [1, 5]}, scoring=N5, cv=KFold(2)).fit(X, LISTS)
    assert search.best_params_ == {"beam_width": 5}


@pytest.mark.parametrize(
    "wrapper", [CalibratedMultilabelClassifierCV, TunedThresholdMultilabelClassifierCV]
)
def test_meta_estimators_return_names(wrapper):
    model = wrapper(clone(MODEL), cv=2).fit(X, LISTS)
    reference = wrapper(clone(MODEL), cv=2).fit(X, Y)
    assert model.classes_.tolist() == NAMES.tolist()
    expected = to_names(sp.csr_array(reference.predict(X)), NAMES)
    assert model.predict(X).tolist() == expected.tolist()
    assert model.score(X, LISTS) == reference.score(X, Y)
    assert model.suggest(X[:1])[0][0][0] in NAMES
    frozen = wrapper(FrozenEstimator(MODEL)).fit(X[:300], LISTS[:300])
    assert frozen.classes_.tolist() == NAMES.tolist()
    # Held-out rows may have labels that the model does not know.
    unknown = [[*row, "never seen"] for row in LISTS[:300]]
    other = wrapper(FrozenEstimator(MODEL)).fit(X[:300], unknown)
    assert other.predict(X).tolist() == frozen.predict(X).tolist()


def test_other_estimators_accept_names():
    model = NearestNeighborsMatcher(n_neighbors=1).fit(X, LISTS)
    reference = NearestNeighborsMatcher(n_neighbors=1).fit(X, Y)
    assert model.score(X[:50], LISTS[:50]) == reference.score(X[:50], Y[:50])
    text = str(explain(MODEL, X[[0]], MODEL.suggest(X[[0]], k=1)[0][0][0]))
    assert "rank 1" in text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", " b"], ["c"]], "no blanks around them; got ' b' in row 0"),
        ([["a"], ["c", ""]], "not empty .*; got '' in row 1"),
        ([["a", 1], ["b"]], "all str or all int; got int and str"),
        ([[1.5, 2], [3]], "all str or all int; got float and int"),
        ([["a"], "b"], "in each row; got 'b' in row 1"),
        ([["a"], None], "in each row; got None in row 1"),
        ([["a"], {"b": 1}], r"in each row; got \{'b': 1\} in row 1"),
        ([{"a"}, set()][1:] * 2, "y must have at least one label; got only empty rows"),
    ],
)
def test_invalid_names_are_reported_with_their_row(rows, message):
    for model in (XRLinearClassifier(), NearestNeighborsMatcher()):
        with pytest.raises(ValueError, match=message):
            model.fit(np.eye(len(rows)), rows)


LABELS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=5).filter(
    lambda label: label == label.strip()
)


@given(st.lists(st.lists(LABELS, max_size=4).map(tuple), min_size=1, max_size=8))
def test_names_survive_a_round_trip(rows):
    y = np.empty(len(rows), dtype=object)
    y[:] = rows
    classes = find_label_names(y)
    indicator = binarize_names(y, classes)
    reference = MultiLabelBinarizer().fit(rows)
    assert classes.tolist() == sorted({label for row in rows for label in row})
    assert indicator.toarray().tolist() == reference.transform(rows).tolist()
    assert to_names(indicator, classes).tolist() == [tuple(sorted(set(row))) for row in rows]


def test_lists_of_equal_length_with_zeros_and_ones_are_an_indicator():
    assert read_targets([[0, 1], [1, 0]]).shape == (2, 2)


@pytest.mark.parametrize("sparse", [False, True])
def test_columns_of_a_frame_are_the_names_of_the_labels(sparse):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(Y.toarray(), columns=NAMES)
    frame = frame.astype(pandas.SparseDtype(int, 0)) if sparse else frame
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, frame)
    assert model.classes_.tolist() == NAMES.tolist()
    assert model.suggest(X[:9]) == MODEL.suggest(X[:9])
    assert sp.issparse(model.predict(X)) == sparse
    assert N5(model, X, frame) == N5(MODEL, X, LISTS)
    assert explain(model, X[0], NAMES[3]).label == 3
    for wrapper in (CalibratedMultilabelClassifierCV, TunedThresholdMultilabelClassifierCV):
        wrapped = wrapper(XRLinearClassifier(4, 10, random_state=0), cv=2).fit(X, frame)
        assert wrapped.classes_.tolist() == NAMES.tolist()
        assert wrapped.predict(X).shape == Y.shape
    neighbors = NearestNeighborsMatcher().fit(X, frame)
    assert neighbors.classes_.tolist() == NAMES.tolist()


def test_columns_of_a_frame_that_are_not_names_are_numbered():
    pandas = pytest.importorskip("pandas")
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, pandas.DataFrame(Y.toarray()))
    assert model.classes_.tolist() == list(range(Y.shape[1]))
    frame = pandas.DataFrame(Y.toarray(), columns=["twice", *NAMES[:-2], "twice"])
    with pytest.raises(ValueError, match="y must have columns with different.*got 'twice' twice"):
        XRLinearClassifier().fit(X, frame)


def test_columns_of_a_frame_survive_saving(tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(Y.toarray(), columns=NAMES)
    model = XRLinearClassifier(4, 10, random_state=0).fit(X, frame)
    save_model(model, tmp_path / "model")
    assert load_model(tmp_path / "model").suggest(X[:9]) == model.suggest(X[:9])
