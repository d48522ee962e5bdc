"""Report of top-k predictions by label frequency, with the labels that are found worst."""

from collections import Counter
from dataclasses import dataclass
from numbers import Integral
from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import plain_value
from skxmr.metrics._candidates import as_indicator
from skxmr.metrics._label_counts import LabelCounts, count_labels
from skxmr.metrics._named_labels import read_names
from skxmr.metrics._ranking import rank_candidates, read_arguments

_GROUP_HEADER = ("frequency", "labels", "true", "precision", "recall", "macro F1", "coverage")
_LABEL_HEADER = ("label", "frequency", "true", "predicted", "hits", "precision", "recall", "F1")


class LabelGroup(NamedTuple):
    """Results of labels with similar frequencies.

    Attributes
    ----------
    min_frequency, max_frequency : int
        Smallest and largest number of training rows of a label of the group in `y_true`.
    n_labels : int
        Number of labels of the group that occur in `y_true`.
    n_true : float
        Number of true (row, label) pairs, or the sum of their weights.
    precision : float
        Fraction of the predicted pairs of the group that are true. Predicted labels that do not
        occur in `y_true` count in the group of their frequency. NaN without predicted pairs.
    recall : float
        Fraction of the true pairs of the group that are predicted.
    macro_f1 : float
        Mean F1 of the labels that occur in `y_true`.
    coverage : float
        Fraction of the labels that occur in `y_true` with at least one hit.
    """

    min_frequency: int
    max_frequency: int
    n_labels: int
    n_true: float
    precision: float
    recall: float
    macro_f1: float
    coverage: float


class LabelResult(NamedTuple):
    """Results of one label.

    Attributes
    ----------
    label : object
        Entry of `classes`, or column of `y_true`.
    frequency : int
        Number of training rows.
    n_true, n_predicted, n_hits : float
        Number of rows with the label, with its prediction, and with both; or sums of weights.
    precision : float
        ``n_hits / n_predicted``; NaN if the label is never predicted.
    recall : float
        ``n_hits / n_true``.
    f1 : float
        F1 of the label.
    """

    label: object
    frequency: int
    n_true: float
    n_predicted: float
    n_hits: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelReport:
    """Report that `label_report` returns. It prints as two tables.

    Attributes
    ----------
    k : int
        Number of predicted labels per row.
    groups : list of LabelGroup
        Groups of labels, rarest first. ``pandas.DataFrame(report.groups)`` is a table.
    total : LabelGroup
        All labels together.
    worst : list of LabelResult
        Labels with the lowest F1; of equal labels, those with the most true rows first.
        ``pandas.DataFrame(report.worst)`` is a table.
    """

    k: int
    groups: list[LabelGroup]
    total: LabelGroup
    worst: list[LabelResult]

    def __str__(self):
        """Return both tables as text."""
        groups = [[_format_range(group), *_format(group[2:4], group[4:])] for group in self.groups]
        lines = [f"top {self.k} predictions by label frequency", ""]
        groups.append(["all", *_format(self.total[2:4], self.total[4:])])
        lines += _format_table(_GROUP_HEADER, groups)
        if self.worst:
            rows = [[str(result.label), *_format(result[1:5], result[5:])] for result in self.worst]
            lines += ["", "labels with the lowest F1", "", *_format_table(_LABEL_HEADER, rows)]
        return "\n".join(lines)


def label_report(
    y_true,
    y_score,
    k=5,
    *,
    y_train=None,
    classes=None,
    n_worst=10,
    ignore=None,
    sample_weight=None,
):
    """Report how well rare and frequent labels are predicted, and which labels are found worst.

    The top k labels of each row are its predictions. The labels that occur in `y_true` are divided
    into deciles of their number of training rows. Labels with equal numbers are in the same group,
    so there are fewer than ten groups if many labels have one or two training rows. Labels without
    training rows are a separate group.

    Parameters
    ----------
    y_true : array-like or sparse matrix of shape (n_samples, n_labels), or list of n_samples lists
        Indicator of the true labels, or lists of labels if `y_score` is a result of `suggest`.
    y_score : sparse matrix, array-like, (indices, scores) or list
        Scores of the labels, in one of the forms that `precision_at_k` accepts.
    k : int, default=5
        Number of labels to predict per row.
    y_train : array-like or sparse matrix of shape (n_rows, n_labels), or list, default=None
        Labels of the training rows, in the form of `y_true`. If None, the rows of `y_true` are
        counted instead.
    classes : array-like of shape (n_labels,), default=None
        Names of the columns in the report, such as ``model.classes_``. If None, column numbers, or
        the labels of lists.
    n_worst : int, default=10
        Maximum number of labels to list.
    ignore : sparse matrix or array-like of shape (n_samples, n_labels), default=None
        Indicator of the (row, label) pairs to leave out; see `precision_at_k`.
    sample_weight : array-like of shape (n_samples,), default=None
        Nonnegative weights of the rows of `y_true` in all counts of pairs.

    Returns
    -------
    LabelReport
        Prints as two tables, and has the groups and labels as data.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, as in `precision_at_k`. ValueError also if `y_train` or `classes`
        has another number of labels than `y_true`, or `n_worst` is negative.

    See Also
    --------
    macro_f1_at_k, coverage_at_k : Values of the last line of the first table.
    skxmr.inspection.LabelFrequencyDisplay : Plot precision and recall by label frequency.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.metrics import label_report
    >>> y_train = np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]])
    >>> y_true = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 1]])
    >>> y_score = np.array([[0.9, 0.1, 0.2], [0.9, 0.2, 0.1], [0.5, 0.1, 0.6]])
    >>> print(label_report(y_true, y_score, k=1, y_train=y_train, classes=["red", "hot", "wet"]))
    top 1 predictions by label frequency
    <BLANKLINE>
    frequency  labels  true  precision  recall  macro F1  coverage
    1               2     2      1.000   0.500     0.500     0.500
    3               1     2      1.000   1.000     1.000     1.000
    all             3     4      1.000   0.750     0.667     0.667
    <BLANKLINE>
    labels with the lowest F1
    <BLANKLINE>
    label  frequency  true  predicted  hits  precision  recall     F1
    hot            1     1          0     0          -   0.000  0.000
    red            3     2          2     2      1.000   1.000  1.000
    wet            1     1          1     1      1.000   1.000  1.000
    """
    if not isinstance(n_worst, Integral) or isinstance(n_worst, bool) or n_worst < 0:
        raise ValueError(f"n_worst must be a nonnegative integer; got {n_worst!r}.")
    arguments = read_arguments(y_true, y_score, k, ignore, sample_weight)
    n_labels = arguments.true.n_labels
    names = arguments.classes if classes is None else np.asarray(classes)
    if names is not None and names.shape != (n_labels,):
        raise ValueError(f"classes must have shape ({n_labels},); got shape {names.shape}.")
    frequency = None if y_train is None else _count_training(y_train, arguments)
    ranking = rank_candidates(arguments, k)
    counts = count_labels(ranking)
    if frequency is None:
        frequency = np.bincount(ranking.true.labels, minlength=n_labels)
    is_evaluated = counts.n_true > 0
    group_of_label = _divide_labels(frequency, is_evaluated)
    groups = []
    for group in range(group_of_label.max(initial=-1) + 1):
        labels = np.flatnonzero(group_of_label == group)
        if is_evaluated[labels].any():
            groups.append(_summarize(labels, frequency, counts))
    f1 = counts.f1
    worst = np.flatnonzero(is_evaluated)
    worst = worst[np.lexsort((-counts.n_true[worst], f1[worst]))][:n_worst]
    return LabelReport(
        k=int(k),
        groups=groups,
        total=_summarize(np.arange(n_labels), frequency, counts),
        worst=[_describe(label, names, frequency, counts, f1) for label in worst.tolist()],
    )


def _count_training(y_train, arguments):
    if arguments.classes is not None:
        counts = Counter(label for row in read_names(y_train, "y_train") for label in set(row))
        return np.array([counts[label] for label in arguments.classes.tolist()], dtype=np.int64)
    train = as_indicator(y_train, "y_train")
    if train.n_labels != arguments.true.n_labels:
        raise ValueError(
            f"y_train must have the {arguments.true.n_labels} columns of y_true; got "
            f"{train.n_labels}."
        )
    return np.bincount(train.labels, minlength=train.n_labels)


def _divide_labels(frequency, is_evaluated):
    """Return the group of each label: 0 without training rows, then deciles of the others."""
    frequencies = frequency[is_evaluated & (frequency > 0)]
    bounds = [0]
    if len(frequencies):
        deciles = np.quantile(frequencies, np.arange(1, 10) / 10, method="inverted_cdf")
        # The largest count is no bound: the last group has all labels above the last bound.
        bounds = np.unique([0, *deciles[deciles < frequencies.max()].tolist()])
    return np.searchsorted(bounds, frequency)


def _summarize(labels, frequency, counts):
    n_true, n_predicted, n_hits = (array[labels] for array in counts)
    is_evaluated = n_true > 0
    n_labels = int(np.count_nonzero(is_evaluated))
    frequencies = frequency[labels][is_evaluated]
    f1 = LabelCounts(n_true, n_predicted, n_hits).f1[is_evaluated]
    return LabelGroup(
        min_frequency=int(frequencies.min(initial=frequencies.max(initial=0))),
        max_frequency=int(frequencies.max(initial=0)),
        n_labels=n_labels,
        n_true=float(n_true.sum()),
        precision=_ratio(n_hits.sum(), n_predicted.sum()),
        recall=_ratio(n_hits.sum(), n_true.sum()),
        macro_f1=_ratio(f1.sum(), n_labels),
        coverage=_ratio(np.count_nonzero(n_hits), n_labels),
    )


def _describe(label, names, frequency, counts, f1):
    n_true, n_predicted, n_hits = (float(array[label]) for array in counts)
    return LabelResult(
        label=label if names is None else plain_value(names[label]),
        frequency=int(frequency[label]),
        n_true=n_true,
        n_predicted=n_predicted,
        n_hits=n_hits,
        precision=_ratio(n_hits, n_predicted),
        recall=_ratio(n_hits, n_true),
        f1=float(f1[label]),
    )


def _ratio(value, total):
    return float(value / total) if total > 0 else float("nan")


def _format_range(group):
    low, high = f"{group.min_frequency:,}", f"{group.max_frequency:,}"
    return low if low == high else f"{low} to {high}"


def _format(counts, fractions):
    # Sums of weights may have decimals.
    texts = [f"{n:,.0f}" if n == int(n) else f"{n:,.1f}" for n in counts]
    return texts + ["-" if np.isnan(value) else f"{value:.3f}" for value in fractions]


def _format_table(header, rows):
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = []
    for first, *others in (header, *rows):
        cells = [first.ljust(widths[0])]
        cells += [text.rjust(width) for text, width in zip(others, widths[1:], strict=True)]
        lines.append("  ".join(cells))
    return lines
