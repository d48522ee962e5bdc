"""Whether scores are probabilities: a reliability diagram."""

from skxmr.inspection._axes import axes_for, bare
from skxmr.metrics import calibration_curve, expected_calibration_error, score_labels


class CalibrationDisplay:
    """Reliability diagram of all scored (row, label) pairs: whether scores are probabilities.

    Parameters
    ----------
    prob_true : array-like of shape (n_bins,)
        Part of the pairs in each bin that is true.
    prob_pred : array-like of shape (n_bins,)
        Mean score in each bin.
    error : float, default=None
        Expected calibration error, shown beside the name.
    estimator_name : str, default=None
        What to call the line.

    Attributes
    ----------
    line_ : matplotlib Line2D
        The curve.
    ax_ : matplotlib Axes
        Where it is.
    figure_ : matplotlib Figure
        The figure around.

    See Also
    --------
    skxmr.metrics.calibration_curve : The figures themselves.
    sklearn.calibration.CalibrationDisplay : The same for a binary target.

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
        """Score rows and draw the diagram.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `predict_topk` or `predict_proba`, by itself or last in a pipeline. Its
            scores must lie between 0 and 1.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that it has not seen.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of their labels.
        k : int, default=5
            Labels of a row that count, the best ones. Of all scored pairs nearly all have scores
            near 0 and hide the rest; pass ``predict_proba(X)`` to `from_predictions` to see them.
        n_bins, strategy, name, ax
            As for `from_predictions`.

        Returns
        -------
        CalibrationDisplay
        """
        scores = score_labels(estimator, X, k)
        name = type(estimator).__name__ if name is None else name
        return cls.from_predictions(y, scores, n_bins=n_bins, strategy=strategy, name=name, ax=ax)

    @classmethod
    def from_predictions(
        cls, y_true, y_score, *, n_bins=10, strategy="uniform", name=None, ax=None
    ):
        """Draw the diagram of given scores.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of the true labels.
        y_score : sparse matrix, array-like or (indices, scores)
            Numbers between 0 and 1, in any of the forms of `skxmr.metrics.calibration_curve`.
        n_bins : int, default=10
            How many bins of the score.
        strategy : {"uniform", "quantile"}, default="uniform"
            Bins of equal width, or bins that hold equally many pairs.
        name : str, default=None
            What to call the line.
        ax : matplotlib Axes, default=None
            Where to draw: give that of another display to compare. None makes a figure.

        Returns
        -------
        CalibrationDisplay
        """
        bins = {"n_bins": n_bins, "strategy": strategy}
        prob_true, prob_pred = calibration_curve(y_true, y_score, **bins)
        error = expected_calibration_error(y_true, y_score, **bins)
        display = cls(prob_true=prob_true, prob_pred=prob_pred, error=error, estimator_name=name)
        return display.plot(ax=ax)

    def plot(self, *, ax=None, name=None, **kwargs):
        """Draw the diagram.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: give that of another display to compare. None makes a figure.
        name : str, default=None
            What to call the line; None takes `estimator_name`.
        **kwargs
            Passed to `matplotlib.axes.Axes.plot`.

        Returns
        -------
        self : CalibrationDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_for(ax, "CalibrationDisplay.plot", (5, 5))
        reference = "calibrated"
        if reference not in ax.get_legend_handles_labels()[1]:
            ax.plot([0, 1], [0, 1], color="0.6", linestyle="--", label=reference)
        name = self.estimator_name if name is None else name
        known = [] if name is None else [name]
        known += [] if self.error is None else [f"error {self.error:.3f}"]
        style = {"marker": "o", "label": ", ".join(known) or None, **kwargs}
        (self.line_,) = ax.plot(self.prob_pred, self.prob_true, **style)
        ax.set(xlabel="mean score", ylabel="part that is true", aspect="equal")
        ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        ax.legend(loc="best", frameon=False)
        ax.grid(alpha=0.3)
        bare(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self
