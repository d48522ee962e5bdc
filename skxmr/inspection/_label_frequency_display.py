"""Plot of precision and recall by label frequency."""

from numbers import Integral

import numpy as np

from skxmr.inspection._axes import BLUE, ORANGE, axes_or_new, hide_frame
from skxmr.metrics import rank_labels, read_scored_targets, score_labels


class LabelFrequencyDisplay:
    """Plot precision and recall of rankings by label frequency.

    Parameters
    ----------
    bins : list of tuple of int
        Minimum and maximum number of rows per label in each bin.
    n_labels : array-like of int of shape (n_bins,)
        Number of labels in each bin.
    precision : array-like of shape (n_bins,)
        Fraction of the ranked labels of each bin that are true. Only the top `k` labels of each
        row count. NaN if no label of the bin was ranked.
    recall : array-like of shape (n_bins,)
        Fraction of the true labels of each bin that are among the top `k` of their row. NaN if no
        row has a label of the bin.
    k : int
        Number of top-ranked labels per row that count.

    Attributes
    ----------
    precision_bars_, recall_bars_ : matplotlib BarContainer
        Bars of precision and of recall.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure that contains the axes.

    See Also
    --------
    skxmr.metrics.psprecision_at_k : Single number that gives rare labels a larger weight.

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
        """Rank the labels of samples and plot precision and recall by label frequency.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator with `predict_topk` or `predict_proba`, or a pipeline that ends with
            one.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Samples that were not used for training.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of the true labels.
        label_counts : array-like of shape (n_labels,), default=None
            Number of rows of each label, preferably in the training data:
            ``Y_train.sum(axis=0)``. If None, counted in `y`.
        k : int, default=5
            Number of top-ranked labels per row that count.
        n_bins : int, default=6
            Maximum number of bins, see `from_predictions`.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : LabelFrequencyDisplay
            Display with the computed values, already plotted.
        """
        y = read_scored_targets(estimator, y)
        scores = score_labels(estimator, X, k)
        return cls.from_predictions(y, scores, label_counts=label_counts, k=k, n_bins=n_bins, ax=ax)

    @classmethod
    def from_predictions(cls, y_true, y_score, *, label_counts=None, k=5, n_bins=6, ax=None):
        """Plot precision and recall of given scores by label frequency.

        Parameters
        ----------
        y_true : {array-like, sparse matrix} of shape (n_samples, n_labels)
            Indicator of the true labels.
        y_score : sparse matrix, array-like or (indices, scores)
            Scores in any format that `skxmr.metrics.precision_at_k` accepts.
        label_counts : array-like of shape (n_labels,), default=None
            Number of rows of each label, preferably in the training data:
            ``Y_train.sum(axis=0)``. If None, counted in `y_true`.
        k : int, default=5
            Number of top-ranked labels per row that count.
        n_bins : int, default=6
            Maximum number of bins of labels with at least one row; the bounds of these bins
            increase by a constant factor. Labels without a row have an additional bin.
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        display : LabelFrequencyDisplay
            Display with the computed values, already plotted.

        Raises
        ------
        ValueError
            If `label_counts` does not have one count per label, or `n_bins` is not positive.
        """
        if not isinstance(n_bins, Integral) or isinstance(n_bins, bool) or n_bins < 1:
            raise ValueError(f"n_bins must be a positive integer; got {n_bins!r}.")
        ranking = rank_labels(y_true, y_score, k)
        n_labels = ranking.true.n_labels
        n_true = np.bincount(ranking.true.labels, minlength=n_labels)
        counts = n_true if label_counts is None else np.asarray(label_counts).ravel()
        if len(counts) != n_labels or not np.all(counts >= 0):
            raise ValueError(
                f"label_counts must have one non-negative number for each of the {n_labels} "
                f"labels; got shape {np.shape(label_counts)}, minimum {np.min(counts, initial=0)}."
            )
        n_ranked = np.bincount(ranking.top_labels[ranking.top_labels >= 0], minlength=n_labels)
        n_hits = np.bincount(ranking.top_labels[ranking.is_hit], minlength=n_labels)
        edges = np.geomspace(1, max(2, counts.max() + 1), n_bins + 1).round().astype(np.int64)
        edges = np.unique(np.concatenate(([0], edges)))
        bin_of_label = np.searchsorted(edges, counts, side="right") - 1
        labels_in_bin, n_true, n_ranked, n_hits = (
            np.bincount(bin_of_label, values, minlength=len(edges) - 1)
            for values in (np.ones(n_labels), n_true, n_ranked, n_hits)
        )
        is_used = labels_in_bin > 0
        with np.errstate(invalid="ignore"):
            precision, recall = (n_hits / n_ranked)[is_used], (n_hits / n_true)[is_used]
        bounds = zip(edges[:-1].tolist(), (edges[1:] - 1).tolist(), strict=True)
        display = cls(
            bins=[bound for bound, used in zip(bounds, is_used, strict=True) if used],
            n_labels=labels_in_bin[is_used].astype(np.int64),
            precision=precision,
            recall=recall,
            k=int(k),
        )
        return display.plot(ax=ax)

    def plot(self, *, ax=None):
        """Plot the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on. If None, a new figure is created.

        Returns
        -------
        self : LabelFrequencyDisplay
            The display.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        """
        ax = axes_or_new(ax, "LabelFrequencyDisplay.plot", (7, 4))
        positions, width = np.arange(len(self.bins)), 0.38
        self.precision_bars_ = ax.bar(
            positions - 0.2, self.precision, width, color=BLUE, label=f"precision at {self.k}"
        )
        self.recall_bars_ = ax.bar(
            positions + 0.2, self.recall, width, color=ORANGE, label=f"recall at {self.k}"
        )
        ranges = [f"{low}" if low == high else f"{low} to {high}" for low, high in self.bins]
        sizes = [f"({n:,} {'label' if n == 1 else 'labels'})" for n in self.n_labels]
        ticks = [f"{rows}\n{size}" for rows, size in zip(ranges, sizes, strict=True)]
        ax.set_xticks(positions, ticks, fontsize="small")
        ax.set(xlabel="rows per label", ylim=(0, 1))
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
        ax.grid(axis="y", alpha=0.3)
        hide_frame(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self
