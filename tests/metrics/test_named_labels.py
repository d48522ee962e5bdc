"""Metrics of the results of `suggest`, with names of labels."""

import numpy as np
import pytest

from helpers.reference_metrics import LABEL_METRICS, PLAIN_METRICS, PROPENSITY_METRICS
from skxmr import XRLinearClassifier
from skxmr.metrics import label_propensities, precision_at_k, psprecision_at_k, recall_at_k

NAMES = np.array(["a", "b", "c", "d"], dtype=object)
METRICS = [*PLAIN_METRICS.values(), *LABEL_METRICS.values()]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X, Y = rng.random((80, 12)), (rng.random((80, 4)) < 0.4).astype(int)
    return X, Y, [NAMES[row == 1].tolist() for row in Y]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 3, 4])
def test_metrics_of_suggestions_are_those_of_columns(metric, k, data):
    X, Y, names = data
    model = XRLinearClassifier(random_state=0).fit(X, names)
    expected = metric(Y, model.predict_topk(X, k=4), k=k)
    assert metric(names, model.suggest(X, k=4), k=k) == expected


@pytest.mark.parametrize("metric", METRICS)
def test_metrics_of_suggestions_accept_a_data_frame(metric, data):
    pandas = pytest.importorskip("pandas")
    X, Y, names = data
    frame = pandas.DataFrame(Y, columns=NAMES)
    suggestions = XRLinearClassifier(random_state=0).fit(X, frame).suggest(X, k=4)
    assert metric(frame, suggestions, k=3) == metric(names, suggestions, k=3)


@pytest.mark.parametrize("metric", PLAIN_METRICS.values())
def test_a_name_of_only_one_side_is_a_miss(metric):
    assert metric([["a"], ["b"]], [[("a", 0.9)], [("c", 0.9)]], k=1) == 0.5
    assert metric([["a"], []], [[], []], k=1) == 0


def test_missing_places_count_as_misses():
    suggestions = [[("a", 0.9)], []]
    # The arrays have no place for each of k labels: these would need 32 TB.
    assert recall_at_k([["a", "b"], ["b"]], suggestions, k=10**12) == 0.25
    assert precision_at_k([["a", "b"], ["b"]], suggestions, k=2) == 0.25
    assert recall_at_k([["a", "b"], ["b"]], suggestions, k=2) == 0.25


@pytest.mark.parametrize(
    ("y_true", "y_score", "message"),
    [
        ([["a"]], [[("a", 0.5)], []], "y_score must have 1 rows, as y_true has; got 2"),
        ([[1, 0]], [[("a", 0.5)]], "list of labels per row if y_score is a result of suggest"),
        ([["a"]], [[(1, 0.5)]], "all str or all int; got int and str"),
        ([["a"]] * 3, [[("a", 0.5)], [(" b", 0.5)], []], "y_score must have.*got ' b' in row 1"),
        ([["a"], ["b "]], [[("a", 0.5)], []], "y_true must have.*got 'b ' in row 1"),
        ([["a"]], (np.zeros((1, 1), int), np.zeros((1, 1))), "Pass the result of suggest as y_sco"),
        ([["a"]], [[("a", 0.5), ("a", 0.4)]], "each label at most once per row"),
        ([["a"]], [[("a", float("nan"))]], "no NaN"),
    ],
)
def test_invalid_suggestions_are_reported(y_true, y_score, message):
    with pytest.raises(ValueError, match=message):
        precision_at_k(y_true, y_score, k=1)


@pytest.mark.parametrize("metric", PROPENSITY_METRICS.values())
def test_propensity_metrics_of_suggestions_are_those_of_columns(metric, data):
    X, Y, names = data
    model = XRLinearClassifier(random_state=0).fit(X, names)
    by_name, by_column = label_propensities(names), label_propensities(Y)
    assert [by_name[name] for name in NAMES] == by_column.tolist()
    expected = metric(Y, model.predict_topk(X, k=4), k=3, propensities=by_column)
    suggestions = model.suggest(X, k=4)
    assert metric(names, suggestions, k=3, propensities=by_name) == pytest.approx(expected)
    # A label without propensity is as rare as the rarest label.
    del by_name["b"]
    full = {**by_name, "b": min(by_name.values())}
    assert metric(names, suggestions, k=3, propensities=by_name) == metric(
        names, suggestions, k=3, propensities=full
    )


def test_propensities_have_the_form_of_the_labels():
    with pytest.raises(TypeError, match="must be a dict from labels.*got list"):
        psprecision_at_k([["a"]], [[("a", 0.5)]], k=1, propensities=[0.5])
    with pytest.raises(TypeError, match="must be an array with one value per column.*got a dict"):
        psprecision_at_k([[1, 0]], [[0.5, 0.1]], k=1, propensities={"a": 0.5})
