"""The arguments `labels` and `exclude` of predictions, which select labels."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import offsets_of, plain_value
from skxmr._core.validation import check_candidates
from skxmr.xr_linear._tree_filter import TreeFilter

# Number of unknown labels that an error message shows.
N_SHOWN = 5
# Labels that are excluded in all rows are listed for each row if the classifier has this many
# labels for each entry of the lists. With 670,091 labels, excluding 3 labels in one row takes 0.8
# milliseconds instead of 14.
MIN_LABELS_PER_EXCLUDED = 100


class SelectionError(ValueError):
    """The labels that a prediction may return are invalid."""


class LabelFilter:
    """Labels that predictions may return; made by `XRLinearClassifier.label_filter`.

    Parameters
    ----------
    labels : ndarray of int32
        Columns of `y`, sorted.
    model : TreeModel or TreeEnsemble
        Model of the classifier.

    Attributes
    ----------
    labels : ndarray of int32
        Columns of `y`, which are positions in `classes_`, sorted.
    """

    def __init__(self, labels, model):
        self.labels = labels
        self._trees = [tree.hierarchy for tree in model.models]
        filters = [TreeFilter.for_all_rows(tree, labels) for tree in self._trees]
        self._selection = Selection(filters, len(labels))

    def __repr__(self):
        return f"<LabelFilter of {len(self.labels)} labels>"

    def __len__(self):
        return len(self.labels)

    def selection_for(self, model, name="labels"):
        """Return the `Selection`; raise a SelectionError if the trees of `model` differ.

        `name` is the name of the argument in the error message.
        """
        trees = model.models
        is_same = len(trees) == len(self._trees) and all(
            tree.hierarchy is other or tree.hierarchy == other
            for tree, other in zip(trees, self._trees, strict=True)
        )
        if not is_same:
            raise SelectionError(
                f"{name} must be a filter of this classifier; got a LabelFilter of another one, or "
                "of an earlier fit or update. Call label_filter again."
            )
        return self._selection


class Selection(NamedTuple):
    """Labels that each row of a prediction may get.

    Attributes
    ----------
    filters : list of TreeFilter
        Filter of each tree.
    n_available : int, or ndarray of shape (n_rows,) if the rows differ
        Number of these labels.
    """

    filters: list
    n_available: object

    @property
    def differs_by_row(self):
        """Whether rows may get different labels."""
        return isinstance(self.n_available, np.ndarray)

    def take(self, rows):
        """Return the selection of the rows with the given numbers, in this order."""
        if not self.differs_by_row:
            return self
        return Selection([tree.take(rows) for tree in self.filters], self.n_available[rows])

    def find_short_rows(self, indptr, k):
        """Return the rows of a ranking that have fewer than k labels, although more may be had."""
        return np.flatnonzero(np.diff(indptr) < np.minimum(k, self.n_available))


class _RowLabels(NamedTuple):
    """Labels of each row: CSR arrays without duplicates, sorted in each row."""

    indptr: np.ndarray
    labels: np.ndarray

    def to_matrix(self, n_labels):
        ones = np.ones(len(self.labels), dtype=np.int8)
        shape = (len(self.indptr) - 1, n_labels)
        return sp.csr_array((ones, self.labels, self.indptr), shape=shape)

    @classmethod
    def of_matrix(cls, matrix):
        matrix.sort_indices()
        return cls(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32))


def make_filter(labels, classes, model):
    """Return the `LabelFilter` of an array of labels; see `XRLinearClassifier.label_filter`."""
    check_has_levels(model)
    found = _read(labels, classes, None, "classes")
    return LabelFilter(_check_not_empty(found, "classes"), model)


def make_selection(labels, exclude, classes, n_rows, model):
    """Return the `Selection` of the arguments `labels` and `exclude` of a prediction.

    Parameters
    ----------
    labels, exclude : LabelFilter, array-like, sparse matrix or None
        The arguments.
    classes : ndarray of shape (n_labels,)
        All labels.
    n_rows : int
        Number of rows of the prediction.
    model : TreeModel or TreeEnsemble
        Model of the classifier.

    Returns
    -------
    Selection or None
        None if all rows may get all labels.

    Raises
    ------
    ValueError
        If an argument is invalid, or no label is left for all rows.
    """
    if labels is None and exclude is None:
        return None
    if isinstance(labels, LabelFilter) and exclude is None:  # without loss of time for single rows
        return labels.selection_for(model)
    check_has_levels(model)
    allowed = _read_argument(labels, classes, n_rows, model, "labels")
    excluded = _read_argument(exclude, classes, n_rows, model, "exclude")
    if isinstance(allowed, _RowLabels):
        return _select_for_rows(allowed, excluded, len(classes), model)
    if allowed is not None:
        _check_not_empty(allowed, "labels")
    if excluded is not None and not isinstance(excluded, _RowLabels):
        is_left = np.zeros(len(classes), dtype=bool)
        is_left[slice(None) if allowed is None else allowed] = True
        is_left[excluded] = False
        if not is_left.any():
            _check_not_empty([], "labels without those of exclude")
        if n_rows * len(excluded) * MIN_LABELS_PER_EXCLUDED <= len(classes):
            # Cheaper than a pass over all nodes of the trees.
            excluded = _RowLabels(np.arange(n_rows + 1) * len(excluded), np.tile(excluded, n_rows))
        else:
            allowed, excluded = np.flatnonzero(is_left), None
    if isinstance(labels, LabelFilter) and excluded is not None:
        allowed = labels  # its filters are ready
    return _select_for_all_rows(allowed, excluded, len(classes), model)


def _read_argument(value, classes, n_rows, model, name):
    # None, sorted columns for all rows, or `_RowLabels`.
    if value is None:
        return None
    if isinstance(value, LabelFilter):
        value.selection_for(model, name)  # raises an error for another model
        return value.labels
    return _read(value, classes, n_rows, name)


def _select_for_rows(allowed, excluded, n_labels, model):
    # The `Selection` of the allowed labels of each row, without excluded ones.
    if isinstance(excluded, _RowLabels):
        left = allowed.to_matrix(n_labels)
        left -= left.multiply(excluded.to_matrix(n_labels))
        left.eliminate_zeros()
        allowed = _RowLabels.of_matrix(left.tocsr())
    elif excluded is not None:
        is_kept = np.ones(n_labels, dtype=bool)
        is_kept[excluded] = False
        allowed = _keep(allowed, is_kept)
    filters = [TreeFilter.for_rows(tree.label_paths, *allowed) for tree in model.models]
    return Selection(filters, np.diff(allowed.indptr))


def _select_for_all_rows(allowed, excluded, n_labels, model):
    # The `Selection` of a `LabelFilter`, of columns, or of all labels (None); without the excluded
    # labels of each row, which are `_RowLabels` or None.
    trees = [tree.hierarchy for tree in model.models]
    if isinstance(allowed, LabelFilter):
        filters, allowed = allowed.selection_for(model).filters, allowed.labels
    elif allowed is not None:
        filters = [TreeFilter.for_all_rows(tree, allowed) for tree in trees]
    else:
        filters, allowed = [TreeFilter.of_all_labels(tree) for tree in trees], np.arange(n_labels)
    if excluded is None:
        return Selection(filters, len(allowed))
    is_allowed = np.zeros(n_labels, dtype=bool)
    is_allowed[allowed] = True
    excluded = _keep(excluded, is_allowed)
    pairs = zip(filters, model.models, strict=True)
    filters = [found.excluding(tree.label_paths, *excluded) for found, tree in pairs]
    return Selection(filters, len(allowed) - np.diff(excluded.indptr))


def check_has_levels(model):
    """Raise a ValueError if a custom estimator replaces a level, which cannot be filtered."""
    for tree in model.models:
        tree.check_linear("A filter of labels")


def _keep(row_labels, is_kept):
    kept = is_kept[row_labels.labels]
    return _RowLabels(offsets_of(kept)[row_labels.indptr], row_labels.labels[kept])


def _check_not_empty(labels, name):
    if not len(labels):
        raise SelectionError(f"{name} must contain at least one label; got none.")
    return labels


def _read(values, classes, n_rows, name):
    # An array of columns, sorted, for all rows, or `_RowLabels`. n_rows is None if `values` must be
    # for all rows.
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise SelectionError(f"{name} must be a list of labels; got {values!r}. Put it in a list.")
    is_matrix = sp.issparse(values) or getattr(values, "ndim", 1) == 2
    is_nested = not is_matrix and _is_nested(values)
    if n_rows is None and (is_nested or is_matrix):
        raise SelectionError(f"{name} must be a list of labels, without a list or row per sample.")
    if is_nested:
        if len(values) != n_rows:
            raise SelectionError(
                f"{name} must have a list per row of X, {n_rows}; got {len(values)}."
            )
        rows = [_find_columns(row, classes, name) for row in values]
        indptr = offsets_of(np.array([len(row) for row in rows], dtype=np.int64))
        labels = np.concatenate(rows) if rows else np.empty(0, dtype=np.int32)
        return _RowLabels(indptr, labels)
    if is_matrix:
        mask = values != 0 if sp.issparse(values) else values
        return _RowLabels(*check_candidates(mask, (n_rows, len(classes)), name))
    return _find_columns(values, classes, name)


def read_labels(labels, classes, name):
    """Return the sorted columns of labels; raise a SelectionError if they are invalid."""
    return _check_not_empty(_read(labels, classes, None, name), name)


def _is_nested(values):
    first = next(iter(values), None)
    return isinstance(first, (list, tuple, set, frozenset, np.ndarray))


def _find_columns(labels, classes, name):
    # Sorted columns of labels, all different and known.
    columns = _search_sorted(labels, classes)
    if columns is None:
        labels = [plain_value(label) for label in labels]
        if any(isinstance(label, bool) for label in labels):  # True would be the label 1
            raise SelectionError(
                f"{name} must contain labels; got booleans. Pass classes_[mask] instead of a mask "
                "of labels."
            )
        column_of = {label: column for column, label in enumerate(classes.tolist())}
        unknown = [label for label in labels if label not in column_of]
        if unknown:
            shown = ", ".join(map(repr, unknown[:N_SHOWN]))
            more = ", ..." if len(unknown) > N_SHOWN else ""
            raise SelectionError(
                f"{name} must contain only labels of classes_; got {len(unknown)} unknown: "
                f"{shown}{more}."
            )
        columns = np.array([column_of[label] for label in labels], dtype=np.int32)
    columns = np.sort(columns)
    is_repeated = columns[1:] == columns[:-1]
    if is_repeated.any():
        label = plain_value(classes[columns[1:][is_repeated][0]])
        raise SelectionError(f"{name} must contain each label once; got {label!r} several times.")
    return columns


def _search_sorted(labels, classes):
    # Columns by bisection, which needs no pass over all classes; None if a label is not found, for
    # example because the classes are not sorted.
    has_objects = classes.dtype == object
    if not isinstance(labels, np.ndarray):
        labels = np.array(list(labels), dtype=object if has_objects else None)
    if not len(labels):
        return np.empty(0, dtype=np.int32)
    if has_objects:
        labels = labels.astype(object)
    elif labels.dtype.kind != classes.dtype.kind:
        return None
    try:
        columns = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
    except TypeError:  # numbers among names
        return None
    return columns.astype(np.int32) if np.array_equal(classes[columns], labels) else None
