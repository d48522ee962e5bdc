"""Cross-validation splits in which each label, even a rare label, is spread over all folds."""

import heapq
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length, check_random_state

from skxmr._core.target_containers import read_targets
from skxmr._core.targets import check_targets


class IterativeStratification(BaseCrossValidator):
    """Split multilabel rows into folds with an even distribution of each label.

    Labels are processed from the rarest to the most frequent. Each row of a label goes to the fold
    that still needs the most rows of this label. If several folds need equally many, the row goes
    to the one that needs the most rows in total [1]_. Folds may differ in size by a few rows.

    With `KFold` and two folds, half of the labels with two rows have both rows in the same fold.
    When this fold is held out, no training row has these labels.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    order : {1, 2}, default=1
        Order of stratification. With 2, pairs of labels that occur together are also distributed
        evenly, as if they were labels [2]_. The time grows with the number of such pairs.
    shuffle : bool, default=False
        Whether to shuffle the rows first. If False, ties go to the row that comes first.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffle. Must be None if `shuffle` is False.

    See Also
    --------
    sklearn.model_selection.StratifiedKFold : Split single-label rows evenly by class.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas, I. Vlahavas (2011). "On the Stratification of Multi-label
       Data". ECML PKDD.
    .. [2] P. Szymanski, T. Kajdanowicz (2017). "A Network Perspective on Stratification of
       Multi-Label Data". First International Workshop on Learning with Imbalanced Domains, PMLR 74.

    Examples
    --------
    >>> import numpy as np
    >>> from skxmr.model_selection import IterativeStratification
    >>> Y = np.array([[1, 0], [1, 0], [1, 1], [1, 1], [0, 0], [0, 0]])
    >>> for train, test in IterativeStratification(n_splits=2).split(Y, Y):
    ...     print(test, Y[test].sum(axis=0))
    [0 2 4] [2 1]
    [1 3 5] [2 1]
    """

    def __init__(self, n_splits=5, *, order=1, shuffle=False, random_state=None):
        if not isinstance(n_splits, Integral) or isinstance(n_splits, bool) or n_splits < 2:
            raise ValueError(f"n_splits must be an integer greater than 1; got {n_splits!r}.")
        if isinstance(order, bool) or order not in (1, 2):
            raise ValueError(f"order must be 1 or 2; got {order!r}.")
        if not isinstance(shuffle, (bool, np.bool_)):
            raise ValueError(f"shuffle must be True or False; got {shuffle!r}.")
        if random_state is not None and not shuffle:
            raise ValueError(
                f"random_state must be None if shuffle=False; got {random_state!r}. To shuffle "
                "the rows, set shuffle=True."
            )
        check_random_state(random_state)
        self.n_splits = int(n_splits)
        self.order = int(order)
        self.shuffle = bool(shuffle)
        self.random_state = random_state

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object
            Ignored.

        Returns
        -------
        int
            Number of folds, `n_splits`.
        """
        return self.n_splits

    def split(self, X, y, groups=None):
        """Yield the training rows and the held-out rows of each split.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows; only their number is used.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or classes.
        groups : object
            Ignored.

        Yields
        ------
        train, test : ndarray of int
            Row indices in increasing order.

        Raises
        ------
        ValueError
            If `y` is neither an indicator nor classes, or there are fewer rows than folds.
        """
        if y is None:
            raise ValueError("y must be an indicator or classes; got None.")
        y = read_targets(y)
        check_consistent_length(X, y)
        Y = check_targets(y).indicator
        n_samples = Y.shape[0]
        if n_samples < self.n_splits:
            raise ValueError(
                f"n_splits must be at most the number of rows, {n_samples}; got {self.n_splits}."
            )
        rng = check_random_state(self.random_state) if self.shuffle else None
        folds = _assign_folds(Y, self.n_splits, self.order, rng)
        for fold in range(self.n_splits):
            held_out = folds == fold
            yield np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _assign_folds(Y, n_splits, order, rng):
    """Return the fold of each row; ties are resolved by row order, after an optional shuffle."""
    n_samples = Y.shape[0]
    row_order = np.arange(n_samples) if rng is None else rng.permutation(n_samples)
    Y = Y[row_order]
    indicators = [Y] if order == 1 else [Y, _label_pairs(Y)]
    # A label with one row cannot be distributed. As the rarest label, it would be processed first.
    indicators = [M[:, np.bincount(M.indices, minlength=M.shape[1]) > 1] for M in indicators]
    ordered_folds = _distribute_rows(sp.hstack(indicators, format="csr"), n_splits)
    folds = np.empty_like(ordered_folds)
    folds[row_order] = ordered_folds
    return folds


def _distribute_rows(Y, n_splits):
    """Algorithm 1 of Sechidis et al. (2011), with a heap of the remaining rows per label."""
    # Python lists are faster than arrays here, because each step accesses only a few numbers.
    n_samples = Y.shape[0]
    row_starts, labels = Y.indptr.tolist(), Y.indices.tolist()
    Y_columns = Y.tocsc()
    column_starts, rows = Y_columns.indptr.tolist(), Y_columns.indices.tolist()
    n_remaining = np.diff(Y_columns.indptr).tolist()  # rows without a fold, per label
    # Number of rows that each fold still needs: per label, and in total.
    needed_of_label = [[count / n_splits] * n_splits for count in n_remaining]
    needed = [n_samples / n_splits] * n_splits
    folds = [-1] * n_samples
    queue = [(count, label) for label, count in enumerate(n_remaining)]
    heapq.heapify(queue)
    while queue:
        count, label = heapq.heappop(queue)
        if count != n_remaining[label]:
            continue  # outdated entry: the label was queued again with a lower count
        needed_of_this = needed_of_label[label]
        changed_labels = set()
        for row in rows[column_starts[label] : column_starts[label + 1]]:
            if folds[row] >= 0:
                continue
            most = max(needed_of_this)
            fold = needed_of_this.index(most)
            if needed_of_this.count(most) > 1:
                tied = (j for j in range(n_splits) if needed_of_this[j] == most)
                fold = max(tied, key=needed.__getitem__)
            folds[row] = fold
            needed[fold] -= 1
            row_labels = labels[row_starts[row] : row_starts[row + 1]]
            for row_label in row_labels:
                needed_of_label[row_label][fold] -= 1
                n_remaining[row_label] -= 1
            changed_labels.update(row_labels)
        for changed in changed_labels:
            if n_remaining[changed]:
                heapq.heappush(queue, (n_remaining[changed], changed))
    for row in range(n_samples):
        if folds[row] < 0:
            fold = max(range(n_splits), key=needed.__getitem__)
            folds[row] = fold
            needed[fold] -= 1
    return np.array(folds)


def _label_pairs(Y):
    """Return the indicator of the pairs of labels that occur together in a row."""
    n_samples, n_labels = Y.shape
    rows = np.repeat(np.arange(n_samples), np.diff(Y.indptr))
    keys, pair_rows = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=rows.dtype)]
    # Pair each entry with the entry `distance` places later, if both are in the same row.
    for distance in range(1, int(np.diff(Y.indptr).max(initial=1))):
        in_same_row = rows[:-distance] == rows[distance:]
        first, second = Y.indices[:-distance][in_same_row], Y.indices[distance:][in_same_row]
        keys.append(first.astype(np.int64) * n_labels + second)
        pair_rows.append(rows[:-distance][in_same_row])
    pairs, columns = np.unique(np.concatenate(keys), return_inverse=True)
    ones = np.ones(len(columns), dtype=Y.dtype)
    P = sp.coo_array((ones, (np.concatenate(pair_rows), columns)), shape=(n_samples, len(pairs)))
    return P.tocsr()
