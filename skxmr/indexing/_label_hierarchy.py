"""The tree of label clusters as arrays: immutable, compared by value."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of
from skxmr.indexing._taxonomy import taxonomy_parents

_FIELDS = ("child_indptrs", "label_order")


class LabelHierarchy:
    """A tree over labels in which all leaf clusters have the same depth.

    Nodes of a level are numbered so that the children of a node are consecutive. Below the root
    come the levels of clusters; the last level is the labels themselves, in an order of their
    own, `label_order`. Made by `HierarchicalLabelTree`, or from a tree made elsewhere by
    `from_chain`, `from_parents`, `from_memberships` or `from_taxonomy`. Immutable, picklable,
    hashable, equal by value.

    Parameters
    ----------
    child_indptrs : sequence of array-like of shape (n_parents + 1,)
        For each level, from the root's children down to the labels: the children of node ``i`` of
        the level above are ``child_indptr[i]`` to ``child_indptr[i + 1]``. Every node has a child.
    label_order : array-like of shape (n_labels,)
        Label at each position of the last level: a permutation. Inside a leaf cluster the order
        has no meaning, and labels are put in rising order.

    Attributes
    ----------
    n_labels : int
        Number of labels.
    n_levels : int
        Number of levels below the root, the labels included; a linear model has as many.
    n_leaves : int
        Number of leaf clusters: nodes whose children are labels.
    level_sizes : tuple of int
        Number of nodes of each level below the root; the last is `n_labels`.
    label_order : ndarray of shape (n_labels,), int32
        Label at each position of the tree; read-only.
    leaf_of_label : ndarray of shape (n_labels,), int32
        Leaf cluster of each label; read-only.
    child_indptrs : tuple of ndarray
        The children of each node, by level; read-only int64.

    Raises
    ------
    ValueError
        If the arrays do not describe such a tree.

    Examples
    --------
    >>> from skxmr import LabelHierarchy
    >>> tree = LabelHierarchy.from_parents([[0, 0], [1, 0, 1]])
    >>> tree
    LabelHierarchy(level_sizes=(2, 3))
    >>> tree.leaf_of_label
    array([1, 0, 1], dtype=int32)
    >>> tree.label_order
    array([1, 0, 2], dtype=int32)
    """

    __slots__ = ("_leaf_of_label", *_FIELDS)

    def __init__(self, child_indptrs, label_order):
        indptrs = tuple(_frozen(indptr, np.int64, "child_indptrs") for indptr in child_indptrs)
        order = _frozen(label_order, np.int32, "label_order")
        n_nodes = 1
        for level, indptr in enumerate(indptrs):
            if len(indptr) != n_nodes + 1 or indptr[0] != 0 or np.any(np.diff(indptr) < 1):
                raise ValueError(
                    f"child_indptrs[{level}] must have {n_nodes + 1} entries, start at 0 and rise "
                    "by at least 1: every node of the level above has a child."
                )
            n_nodes = int(indptr[-1])
        if not indptrs:
            raise ValueError("child_indptrs must have at least one level; got none.")
        if len(order) != n_nodes or not np.array_equal(np.sort(order), np.arange(n_nodes)):
            raise ValueError(
                f"label_order must be a permutation of the {n_nodes} labels of the last level."
            )
        leaf_of_label = np.empty(n_nodes, dtype=np.int32)
        leaf_of_label[order] = np.repeat(
            np.arange(len(indptrs[-1]) - 1, dtype=np.int32), np.diff(indptrs[-1])
        )
        leaf_of_label.flags.writeable = False
        # Order inside a leaf means nothing; one form makes equality and round trips exact.
        order = _frozen(np.argsort(leaf_of_label, kind="stable"), np.int32, "label_order")
        object.__setattr__(self, "child_indptrs", indptrs)
        object.__setattr__(self, "label_order", order)
        object.__setattr__(self, "_leaf_of_label", leaf_of_label)

    @classmethod
    def _of_checked(cls, child_indptrs, label_order, leaf_of_label):
        # Without the checks, which read every label: of read-only arrays that passed them once.
        self = object.__new__(cls)
        values = (leaf_of_label, child_indptrs, label_order)
        for name, value in zip(cls.__slots__, values, strict=True):
            object.__setattr__(self, name, value)
        return self

    def __setattr__(self, name, value):
        """Refuse: a hierarchy is shared by the levels of a model."""
        raise AttributeError(f"LabelHierarchy is immutable; cannot set {name!r}.")

    def __delattr__(self, name):
        """Refuse, as `__setattr__`."""
        raise AttributeError(f"LabelHierarchy is immutable; cannot delete {name!r}.")

    def __reduce__(self):
        """Pickle by value; checks run again when loaded."""
        return type(self), (self.child_indptrs, self.label_order)

    def __copy__(self):
        """Return itself: nothing can change it."""
        return self

    def __deepcopy__(self, memo):
        """Return itself: a search over parameters clones it for each candidate."""
        return self

    def __eq__(self, other):
        """Whether both have the same nodes and the same labels in them."""
        if not isinstance(other, LabelHierarchy):
            return NotImplemented
        return self.level_sizes == other.level_sizes and all(
            np.array_equal(a, b)
            for a, b in zip(
                (*self.child_indptrs, self.label_order),
                (*other.child_indptrs, other.label_order),
                strict=True,
            )
        )

    def __hash__(self):
        """Hash of the arrays' bytes."""
        return hash(tuple(a.tobytes() for a in (*self.child_indptrs, self.label_order)))

    def __repr__(self):
        """Show the number of nodes of each level."""
        return f"LabelHierarchy(level_sizes={self.level_sizes})"

    n_labels = property(lambda self: len(self.label_order))
    n_levels = property(lambda self: len(self.child_indptrs))
    n_leaves = property(lambda self: len(self.child_indptrs[-1]) - 1)
    level_sizes = property(lambda self: tuple(int(p[-1]) for p in self.child_indptrs))
    leaf_of_label = property(lambda self: self._leaf_of_label)

    @classmethod
    def from_parents(cls, parents):
        """Make a hierarchy from the parent of each node.

        Nodes may come in any order; they are renumbered so that siblings are consecutive, in
        their given order, under parents in their given order.

        Parameters
        ----------
        parents : sequence of array-like of int
            For each level below the root, the parent of each of its nodes in the level above; all
            0 for the first level. The last array is over the labels.

        Returns
        -------
        LabelHierarchy

        Raises
        ------
        ValueError
            If a parent is out of range or a node has no child.
        """
        parents = [np.asarray(p) for p in parents]
        if not parents:
            raise ValueError("parents must have at least one level; got an empty sequence.")
        rank = np.zeros(1, dtype=np.int64)  # new number of each node of the level above
        indptrs = []
        for level, parent in enumerate(parents):
            if parent.ndim != 1 or parent.dtype.kind not in "iu":
                raise ValueError(
                    f"parents[{level}] must be a 1-D array of integers; got {parent.ndim}-D "
                    f"of dtype {parent.dtype}."
                )
            n_above = len(rank)
            if len(parent) and not (0 <= parent.min() and parent.max() < n_above):
                raise ValueError(
                    f"parents[{level}] must lie between 0 and {n_above - 1}, the nodes of the "
                    f"level above; got {parent.min()} to {parent.max()}."
                )
            above = rank[parent]
            counts = np.bincount(above, minlength=n_above)
            if np.any(counts == 0):
                raise ValueError(
                    f"parents[{level}] leaves {np.count_nonzero(counts == 0)} of {n_above} nodes "
                    "of the level above without a child; every node must have one."
                )
            order = np.argsort(above, kind="stable")
            rank = np.empty(len(order), dtype=np.int64)
            rank[order] = np.arange(len(order))
            indptrs.append(np.concatenate(([0], np.cumsum(counts))))
        return cls(indptrs, order)

    @classmethod
    def from_chain(cls, chain):
        """Make a hierarchy from cluster memberships.

        Parameters
        ----------
        chain : sequence of sparse matrices
            For each level below the root a matrix of shape (nodes, nodes of the level above) with
            one stored nonzero in each row: the node's parent. The first has one column; the rows
            of the last are the labels. Any sparse format; CSC is the field's custom.

        Returns
        -------
        LabelHierarchy

        Raises
        ------
        ValueError
            If a node has not exactly one parent, or shapes do not fit together.
        """
        parents = []
        n_above = 1
        for level, membership in enumerate(chain):
            parents.append(_parents_in(membership, f"chain[{level}]"))
            if membership.shape[1] != n_above:
                raise ValueError(
                    f"chain[{level}] must have {n_above} columns, the nodes of the level above; "
                    f"got {membership.shape[1]}."
                )
            n_above = membership.shape[0]
        return cls.from_parents(parents)

    @classmethod
    def from_memberships(cls, memberships):
        """Make a hierarchy of one level of clusters, as a clusterer leaves them in `labels_`.

        Parameters
        ----------
        memberships : array-like of int of shape (n_labels,) or sparse (n_labels, n_clusters)
            The cluster of each label, from 0 up, or one stored nonzero in each row: its column.

        Returns
        -------
        LabelHierarchy

        Raises
        ------
        ValueError
            If a label has not exactly one cluster, or a cluster has no label.

        Examples
        --------
        >>> from skxmr import LabelHierarchy
        >>> LabelHierarchy.from_memberships([0, 1, 1, 0, 2])
        LabelHierarchy(level_sizes=(3, 5))
        """
        if sp.issparse(memberships):
            clusters = _parents_in(memberships, "memberships")
            n_clusters = memberships.shape[1]
        else:
            clusters = _frozen(memberships, np.int32, "memberships")
            n_clusters = int(clusters.max(initial=-1)) + 1
            if clusters.min(initial=0) < 0:
                raise ValueError(
                    f"memberships must be at least 0, one cluster a label; got {clusters.min()}."
                )
        sizes = np.bincount(clusters, minlength=n_clusters)
        if n_clusters == 0 or np.any(sizes == 0):
            raise ValueError(
                "memberships must put a label in each cluster, numbered from 0; got "
                f"{np.count_nonzero(sizes == 0)} of {n_clusters} clusters without one, and "
                f"{len(clusters)} labels."
            )
        return cls.from_parents([np.zeros(n_clusters, dtype=np.int32), clusters])

    @classmethod
    def from_taxonomy(cls, names, *, sep="/"):
        """Make a hierarchy from the labels' own names in a taxonomy.

        Labels whose names begin with the same components lie below the same node. A label whose
        name ends early is carried down by a chain of only children, so that all labels get the same
        depth; a label that is itself a category of others gets such a chain below the category.

        Parameters
        ----------
        names : sequence of str
            Path of each label, as ``"science/physics/optics"``: one a label, in the order of the
            columns of `y`.
        sep : str, default="/"
            What stands between components.

        Returns
        -------
        LabelHierarchy

        Raises
        ------
        ValueError
            If a name is no string, has an empty component, or stands there twice.

        Examples
        --------
        >>> from skxmr import LabelHierarchy
        >>> tree = LabelHierarchy.from_taxonomy(["a/b/c", "a/b/d", "a", "e"])
        >>> tree
        LabelHierarchy(level_sizes=(2, 3, 4))
        >>> tree.leaf_of_label
        array([0, 0, 1, 2], dtype=int32)
        """
        return cls.from_parents(taxonomy_parents(names, sep))

    def to_parents(self):
        """Return the parent of each node by level, labels last: undoes `from_parents`.

        Returns
        -------
        list of ndarray
            One int32 array for each level; the last is `leaf_of_label`.
        """
        parents = [
            np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
            for indptr in self.child_indptrs[:-1]
        ]
        return [*parents, self.leaf_of_label.copy()]

    def to_chain(self):
        """Return the memberships as sparse matrices, parents in columns: undoes `from_chain`.

        Returns
        -------
        list of csc_array
            One float32 matrix of ones for each level, of shape (nodes, nodes of the level above).
        """
        n_above = (1, *self.level_sizes)
        return [
            sp.csr_array(
                (np.ones(len(p), dtype=np.float32), p, np.arange(len(p) + 1)),
                shape=(len(p), above),
            ).tocsc()
            for p, above in zip(self.to_parents(), n_above, strict=False)
        ]

    def node_targets(self, Y, weights=None):
        """Return which rows are positive for each node: a row is, if any label below the node is.

        Parameters
        ----------
        Y : csr_array of shape (n_samples, n_labels)
            Indicator in canonical form; only its pattern is read.
        weights : ndarray of float32, default=None
            A value for each entry of Y, to be summed over the labels below a node.

        Returns
        -------
        list of csc_array
            For each level below the root, of shape (n_samples, nodes): the last is the labels by
            their position in the tree. Indices rise. The values are the sums of weights; without
            these they mean nothing.
        """
        position = np.empty(self.n_labels, dtype=np.int32)
        position[self.label_order] = np.arange(self.n_labels, dtype=np.int32)
        nodes = position[Y.indices]
        targets = []
        for level in range(self.n_levels - 1, -1, -1):
            values = np.ones(len(nodes), dtype=np.int8) if weights is None else weights
            shape = (Y.shape[0], self.level_sizes[level])
            pattern = csr_of(Y.indptr, nodes, values, shape).tocsc()
            # Copies of a node inside a row stand side by side in its column: nothing is sorted.
            pattern.sum_duplicates()
            if weights is None:
                pattern.data[:] = 1  # sums of 8 bits wrap, at 256 to a stored zero
            targets.append(pattern)
            indptr = self.child_indptrs[level]
            parent = np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))
            nodes = parent[nodes]
        return targets[::-1]


def _parents_in(membership, name):
    # The column of the one nonzero in each row.
    if not sp.issparse(membership) or membership.ndim != 2:
        raise ValueError(f"{name} must be a 2-D sparse matrix; got {type(membership).__name__}.")
    C = sp.csr_array(membership, copy=True)
    C.sum_duplicates()
    C.eliminate_zeros()
    if np.any(np.diff(C.indptr) != 1):
        raise ValueError(f"{name} must have exactly one nonzero in each row: the node's parent.")
    return C.indices


def _frozen(values, dtype, name):
    values = np.asarray(values)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise ValueError(f"{name} must hold 1-D integers; got {values.ndim}-D {values.dtype}.")
    if values.size and values.max() > np.iinfo(dtype).max:
        raise ValueError(f"{name} must be at most {np.iinfo(dtype).max}; got {values.max()}.")
    values = np.array(values, dtype=dtype)
    values.flags.writeable = False
    return values
