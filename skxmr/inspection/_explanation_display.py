"""An explanation as bars."""

from numbers import Integral

from skxmr.inspection._axes import FIRST, GREY, SECOND, axes_for, bare, plain
from skxmr.inspection._explanation import explain
from skxmr.inspection._text import contribution_rows, outcome, step_title


class ExplanationDisplay:
    """Bars of what pushed a row towards a label, step by step, or away from it.

    Parameters
    ----------
    explanation : Explanation
        What `explain` returned.

    Attributes
    ----------
    bars_ : matplotlib BarContainer
        The bars, from top to bottom.
    ax_ : matplotlib Axes
        Where they are.
    figure_ : matplotlib Figure
        The figure around.

    See Also
    --------
    explain : The same as text and data.

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
        """Explain a row and draw it.

        Parameters
        ----------
        estimator, x, label, feature_names, label_names, n_features
            As for `explain`.
        tree : int, default=0
            Which tree of an ensemble.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        ExplanationDisplay
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
        """Draw the bars.

        Parameters
        ----------
        tree : int, default=0
            Which tree of an ensemble.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure of a height to hold them.

        Returns
        -------
        self : ExplanationDisplay

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
            raise ValueError(f"tree must be from 0 to {n_trees - 1}; got {tree!r}.")
        path = explanation.paths[tree]
        titles, notes, names, widths, places, spans = [], [], [], [], [], []
        n_lines = 0
        for step in path:
            title = f"level {step.level}: {step_title(step, step is path[-1])}"
            titles.append((n_lines, plain(title, 95)))
            note = f"score {step.own_score:.3g}"
            if step.source == "linear":
                note = f"margin {step.margin:+.2f}, {note}"
            lost = "" if step.kept else ", lost here" if step.beam_rank else ", not searched"
            notes.append((n_lines + 0.8, f"{note}{lost}"))
            n_lines += 1.8
            top = n_lines - 0.5
            for name, contribution, _ in contribution_rows(step, explanation.n_features):
                names.append(plain(name, 40))
                widths.append(contribution)
                places.append(n_lines)
                n_lines += 1
            spans.append((top, n_lines - 0.5))
            n_lines += 0.4
        ax = axes_for(ax, "ExplanationDisplay.plot", (8, 1.0 + 0.27 * n_lines))
        colors = [FIRST if width >= 0 else SECOND for width in widths]
        self.bars_ = ax.barh(places, widths, color=colors, height=0.7)
        ax.bar_label(self.bars_, fmt="{:+.2f}", padding=3, fontsize="small")
        # A line of no contribution beside the bars of each step, not through the titles.
        ax.vlines([0] * len(spans), *zip(*spans, strict=True), color="0.3", linewidth=0.8)
        across = ax.get_yaxis_transform()
        style = {"transform": across, "va": "center", "ha": "left"}
        for y, title in titles:
            ax.text(0.01, y, title, weight="bold", fontsize="small", **style)
        for y, note in notes:
            ax.text(0.01, y, note, color=GREY, fontsize="small", **style)
        ax.set_yticks(places, names)
        ax.tick_params(axis="y", length=0)
        ax.set_ylim(n_lines - 0.4, -0.8)
        ax.margins(x=0.15)
        title = plain(f"{explanation.label_name}: {outcome(explanation)}", 90)
        ax.set(title=title, xlabel="contribution to the margin (value times weight)")
        bare(ax, "left")
        self.ax_, self.figure_ = ax, ax.figure
        return self
