"""Reliability diagram: do the scores agree with observed frequencies?"""

from skxmr.inspection._axes import axes_or_new, hide_frame
from skxmr.metrics import (
    calibration_curve,
    expected_calibration_error,
    read_scored_targets,
    score_labels,
)


class CalibrationDisplay:
    """Plot a reliability diagram of all scored pairs of a row and a label.

    On the diagonal, the mean score of a bin equals the fraction of its pairs that are true, so
    that scores can be read as probabilities.

    Parameters
    ----------
    prob_true : array-like of shape (n_bins,)
        Fraction of the pairs in each bin that are true.
    prob_pred : array-like of shape (n_bins,)
        Mean score in each bin.
    error : float, default=None
        Expected calibration error, shown in the legend.
    estimator_name : str, default=None
        Name of the estimator, shown in the legend.

    Attributes
    ----------
    line_ : matplotlib Line2D
        Calibration curve.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    skxmr.metrics.calibration_curve : Compute the values.
    sklearn.calibration.CalibrationDisplay : Reliability diagram for a binary target.

    Examples
    --------
    >>> from skxmr.inspection import CalibrationDisplay
    >>> display = CalibrationDisplay(prob_true=[0.1, 0.5, 0.8], prob_pred=[0.2, 0.5, 0.9])
    >>> display.plot()  # doctest: +SKIP
    """

    def __init__(self, *, prob_true, prob_pred, error=None, estimator_name=None):
        self.prob_true = prob_true
        self.prob_pred = prob_pred
        self.error = error
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, k=5, n_bins=10, strategy="uniform", name=None, ax=None
    ):
        """Score samples with a fitted estimator and plot the diagram.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `predict_topk` or `predict_proba`, or a pipeline that ends with
            one. Its scores must be between 0 and 1.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples that were not used for training.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of the true labels.
        k : int, default=5
            Number of top-ranked labels per sample that are included. With all labels, nearly all
            pairs would have scores close to 0; to include them, pass ``predict_proba(X)`` to
            `from_predictions`.
        n_bins : int, default=10
            Number of bins of the scores.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or bins with equally many pairs.
        name : str, default=None
            Name in the legend. If None, the class name of the estimator.
        ax : matplotlib Axes, default=None
            Axes to plot on; pass the axes of another display to compare. If None, a new figure is
            created.

        Returns
        -------
        display : CalibrationDisplay
            Display with the computed values, already plotted.
        """
        y = read_scored_targets(estimator, y)
        scores = score_labels(estimator, X, k)
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(y, scores, n_bins=n_bins, strategy=strategy, name=name, ax=ax)

    @classmethod
    def from_predictions(
        cls, y_true, y_score, *, n_bins=10, strategy="uniform", name=None, ax=None
    ):
        """Plot the diagram of given scores.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of the true labels.
        y_score : sparse matrix, array-like or (indices, scores)
            Scores between 0 and 1, in any format that `skxmr.metrics.calibration_curve` accepts.
        n_bins : int, default=10
            Number of bins of the scores.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or bins with equally many pairs.
        name : str, default=None
            Name in the legend.
        ax : matplotlib Axes, default=None
            Axes to plot on; pass the axes of another display to compare. If None, a new figure is
            created.

        Returns
        -------
        display : CalibrationDisplay
            Display with the computed values, already plotted.
        """
        bins = {"n_bins": n_bins, "strategy": strategy}
        prob_true, prob_pred = calibration_curve(y_true, y_score, **bins)
        error = expected_calibration_error(y_true, y_score, **bins)
        display = cls(prob_true=prob_true, prob_pred=prob_pred, error=error, estimator_name=name)
        return display.plot(ax=ax)

    def plot(self, *, ax=None, name=None, **kwargs):
        """Plot the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; pass the axes of another display to compare. If None, a new figure is
            created.
        name : str, default=None
            Name in the legend. If None, `estimator_name`.
        **kwargs
            Keyword arguments for `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : CalibrationDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_or_new(ax, "CalibrationDisplay.plot", (5, 5))
        diagonal_label = "perfectly calibrated"
        if diagonal_label not in ax.get_legend_handles_labels()[1]:
            ax.plot([0, 1], [0, 1], color="0.6", linestyle="--", label=diagonal_label)
        name = self.estimator_name if name is None else name
        legend_texts = [] if name is None else [name]
        legend_texts += [] if self.error is None else [f"calibration error {self.error:.3f}"]
        style = {"marker": "o", "label": ", ".join(legend_texts) or None, **kwargs}
        (self.line_,) = ax.plot(self.prob_pred, self.prob_true, **style)
        ax.set(xlabel="mean score", ylabel="fraction of true labels", aspect="equal")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.legend(loc="best", frameon=False)
        ax.grid(alpha=0.3)
        hide_frame(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self
