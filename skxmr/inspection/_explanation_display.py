"""Bar plot of an explanation."""

from numbers import Integral
from typing import NamedTuple

from skxmr.inspection._axes import (
    BLUE,
    GRAY,
    ORANGE,
    axes_or_new,
    hide_frame,
    shorten_and_escape,
)
from skxmr.inspection._explanation import explain
from skxmr.inspection._text import contribution_rows, describe_outcome, step_title

# Heights in units of one bar: from the title of a step to its note, from the title to the first
# bar, and the gap after the last bar.
NOTE_OFFSET, BARS_OFFSET, STEP_GAP = 0.8, 1.8, 0.4


class StepLayout(NamedTuple):
    """Vertical positions of one step in the plot; y increases downwards.

    Attributes
    ----------
    title, note : str
        Texts above the bars.
    y_title : float
        Position of the title.
    rows : list of ContributionRow
        Bars of the step.
    y_bars : list of float
        Positions of the bars.
    """

    title: str
    note: str
    y_title: float
    rows: list
    y_bars: list

    @property
    def y_range(self):
        """Top and bottom of the area of the bars."""
        top = self.y_title + BARS_OFFSET - 0.5
        return top, top + len(self.rows)


class ExplanationDisplay:
    """Plot the contributions of an explanation as bars, step by step.

    Blue bars increase the margin of a step, orange bars decrease it.

    Parameters
    ----------
    explanation : Explanation
        Result of `explain`.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        Bars, from top to bottom.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    explain : Return an explanation as text and data.

    Examples
    --------
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.inspection import ExplanationDisplay
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(max_leaf_size=10, random_state=0).fit(X, Y)
    >>> display = ExplanationDisplay.from_estimator(model, X[0], 3)  # doctest: +SKIP
    """

    def __init__(self, explanation):
        self.explanation = explanation

    @classmethod
    def from_estimator(
        cls,
        estimator,
        x,
        label,
        *,
        feature_names=None,
        label_names=None,
        n_features=5,
        tree=0,
        ax=None,
    ):
        """Explain the rank of one label for one row and plot the explanation.

        Parameters
        ----------
        estimator : XRLinearClassifier, Pipeline or search
            Fitted estimator.
        x : str, array-like, sparse matrix or data frame
            One row, see `explain`.
        label : int or str
            Class, column of an indicator, or one of `label_names`.
        feature_names : array-like of str of shape (n_features,), default=None
            Names of the features of the classifier, see `explain`.
        label_names : array-like of str of shape (n_labels,), default=None
            Names of the labels, by column of `y`. If None, `classes_`.
        n_features : int, default=5
            Number of features per step, those with the largest absolute contributions.
        tree : int, default=0
            Index of the tree, for an ensemble of trees.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : ExplanationDisplay
            Display of the explanation, already plotted.
        """
        explanation = explain(
            estimator,
            x,
            label,
            feature_names=feature_names,
            label_names=label_names,
            n_features=n_features,
        )
        return cls(explanation).plot(tree=tree, ax=ax)

    def plot(self, *, tree=0, ax=None):
        """Plot the bars.

        Parameters
        ----------
        tree : int, default=0
            Index of the tree, for an ensemble of trees.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created whose height fits the bars.

        Returns
        -------
        self : ExplanationDisplay
            The display.

        Raises
        ------
        ValueError
            If there is no such tree.
        ImportError
            If matplotlib is not installed.
        """
        explanation = self.explanation
        n_trees = len(explanation.paths)
        if not isinstance(tree, Integral) or not 0 <= tree < n_trees:
            raise ValueError(f"tree must be an integer from 0 to {n_trees - 1}; got {tree!r}.")
        layouts, height = _lay_out_steps(explanation.paths[tree], explanation.n_features)
        ax = axes_or_new(ax, "ExplanationDisplay.plot", (8, 1.0 + 0.27 * height))
        rows = [row for layout in layouts for row in layout.rows]
        y_bars = [y for layout in layouts for y in layout.y_bars]
        contributions = [row.contribution for row in rows]
        colors = [BLUE if contribution >= 0 else ORANGE for contribution in contributions]
        self.bars_ = ax.barh(y_bars, contributions, color=colors, height=0.7)
        ax.bar_label(self.bars_, fmt="{:+.2f}", padding=3, fontsize="small")
        # The zero line is drawn at the bars of each step only, not through the titles.
        tops, bottoms = zip(*(layout.y_range for layout in layouts), strict=True)
        ax.vlines([0] * len(layouts), tops, bottoms, color="0.3", linewidth=0.8)
        style = {
            "transform": ax.get_yaxis_transform(),
            "va": "center",
            "ha": "left",
            "fontsize": "small",
        }
        for layout in layouts:
            ax.text(0.01, layout.y_title, layout.title, weight="bold", **style)
            ax.text(0.01, layout.y_title + NOTE_OFFSET, layout.note, color=GRAY, **style)
        ax.set_yticks(y_bars, [shorten_and_escape(row.name, 40) for row in rows])
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(height - STEP_GAP, -0.8)
        ax.margins(x=0.15)
        title = f"{explanation.label_name}: {describe_outcome(explanation)}"
        ax.set(
            title=shorten_and_escape(title, 90),
            xlabel="contribution to the margin (value times weight)",
        )
        hide_frame(ax, "left")
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _lay_out_steps(path, n_features):
    # The layouts of all steps, and the height of the plot.
    layouts, y = [], 0.0
    for step in path:
        title = f"level {step.level}: {step_title(step, step is path[-1])}"
        rows = contribution_rows(step, n_features)
        y_bars = [y + BARS_OFFSET + index for index in range(len(rows))]
        layouts.append(StepLayout(shorten_and_escape(title, 95), _note(step), y, rows, y_bars))
        y += BARS_OFFSET + len(rows) + STEP_GAP
    return layouts, y


def _note(step):
    note = f"score {step.own_score:.3g}"
    if step.source == "linear":
        note = f"margin {step.margin:+.2f}, {note}"
    if step.kept:
        return note
    return f"{note}, {'dropped here' if step.beam_rank else 'not reached by the search'}"
