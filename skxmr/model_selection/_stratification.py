"""Cross-validation splits in which every label, rare ones too, has its share of each fold."""

import heapq
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_array, check_random_state, indexable

from skxmr._core.validation import check_targets


class IterativeStratification(BaseCrossValidator):
    """K folds of multilabel rows with the labels, rare ones first, spread evenly.

    Labels are dealt with from the rarest up: each of its rows goes to the fold that still lacks
    most rows of that label, then to the fold that lacks most rows at all [1]_. With `KFold` half of
    the labels with two rows have both in one of two folds, and so no row to learn from when that
    one is held out. Folds may differ in size by some rows.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    order : {1, 2}, default=1
        2 spreads pairs of labels that occur together as if they were labels too [2]_. Takes longer,
        by as much as there are more pairs than labels.
    shuffle : bool, default=False
        Whether rows are drawn at random among those that do as well. Without, they are taken in
        their order.
    random_state : int, RandomState instance or None, default=None
        Seeds the draw; of use only if `shuffle` is True.

    See Also
    --------
    sklearn.model_selection.StratifiedKFold : For classes.

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
            raise ValueError(f"n_splits must be an integer of at least 2; got {n_splits!r}.")
        if isinstance(order, bool) or order not in (1, 2):
            raise ValueError(f"order must be 1 or 2; got {order!r}.")
        if not isinstance(shuffle, (bool, np.bool_)):
            raise ValueError(f"shuffle must be True or False; got {shuffle!r}.")
        if random_state is not None and not shuffle:
            raise ValueError(
                f"random_state={random_state!r} has nothing to seed with shuffle=False; leave it "
                "None, or set shuffle=True."
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
            Not looked at.

        Returns
        -------
        int
            The parameter `n_splits`.
        """
        return self.n_splits

    def split(self, X, y, groups=None):
        """Yield the rows of each fold, and those outside it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Only its number of rows matters.
        y : {array-like, sparse matrix} of shape (n_samples, n_labels) or (n_samples,)
            Indicator of 0 and 1, or classes.
        groups : object
            Not looked at.

        Yields
        ------
        train, test : ndarray of int
            Row numbers, rising.

        Raises
        ------
        ValueError
            If `y` is no indicator and no classes, or there are fewer rows than folds.
        """
        if y is None:
            raise ValueError("y must be given: its labels are what is spread; got None.")
        X, y = indexable(X, y)
        if not sp.issparse(y):
            y = check_array(y, ensure_2d=False, dtype=None)
        Y = check_targets(y)[0]
        n_samples = Y.shape[0]
        if n_samples < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} is more than the number of rows, {n_samples}."
            )
        rng = check_random_state(self.random_state) if self.shuffle else None
        folds = _assign_folds(Y, self.n_splits, self.order, rng)
        for fold in range(self.n_splits):
            held_out = folds == fold
            yield np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _assign_folds(Y, n_splits, order, rng):
    """Return the fold of each row; ties go to what comes first, or is drawn first."""
    n_samples = Y.shape[0]
    draw = np.arange(n_samples) if rng is None else rng.permutation(n_samples)
    Y = Y[draw]
    groups = [Y] if order == 1 else [Y, _pairs_of_labels(Y)]
    # What one row alone has cannot be spread, and as the rarest it would decide first.
    groups = [G[:, np.bincount(G.indices, minlength=G.shape[1]) > 1] for G in groups]
    drawn = _spread(sp.hstack(groups, format="csr"), n_splits)
    folds = np.empty_like(drawn)
    folds[draw] = drawn
    return folds


def _spread(Y, n_splits):
    # Lists, since each step touches a handful of numbers.
    n_samples = Y.shape[0]
    starts, labels = Y.indptr.tolist(), Y.indices.tolist()
    C = Y.tocsc()
    column_starts, rows = C.indptr.tolist(), C.indices.tolist()
    left = np.diff(C.indptr).tolist()
    # What each fold still lacks, of each label and of all rows.
    lacks = [[count / n_splits] * n_splits for count in left]
    room = [n_samples / n_splits] * n_splits
    folds = [-1] * n_samples
    queue = [(count, label) for label, count in enumerate(left)]
    heapq.heapify(queue)
    while queue:
        count, label = heapq.heappop(queue)
        if count != left[label]:
            continue  # queued again since, with what is left
        lack = lacks[label]
        touched = set()
        for row in rows[column_starts[label] : column_starts[label + 1]]:
            if folds[row] >= 0:
                continue
            most = max(lack)
            fold = lack.index(most)
            if lack.count(most) > 1:
                fold = max((j for j in range(n_splits) if lack[j] == most), key=room.__getitem__)
            folds[row] = fold
            room[fold] -= 1
            of_row = labels[starts[row] : starts[row + 1]]
            for each in of_row:
                lacks[each][fold] -= 1
                left[each] -= 1
            touched.update(of_row)
        for each in touched:
            if left[each]:
                heapq.heappush(queue, (left[each], each))
    for row in range(n_samples):
        if folds[row] < 0:
            fold = max(range(n_splits), key=room.__getitem__)
            folds[row] = fold
            room[fold] -= 1
    return np.array(folds)


def _pairs_of_labels(Y):
    """Return the indicator of pairs of labels that occur together."""
    n_samples, n_labels = Y.shape
    rows = np.repeat(np.arange(n_samples), np.diff(Y.indptr))
    keys, of_rows = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=rows.dtype)]
    for distance in range(1, int(np.diff(Y.indptr).max(initial=1))):
        together = rows[:-distance] == rows[distance:]
        first, second = Y.indices[:-distance][together], Y.indices[distance:][together]
        keys.append(first.astype(np.int64) * n_labels + second)
        of_rows.append(rows[:-distance][together])
    pairs, columns = np.unique(np.concatenate(keys), return_inverse=True)
    ones = np.ones(len(columns), dtype=Y.dtype)
    P = sp.coo_array((ones, (np.concatenate(of_rows), columns)), shape=(n_samples, len(pairs)))
    return P.tocsr()
