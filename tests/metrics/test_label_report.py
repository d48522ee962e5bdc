"""`label_report` compared with metrics of selected columns."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from skxmr.metrics import coverage_at_k, label_report, macro_f1_at_k

# Label frequencies with ties, and a label without a training row.
FREQUENCIES = [0, 1, 1, 1, 2, 2, 5, 9, 10, 30]


def make_data(seed, n_rows=25):
    rng = np.random.default_rng(seed)
    y_true = sp.csr_array((rng.random((n_rows, 10)) < 0.2).astype(int))
    y_train = np.arange(40)[:, None] < np.array(FREQUENCIES)
    return y_true, rng.random((n_rows, 10)), y_train, rng


@given(seed=st.integers(0, 2**32), k=st.integers(1, 4), is_weighted=st.booleans())
def test_label_report_equals_reference(seed, k, is_weighted):
    y_true, y_score, y_train, rng = make_data(seed)
    weights = rng.integers(0, 3, 25) + (np.arange(25) == 0) if is_weighted else None
    report = label_report(y_true, y_score, k, y_train=y_train, n_worst=4, sample_weight=weights)
    rows = np.repeat(np.arange(25), weights if is_weighted else 1)
    true = y_true.toarray()[rows].astype(bool)
    predicted = (np.argsort(np.argsort(-y_score, axis=1), axis=1) < k)[rows]
    hits, occurs = true & predicted, true.any(axis=0)
    f1 = 2 * hits.sum(axis=0) / np.maximum(true.sum(axis=0) + predicted.sum(axis=0), 1)
    assert sum(group.n_labels for group in report.groups) == occurs.sum()
    previous = -1
    for group in [*report.groups, report.total]:
        frequency = np.array(FREQUENCIES)
        labels = (frequency >= group.min_frequency) & (frequency <= group.max_frequency) & occurs
        assert group.n_labels == labels.sum() > 0
        assert group.min_frequency == frequency[labels].min()
        assert group.n_true == true[:, labels].sum()
        assert group.recall == pytest.approx(hits[:, labels].sum() / true[:, labels].sum())
        assert group.macro_f1 == pytest.approx(f1[labels].mean())
        assert group.coverage == pytest.approx(hits[:, labels].any(axis=0).mean())
        if group is not report.total:
            assert group.min_frequency > previous
            previous = group.max_frequency
    assert report.total.macro_f1 == macro_f1_at_k(y_true, y_score, k, sample_weight=weights)
    assert report.total.coverage == coverage_at_k(y_true, y_score, k, sample_weight=weights)
    assert report.total.precision == pytest.approx(hits.sum() / predicted.sum())
    order = sorted(np.flatnonzero(occurs), key=lambda j: (f1[j], -true[:, j].sum(), j))
    assert [result.label for result in report.worst] == order[:4]
    for result in report.worst:
        column = result.label
        assert result.frequency == FREQUENCIES[column]
        assert result.n_true == true[:, column].sum()
        assert result.n_predicted == predicted[:, column].sum()
        assert result.n_hits == hits[:, column].sum()
        assert result.recall == pytest.approx(result.n_hits / result.n_true)
        assert result.f1 == pytest.approx(f1[column])


def test_labels_without_training_rows_are_a_group():
    y_true = sp.csr_array(np.ones((1, 10)))
    groups = label_report(y_true, np.ones((1, 10)), 1, y_train=make_data(0)[2]).groups
    assert [(group.min_frequency, group.max_frequency) for group in groups[:3]] == [
        (0, 0),
        (1, 1),
        (2, 2),
    ]
    assert [group.n_labels for group in groups[:3]] == [1, 3, 2]


def test_deciles_have_equally_many_labels_if_frequencies_differ():
    y_train = np.arange(100)[:, None] < np.arange(1, 101)
    ones = sp.csr_array(np.ones((1, 100)))
    report = label_report(ones, np.arange(100)[None] + 1.0, 3, y_train=y_train)
    assert [group.n_labels for group in report.groups] == [10] * 10
    assert [group.min_frequency for group in report.groups] == list(range(1, 101, 10))
    assert [group.coverage for group in report.groups] == [0] * 9 + [0.3]


def test_label_report_counts_y_true_without_training_labels():
    y_true, y_score, _, _ = make_data(1)
    counts = y_true.sum(axis=0)
    report = label_report(y_true, y_score)
    assert all(result.frequency == result.n_true == counts[result.label] for result in report.worst)


def test_label_report_of_suggestions_has_names():
    names = [["a", "b"], ["c"], ["b"]]
    suggestions = [[("a", 0.9), ("c", 0.5)], [("b", 0.3)], [("b", 0.3)]]
    train = [["a", "a"], ["a", "b"], ["unknown"]]
    report = label_report(names, suggestions, 1, y_train=train)
    expected = [("c", 0, 0), ("b", 1, 0.5), ("a", 2, 1)]
    assert [(each.label, each.frequency, each.f1) for each in report.worst] == expected
    report = label_report(names, suggestions, 1, y_train=train, ignore=[[], ["c"], ["b"]])
    assert [each.label for each in report.worst] == ["b", "a"]


def test_label_report_prints_as_tables():
    y_true = sp.csr_array([[1, 1, 0], [1, 0, 0]])
    y_score = np.array([[0.9, 0.1, 0.2], [0.9, 0.2, 0.1]])
    report = label_report(y_true, y_score, 1, classes=["first", "second", "third"])
    assert str(report).splitlines() == [
        "top 1 predictions by label frequency",
        "",
        "frequency  labels  true  precision  recall  macro F1  coverage",
        "1               1     1          -   0.000     0.000     0.000",
        "2               1     2      1.000   1.000     1.000     1.000",
        "all             2     3      1.000   0.667     0.500     0.500",
        "",
        "labels with the lowest F1",
        "",
        "label   frequency  true  predicted  hits  precision  recall     F1",
        "second          1     1          0     0          -   0.000  0.000",
        "first           2     2          2     2      1.000   1.000  1.000",
    ]
    without_labels = label_report(y_true, y_score, 1, n_worst=0, sample_weight=[1, 0.5])
    assert "lowest" not in str(without_labels)
    assert "2               1   1.5" in str(without_labels)
    assert "all             0     0" in str(label_report(0 * y_true, y_score))


def test_label_report_converts_to_data_frames():
    pandas = pytest.importorskip("pandas")
    y_true, y_score, y_train, _ = make_data(2)
    report = label_report(y_true, y_score, 2, y_train=y_train)
    groups, worst = pandas.DataFrame(report.groups), pandas.DataFrame(report.worst)
    assert groups["n_true"].sum() == y_true.sum()
    assert list(worst.columns[:2]) == ["label", "frequency"]


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"n_worst": -1}, "n_worst must be a nonnegative integer; got -1"),
        ({"n_worst": True}, "n_worst must be a nonnegative integer; got True"),
        ({"classes": ["a"]}, r"classes must have shape \(10,\); got shape \(1,\)"),
        ({"y_train": np.ones((3, 9))}, "y_train must have the 10 columns of y_true; got 9"),
        ({"y_train": np.full((3, 10), 2)}, "y_train must be an indicator of 0 and 1"),
    ],
)
def test_label_report_raises_for_invalid_arguments(kwargs, message):
    y_true, y_score, _, _ = make_data(0)
    with pytest.raises(ValueError, match=message):
        label_report(y_true, y_score, **kwargs)
