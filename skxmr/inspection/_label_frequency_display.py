"""How good a ranking is for frequent labels and for rare ones."""

from numbers import Integral

import numpy as np

from skxmr.inspection._axes import FIRST, SECOND, axes_for, bare
from skxmr.metrics import rank_labels, score_labels


class LabelFrequencyDisplay:
    """Precision and recall of frequent labels and of rare ones.

    Parameters
    ----------
    bins : list of tuple of int
        Least and largest number of rows of the labels in each bin.
    n_labels : array-like of int of shape (n_bins,)
        Labels in each.
    precision : array-like of shape (n_bins,)
        Of the pairs (row, label) among the k best of their rows, whose label is in the bin: the
        part that is true. NaN where there are none.
    recall : array-like of shape (n_bins,)
        Of the true pairs whose label is in the bin: the part among the k best. NaN where there are
        none.
    k : int
        Labels of a row that count.

    Attributes
    ----------
    precision_bars_, recall_bars_ : matplotlib BarContainer
        The bars.
    ax_ : matplotlib Axes
        Where they are.
    figure_ : matplotlib Figure
        The figure around.

    See Also
    --------
    skxmr.metrics.psprecision_at_k : One number in which rare labels count more.

    Examples
    --------
    >>> from skxmr.inspection import LabelFrequencyDisplay
    >>> display = LabelFrequencyDisplay(
    ...     bins=[(1, 9), (10, 99)], n_labels=[50, 10], precision=[0.4, 0.6], recall=[0.3, 0.8], k=5
    ... )
    >>> display.plot()  # doctest: +SKIP
    """

    def __init__(self, *, bins, n_labels, precision, recall, k):
        self.bins = bins
        self.n_labels = n_labels
        self.precision = precision
        self.recall = recall
        self.k = k

    @classmethod
    def from_estimator(cls, estimator, X, y, *, label_counts=None, k=5, n_bins=6, ax=None):
        """Rank the labels of rows and draw how good that is, by frequency.

        Parameters
        ----------
        estimator : estimator
            Fitted, with `predict_topk` or `predict_proba`, by itself or last in a pipeline.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows that it has not seen.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of their labels.
        label_counts, k, n_bins, ax
            As for `from_predictions`.

        Returns
        -------
        LabelFrequencyDisplay
        """
        scores = score_labels(estimator, X, k)
        return cls.from_predictions(y, scores, label_counts=label_counts, k=k, n_bins=n_bins, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_score, *, label_counts=None, k=5, n_bins=6, ax=None):
        """Draw how good given scores are, by frequency.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of the true labels.
        y_score : sparse matrix, array-like or (indices, scores)
            In any of the forms that `skxmr.metrics.precision_at_k` describes.
        label_counts : array-like of shape (n_labels,), default=None
            Rows of each label, best those in training: ``Y_train.sum(axis=0)``. None counts in
            `y_true`.
        k : int, default=5
            Labels of a row that count.
        n_bins : int, default=6
            Most bins, beside one for labels without a row. Their edges rise by a factor.
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        LabelFrequencyDisplay

        Raises
        ------
        ValueError
            If there is not a count for each label, or `n_bins` is not positive.
        """
        if not isinstance(n_bins, Integral) or isinstance(n_bins, bool) or n_bins < 1:
            raise ValueError(f"n_bins must be an integer from 1 up; got {n_bins!r}.")
        ranking = rank_labels(y_true, y_score, k)
        n_labels = ranking.true.n_labels
        true = np.bincount(ranking.true.labels, minlength=n_labels)
        counts = true if label_counts is None else np.asarray(label_counts).ravel()
        if len(counts) != n_labels or not np.all(counts >= 0):
            raise ValueError(
                f"label_counts must have a number from 0 up for each of the {n_labels} labels; "
                f"got shape {np.shape(label_counts)}."
            )
        ranked = np.bincount(ranking.top_labels[ranking.top_labels >= 0], minlength=n_labels)
        right = np.bincount(ranking.top_labels[ranking.is_hit], minlength=n_labels)
        edges = np.geomspace(1, max(2, counts.max() + 1), n_bins + 1).round().astype(np.int64)
        edges = np.unique(np.concatenate(([0], edges)))
        bin_of = np.searchsorted(edges, counts, side="right") - 1
        n_in, true, ranked, right = (
            np.bincount(bin_of, values, minlength=len(edges) - 1)
            for values in (np.ones(n_labels), true, ranked, right)
        )
        kept = n_in > 0
        with np.errstate(invalid="ignore"):
            precision, recall = (right / ranked)[kept], (right / true)[kept]
        bounds = [*zip(edges[:-1].tolist(), (edges[1:] - 1).tolist(), strict=True)]
        display = cls(
            bins=[bound for bound, keep in zip(bounds, kept, strict=True) if keep],
            n_labels=n_in[kept].astype(np.int64),
            precision=precision,
            recall=recall,
            k=int(k),
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure.

        Returns
        -------
        self : LabelFrequencyDisplay

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_for(ax, "LabelFrequencyDisplay.plot", (7, 4))
        at = np.arange(len(self.bins))
        style = {"width": 0.38}
        name = f"precision at {self.k}"
        self.precision_bars_ = ax.bar(at - 0.2, self.precision, color=FIRST, label=name, **style)
        name = f"recall at {self.k}"
        self.recall_bars_ = ax.bar(at + 0.2, self.recall, color=SECOND, label=name, **style)
        ticks = [f"{low}" if low == high else f"{low} to {high}" for low, high in self.bins]
        sizes = [f"({n:,} {'label' if n == 1 else 'labels'})" for n in self.n_labels]
        ticks = [f"{tick}\n{size}" for tick, size in zip(ticks, sizes, strict=True)]
        ax.set_xticks(at, ticks, fontsize="small")
        ax.set(xlabel="rows that have the label", ylim=(0, 1))
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
        ax.grid(axis="y", alpha=0.3)
        bare(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self
