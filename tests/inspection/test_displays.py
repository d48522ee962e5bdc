"""The displays plot the values that the functions of skxmr compute."""

import sys

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from skxmr import XRLinearClassifier
from skxmr.inspection import (
    BeamWidthDisplay,
    CalibrationDisplay,
    ExplanationDisplay,
    LabelFrequencyDisplay,
    LabelTreeDisplay,
    describe_tree,
    explain,
)
from skxmr.metrics import (
    calibration_curve,
    expected_calibration_error,
    precision_at_k,
    topk_scorer,
)


@pytest.fixture(scope="module")
def model(xmc_data):
    X, Y = xmc_data
    return XRLinearClassifier(4, 5, random_state=0).fit(X[:400], Y[:400])


@pytest.fixture
def plt():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    yield plt
    plt.close("all")


def overlaps(texts, figure):
    """Return the pairs of texts that overlap."""
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in texts if text.get_text()]
    return [
        (first, second)
        for index, first in enumerate(boxes)
        for second in boxes[index + 1 :]
        if first.overlaps(second)
    ]


def test_explanation_display_plots_contributions(model, xmc_data, plt):
    X, _ = xmc_data
    label = int(model.predict_topk(X[450], k=1)[0][0, 0])
    display = ExplanationDisplay.from_estimator(model, X[450], label, n_features=400)
    path = explain(model, X[450], label).path
    expected = [value for step in path for value in (*step.contributions.tolist(), step.intercept)]
    assert [bar.get_width() for bar in display.bars_] == pytest.approx(expected)
    names = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert names == [name for step in path for name in (*step.names, "intercept")]
    assert "rank 1, score" in display.ax_.get_title()
    few = ExplanationDisplay.from_estimator(model, X[450], label, n_features=2)
    widths = [bar.get_width() for bar in few.bars_]
    assert len(widths) <= 4 * len(path)
    assert sum(widths) == pytest.approx(sum(expected))
    assert not overlaps([*few.ax_.texts, *few.ax_.get_yticklabels()], few.figure_)
    axes = plt.figure().add_subplot()
    assert few.plot(ax=axes).ax_ is axes
    assert few.figure_ is axes.figure


def test_explanation_display_without_weights_has_no_bars(xmc_data, plt):
    X, Y = xmc_data
    knn = KNeighborsClassifier()
    model = XRLinearClassifier(4, 40, matcher=knn, ranker=knn, n_trees=2, random_state=0)
    display = ExplanationDisplay.from_estimator(model.fit(X, Y), X[0], 1, tree=1)
    assert len(display.bars_) == 0
    assert sum("score" in text.get_text() for text in display.ax_.texts) == 2
    for tree in (2, -1):
        with pytest.raises(ValueError, match=f"tree must be an integer from 0 to 1; got {tree}"):
            display.plot(tree=tree)


def test_label_tree_display_plots_clusters(model, plt):
    names = [f"label $x^{i}" for i in range(150)]  # must not be parsed as a formula
    tree = describe_tree(model, names, max_children=2)
    display = LabelTreeDisplay.from_estimator(model, names, max_children=2)
    drawn = np.count_nonzero(display.nodes_.get_sizes())
    assert drawn == 1 + len(tree.to_records())
    shown = " ".join(text.get_text() for text in display.texts_)
    for cluster in tree.clusters:
        assert cluster.features[0] in shown
        assert cluster.labels[0].replace("$", r"\$") in shown
    assert "2 more clusters" in shown
    assert not overlaps(display.texts_, display.figure_)
    flat = describe_tree(XRLinearClassifier(max_leaf_size=3).fit(np.eye(3), [0, 1, 2]))
    assert len(LabelTreeDisplay(flat).plot().texts_) == 1


@pytest.mark.parametrize("in_pipeline", [False, True])
def test_beam_width_display_plots_score_and_time(in_pipeline, model, xmc_data, plt):
    X, Y = xmc_data
    beams = [1, 3, None]
    scorer = topk_scorer("recall", k=3)
    estimator = model
    if in_pipeline:
        classifier = XRLinearClassifier(4, 5, random_state=0)
        estimator = make_pipeline(MaxAbsScaler(), classifier).fit(X[:400], Y[:400])
    display = BeamWidthDisplay.from_estimator(
        estimator, X[400:], Y[400:], beams=beams, scoring=scorer, score_name="recall"
    )
    classifier = estimator[-1] if in_pipeline else estimator
    assert classifier.beam_width == 10
    expected = []
    for beam in beams:
        classifier.set_params(beam_width=beam)
        expected.append(scorer(estimator, X[400:], Y[400:]))
    classifier.set_params(beam_width=10)
    assert display.line_.get_ydata().tolist() == expected
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["1", "3", "exact"]
    assert display.ax_.get_ylabel() == "recall"
    assert np.all(display.time_line_.get_ydata() > 0)
    with pytest.raises(ValueError, match="scoring must be a single metric"):
        BeamWidthDisplay.from_estimator(model, X, Y, beams=[1], scoring={"a": scorer, "b": scorer})


def test_label_frequency_display_plots_precision_and_recall(model, xmc_data, plt):
    X, Y = xmc_data
    X_test, Y_test = X[400:], Y[400:]
    counts = np.asarray(Y[:400].sum(axis=0)).ravel()
    display = LabelFrequencyDisplay.from_estimator(
        model, X_test, Y_test, label_counts=Y[:400].sum(axis=0), k=3, n_bins=4
    )
    assert display.bins[0] == (0, 0)
    assert sum(display.n_labels) == 150
    assert all(low <= high for low, high in display.bins)
    top, _ = model.predict_topk(X_test, k=3)
    dense = Y_test.toarray()
    for at, (low, high) in enumerate(display.bins):
        inside = (counts >= low) & (counts <= high)
        assert display.n_labels[at] == np.count_nonzero(inside)
        right = ranked = 0
        for row, labels in enumerate(top):
            labels = labels[inside[labels]]
            ranked += len(labels)
            right += dense[row, labels].sum()
        assert display.precision[at] == pytest.approx(
            right / ranked if ranked else np.nan, nan_ok=True
        )
        n_true = dense[:, inside].sum()
        assert display.recall[at] == pytest.approx(
            right / n_true if n_true else np.nan, nan_ok=True
        )
    assert len(display.precision_bars_) == len(display.recall_bars_) == len(display.bins)
    assert not overlaps(display.ax_.get_xticklabels(), display.figure_)
    # With a single bin, precision equals precision_at_k.
    ranking = model.predict_topk(X_test, k=3)
    one = LabelFrequencyDisplay.from_predictions(
        Y_test, ranking, label_counts=np.ones(150), k=3, n_bins=1
    )
    assert one.bins == [(1, 1)]
    assert one.precision[0] == pytest.approx(precision_at_k(Y_test, ranking, k=3))
    n_right = 3 * Y_test.shape[0] * one.precision[0]
    assert one.recall[0] == pytest.approx(n_right / Y_test.nnz)
    for wrong, match in [
        ({"n_bins": 0}, "n_bins must be"),
        ({"label_counts": np.ones(3)}, "label_counts must have one non-negative number"),
        ({"label_counts": np.full(150, -1)}, "label_counts must have one non-negative number"),
    ]:
        with pytest.raises(ValueError, match=match):
            LabelFrequencyDisplay.from_predictions(Y_test, ranking, k=3, **wrong)


def test_calibration_display_plots_calibration_curve(model, xmc_data, plt):
    X, Y = xmc_data
    ranking = model.predict_topk(X[400:], k=5)
    display = CalibrationDisplay.from_estimator(model, X[400:], Y[400:], n_bins=4)
    prob_true, prob_pred = calibration_curve(Y[400:], ranking, n_bins=4)
    assert display.line_.get_xdata().tolist() == prob_pred.tolist()
    assert display.line_.get_ydata().tolist() == prob_true.tolist()
    assert display.error == expected_calibration_error(Y[400:], ranking, n_bins=4)
    second = CalibrationDisplay.from_predictions(
        Y[400:], model.predict_proba(X[400:]), name="all", strategy="quantile", ax=display.ax_
    )
    names = [text.get_text() for text in second.ax_.get_legend().get_texts()]
    assert names[0] == "perfectly calibrated"
    assert names[1] == f"XRLinearClassifier, calibration error {display.error:.3f}"
    assert names[2].startswith("all, calibration error")


def test_display_without_matplotlib_names_the_extra(model, xmc_data, monkeypatch):
    X, _ = xmc_data
    explanation = explain(model, X[0], 0)
    for name in ("matplotlib", "matplotlib.pyplot"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"ExplanationDisplay.plot requires.*skxmr\[plot\]"):
        ExplanationDisplay(explanation).plot()
