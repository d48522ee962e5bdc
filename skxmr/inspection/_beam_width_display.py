"""Plot of quality and prediction time against the beam width."""

import numpy as np

from skxmr.inspection._axes import BLUE, ORANGE, axes_or_new
from skxmr.model_selection import beam_width_curve


class BeamWidthDisplay:
    """Plot quality and prediction time against the beam width.

    Where the score is flat, a narrower beam saves time without a loss of quality.

    Parameters
    ----------
    beam_width : array-like of int or None of shape (n_beams,)
        Beam widths in plotting order; None means an exact search.
    score : array-like of shape (n_beams,)
        Score at each beam width.
    seconds_per_row : array-like of shape (n_beams,)
        Prediction time per row at each beam width, in seconds.
    score_name : str, default="score"
        Name of the score, shown at its axis.

    Attributes
    ----------
    line_, time_line_ : matplotlib Line2D
        Lines of the score and of the time.
    ax_, time_ax_ : matplotlib Axes
        Axes of the score, and axes of the time on the right side.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    skxmr.model_selection.beam_width_curve : Compute the values, also by cross-validation.

    Examples
    --------
    >>> from skxmr.inspection import BeamWidthDisplay
    >>> display = BeamWidthDisplay(
    ...     beam_width=[1, 5, None], score=[0.5, 0.6, 0.61], seconds_per_row=[1e-5, 2e-5, 4e-4]
    ... )
    >>> display.plot()  # doctest: +SKIP
    """

    def __init__(self, *, beam_width, score, seconds_per_row, score_name="score"):
        self.beam_width = beam_width
        self.score = score
        self.seconds_per_row = seconds_per_row
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        beams=(1, 2, 5, 10, 20, 50),
        scoring=None,
        score_name=None,
        ax=None,
    ):
        """Evaluate a fitted estimator at several beam widths and plot the result.

        Parameters
        ----------
        estimator : XRLinearClassifier, or Pipeline that ends with one
            Fitted estimator. Its `beam_width` is restored afterwards.
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Samples that were not used for training.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            True labels of the samples.
        beams : sequence of int or None, default=(1, 2, 5, 10, 20, 50)
            Beam widths to evaluate; None means an exact search.
        scoring : str or callable, default=None
            A single metric. If None, precision at 1.
        score_name : str, default=None
            Name of the score, shown at its axis. If None, the name of `scoring`.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : BeamWidthDisplay
            Display with the evaluated values, already plotted.

        Raises
        ------
        ValueError
            If `scoring` has several metrics.
        ImportError
            If matplotlib is not installed.
        """
        curve = beam_width_curve(estimator, X, y, beams, scoring=scoring, cv="prefit")
        if "test_score" not in curve:
            raise ValueError(f"scoring must be a single metric; got {scoring!r}.")
        if score_name is None:
            score_name = "precision at 1" if scoring is None else str(scoring)
        display = cls(
            beam_width=curve.beam_width,
            score=curve.test_score[:, 0],
            seconds_per_row=curve.seconds_per_row[:, 0],
            score_name=score_name,
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot score and time.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        self : BeamWidthDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_or_new(ax, "BeamWidthDisplay.plot", (6, 4))
        positions = np.arange(len(self.beam_width))
        (self.line_,) = ax.plot(
            positions, self.score, color=BLUE, marker="o", label=self.score_name
        )
        ax.set_ylabel(self.score_name, color=BLUE)
        ax.set_xticks(
            positions, ["exact" if width is None else str(width) for width in self.beam_width]
        )
        ax.set_xlabel("beam width")
        ax.grid(axis="y", alpha=0.3)
        self.time_ax_ = ax.twinx()
        microseconds = 1e6 * np.asarray(self.seconds_per_row)
        (self.time_line_,) = self.time_ax_.plot(
            positions, microseconds, color=ORANGE, marker="s", linestyle="--"
        )
        self.time_ax_.set_ylabel("microseconds per row", color=ORANGE)
        self.time_ax_.set_ylim(bottom=0)
        for each in (ax, self.time_ax_):
            each.spines["top"].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
