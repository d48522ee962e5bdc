"""What a wider beam finds, and what it costs, as a picture."""

import numpy as np

from skxmr.inspection._axes import FIRST, SECOND, axes_for
from skxmr.model_selection import beam_width_curve


class BeamWidthDisplay:
    """What a wider beam finds, and the time it takes.

    Parameters
    ----------
    beam_width : array-like of int or None of shape (n_beams,)
        The widths, in the order to be drawn; None is an exact search.
    score : array-like of shape (n_beams,)
        The score of each.
    seconds_per_row : array-like of shape (n_beams,)
        Time of prediction.
    score_name : str, default="score"
        What the score is called.

    Attributes
    ----------
    line_, time_line_ : matplotlib Line2D
        Score and time.
    ax_, time_ax_ : matplotlib Axes
        Axes of the score, and those of the time on the other side.
    figure_ : matplotlib Figure
        The figure around.

    See Also
    --------
    skxmr.model_selection.beam_width_curve : The figures themselves, by cross-validation.

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
        """Try several beam widths on a fitted estimator and draw the result.

        Parameters
        ----------
        estimator : XRLinearClassifier, or Pipeline that ends with one
            Fitted; its own `beam_width` stands afterwards as before.
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Rows that it has not seen.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Their labels.
        beams : sequence of int or None, default=(1, 2, 5, 10, 20, 50)
            Widths to try; None is an exact search.
        scoring : str or callable, default=None
            One metric; None is precision at 1.
        score_name : str, default=None
            What to call it. None takes the name of `scoring`.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        BeamWidthDisplay
        """
        curve = beam_width_curve(estimator, X, y, beams, scoring=scoring, cv="prefit")
        if "test_score" not in curve:
            raise ValueError(f"scoring must be one metric; got {scoring!r}.")
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
        """Draw score and time.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        self : BeamWidthDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_for(ax, "BeamWidthDisplay.plot", (6, 4))
        at = np.arange(len(self.beam_width))
        (self.line_,) = ax.plot(at, self.score, color=FIRST, marker="o", label=self.score_name)
        ax.set_ylabel(self.score_name, color=FIRST)
        ax.set_xticks(at, ["all" if width is None else str(width) for width in self.beam_width])
        ax.set_xlabel("beam width")
        ax.grid(axis="y", alpha=0.3)
        self.time_ax_ = ax.twinx()
        time = 1e6 * np.asarray(self.seconds_per_row)
        (self.time_line_,) = self.time_ax_.plot(at, time, color=SECOND, marker="s", linestyle="--")
        self.time_ax_.set_ylabel("microseconds a row", color=SECOND)
        self.time_ax_.set_ylim(bottom=0)
        for each in (ax, self.time_ax_):
            each.spines["top"].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self
