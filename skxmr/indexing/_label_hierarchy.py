"""The tree of label clusters as arrays: immutable, compared by value."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.arrays import csr_of, nonzero_pattern
from skxmr._core.target_containers import read_label_matrix


class LabelHierarchy:
    """Tree of label clusters in which all leaf clusters have the same depth.

    The root is a single cluster. The levels below it are levels of clusters; the last level is the
    labels. Nodes of a level are numbered so that the children of a cluster are consecutive. The
    labels of the last level are therefore in the order `label_order`.

    `HierarchicalLabelTree` builds such a tree from label features. The methods `from_chain`,
    `from_parents`, `from_memberships` and `from_taxonomy` create it from an existing tree.
    Instances are immutable, hashable and picklable, and are compared by value.

    Parameters
    ----------
    child_indptrs : sequence of array-like of shape (n_parents + 1,)
        One array per level, from the root's children down to the labels. The children of node
        ``i`` of the level above are the nodes ``child_indptr[i]`` to ``child_indptr[i + 1] - 1``.
        Every node has at least one child.
    label_order : array-like of shape (n_labels,)
        Permutation of the labels: the label at each position of the last level. The order within a
        leaf cluster has no meaning; labels are sorted there.

    Attributes
    ----------
    n_labels : int
        Number of labels.
    n_levels : int
        Number of levels below the root, including the labels. A model trained on this tree has one
        set of linear models per level.
    n_leaves : int
        Number of leaf clusters, whose children are labels.
    level_sizes : tuple of int
        Number of nodes of each level below the root. The last is `n_labels`.
    label_order : ndarray of shape (n_labels,), int32
        Label at each position of the last level; read-only.
    leaf_of_label : ndarray of shape (n_labels,), int32
        Leaf cluster of each label; read-only.
    child_indptrs : tuple of ndarray, int64
        Ranges of children, one array per level; read-only.

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

    __slots__ = ("_leaf_of_label", "child_indptrs", "label_order")

    def __init__(self, child_indptrs, label_order):
        indptrs = tuple(
            _read_only_integers(indptr, np.int64, f"child_indptrs[{level}]")
            for level, indptr in enumerate(child_indptrs)
        )
        order = _read_only_integers(label_order, np.int32, "label_order")
        n_nodes = 1
        for level, indptr in enumerate(indptrs):
            if len(indptr) != n_nodes + 1 or indptr[0] != 0 or np.any(np.diff(indptr) < 1):
                raise ValueError(
                    f"child_indptrs[{level}] must have {n_nodes + 1} entries, start at 0 and "
                    "increase by at least 1 per entry, so that every node of the level above has "
                    f"a child; got {_shorten(indptr)}."
                )
            n_nodes = int(indptr[-1])
        if not indptrs:
            raise ValueError(
                "child_indptrs must contain at least one level; got an empty sequence."
            )
        if len(order) != n_nodes or not np.array_equal(np.sort(order), np.arange(n_nodes)):
            raise ValueError(
                f"label_order must be a permutation of 0 to {n_nodes - 1}, because child_indptrs "
                f"describe {n_nodes} labels; got {_shorten(order)}."
            )
        leaf_of_label = np.empty(n_nodes, dtype=np.int32)
        leaf_of_label[order] = _parents_of_level(indptrs[-1])
        leaf_of_label.flags.writeable = False
        # Labels are sorted within a leaf, so that equal trees have equal arrays.
        order = np.argsort(leaf_of_label, kind="stable").astype(np.int32)
        order.flags.writeable = False
        self._set_arrays(indptrs, order, leaf_of_label)

    @classmethod
    def _from_checked_arrays(cls, child_indptrs, label_order, leaf_of_label):
        """Create a hierarchy without checks, from read-only arrays of another hierarchy.

        The checks read all labels, which takes time when a large model file is loaded.
        """
        self = object.__new__(cls)
        self._set_arrays(child_indptrs, label_order, leaf_of_label)
        return self

    def _set_arrays(self, child_indptrs, label_order, leaf_of_label):
        object.__setattr__(self, "child_indptrs", child_indptrs)
        object.__setattr__(self, "label_order", label_order)
        object.__setattr__(self, "_leaf_of_label", leaf_of_label)

    def __setattr__(self, name, value):
        """Raise an AttributeError: the levels of a model share one hierarchy."""
        raise AttributeError(f"LabelHierarchy is immutable; cannot set {name!r}.")

    def __delattr__(self, name):
        """Raise an AttributeError: the levels of a model share one hierarchy."""
        raise AttributeError(f"LabelHierarchy is immutable; cannot delete {name!r}.")

    def __reduce__(self):
        """Pickle the arrays; loading runs the checks again."""
        return type(self), (self.child_indptrs, self.label_order)

    def __copy__(self):
        """Return self, which cannot change."""
        return self

    def __deepcopy__(self, memo):
        """Return self: parameter searches clone the hierarchy for each candidate."""
        return self

    def __eq__(self, other):
        """Return whether both have the same nodes with the same labels."""
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
        """Return a hash of the arrays' bytes."""
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
        """Create a hierarchy from the parent of each node.

        Nodes may have any order. They are renumbered so that siblings are consecutive. Siblings
        keep their order, and so do parents.

        Parameters
        ----------
        parents : sequence of array-like of int
            One array per level below the root: the parent of each node, as a number of the level
            above. The first array is all 0. The last array contains the parent of each label.

        Returns
        -------
        LabelHierarchy

        Raises
        ------
        ValueError
            If a parent is out of range or a node has no child.

        Examples
        --------
        >>> from skxmr import LabelHierarchy
        >>> tree = LabelHierarchy.from_parents([[0, 0], [1, 0, 1]])
        >>> tree.level_sizes
        (2, 3)
        """
        return order_nodes(parents).hierarchy

    @classmethod
    def from_chain(cls, chain):
        """Create a hierarchy from one matrix of cluster memberships per level.

        This is the format of trees in PECOS.

        Parameters
        ----------
        chain : sequence of sparse matrices
            One matrix per level below the root, of shape (n_nodes, n_nodes_of_the_level_above).
            Each row has one nonzero, in the column of the node's parent. The first matrix has one
            column. The rows of the last matrix are the labels. Any sparse format is accepted; CSC
            is usual.

        Returns
        -------
        LabelHierarchy

        Raises
        ------
        ValueError
            If a node does not have exactly one parent, or if the shapes do not match.

        Examples
        --------
        >>> import scipy.sparse as sp
        >>> from skxmr import LabelHierarchy
        >>> chain = [sp.csc_array([[1], [1]]), sp.csc_array([[0, 1], [1, 0], [0, 1]])]
        >>> LabelHierarchy.from_chain(chain).leaf_of_label
        array([1, 0, 1], dtype=int32)
        """
        return cls.from_parents(parents_of_chain(chain))

    @classmethod
    def from_memberships(cls, memberships):
        """Create a hierarchy with one level of clusters, for example from a clusterer's `labels_`.

        Parameters
        ----------
        memberships : array-like of int of shape (n_labels,) or sparse (n_labels, n_clusters)
            Cluster of each label, numbered from 0; or a sparse matrix with one nonzero per row, in
            the column of the cluster.

        Returns
        -------
        LabelHierarchy

        Raises
        ------
        ValueError
            If a label does not have exactly one cluster, or if a cluster has no label.

        Examples
        --------
        >>> from skxmr import LabelHierarchy
        >>> LabelHierarchy.from_memberships([0, 1, 1, 0, 2])
        LabelHierarchy(level_sizes=(3, 5))
        """
        if sp.issparse(memberships):
            clusters = _read_parents(memberships, "memberships")
            n_clusters = memberships.shape[1]
        else:
            clusters = _read_only_integers(memberships, np.int32, "memberships")
            n_clusters = int(clusters.max(initial=-1)) + 1
            if clusters.min(initial=0) < 0:
                raise ValueError(
                    f"memberships must be at least 0, one cluster per label; got {clusters.min()}."
                )
        sizes = np.bincount(clusters, minlength=n_clusters)
        if n_clusters == 0 or np.any(sizes == 0):
            raise ValueError(
                "memberships must contain at least one label per cluster, with clusters numbered "
                f"from 0; got {np.count_nonzero(sizes == 0)} of {n_clusters} clusters without a "
                f"label, and {len(clusters)} labels."
            )
        return cls.from_parents([np.zeros(n_clusters, dtype=np.int32), clusters])

    @classmethod
    def from_taxonomy(cls, names, *, sep="/"):
        """Create a hierarchy from the names of labels in a taxonomy.

        Labels whose names start with the same components are below the same node. All labels get
        the same depth: a label with a shorter name is extended by a chain of single-child clusters.
        A label that is also a category of other labels gets such a chain below its category.

        Parameters
        ----------
        names : sequence of str
            Path of each label, such as ``"science/physics/optics"``, in the order of the columns of
            `y`.
        sep : str, default="/"
            Separator of the components of a path.

        Returns
        -------
        LabelHierarchy

        Raises
        ------
        ValueError
            If a name is not a string, has an empty component, or occurs twice.

        Examples
        --------
        >>> from skxmr import LabelHierarchy
        >>> tree = LabelHierarchy.from_taxonomy(["a/b/c", "a/b/d", "a", "e"])
        >>> tree
        LabelHierarchy(level_sizes=(2, 3, 4))
        >>> tree.leaf_of_label
        array([0, 0, 1, 2], dtype=int32)
        """
        paths = _split_taxonomy_names(names, sep)
        parents = []
        node_above = np.zeros(len(paths), dtype=np.int64)  # of each label, in the level above
        for depth in range(max(map(len, paths)) - 1):
            # A node is identified by its parent and its component. After the end of a path the
            # component is None, which differs from all names: the label gets its own chain.
            numbers = {}
            node = [
                numbers.setdefault(
                    (above, path[depth] if depth < len(path) else None), len(numbers)
                )
                for above, path in zip(node_above.tolist(), paths, strict=True)
            ]
            parents.append(np.array([above for above, _ in numbers], dtype=np.int64))
            node_above = np.array(node, dtype=np.int64)
        return cls.from_parents([*parents, node_above])

    def to_parents(self):
        """Return the parent of each node, level by level: the inverse of `from_parents`.

        Returns
        -------
        list of ndarray, int32
            One array per level below the root. The last is `leaf_of_label`.

        Examples
        --------
        >>> from skxmr import LabelHierarchy
        >>> LabelHierarchy.from_memberships([0, 1, 0]).to_parents()
        [array([0, 0], dtype=int32), array([0, 1, 0], dtype=int32)]
        """
        parents = [_parents_of_level(indptr) for indptr in self.child_indptrs[:-1]]
        return [*parents, self.leaf_of_label.copy()]

    def to_chain(self):
        """Return the memberships as sparse matrices: the inverse of `from_chain`.

        Returns
        -------
        list of csc_array of shape (n_nodes, n_nodes_of_the_level_above), float32
            One matrix per level below the root, with a 1 in the column of each node's parent.

        Examples
        --------
        >>> from skxmr import LabelHierarchy
        >>> LabelHierarchy.from_memberships([0, 1, 0]).to_chain()[-1].toarray()
        array([[1., 0.],
               [0., 1.],
               [1., 0.]], dtype=float32)
        """
        n_above = (1, *self.level_sizes)
        return [
            sp.csr_array(
                (np.ones(len(parent), dtype=np.float32), parent, np.arange(len(parent) + 1)),
                shape=(len(parent), n_columns),
            ).tocsc()
            for parent, n_columns in zip(self.to_parents(), n_above, strict=False)
        ]

    def node_targets(self, Y, weights=None):
        """Return the positive rows of each node: rows with at least one label below the node.

        Parameters
        ----------
        Y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicator: all nonzero entries are positive.
        weights : ndarray of float32, default=None
            Weight of each nonzero entry of Y, row by row, with labels in increasing order. The
            weights of a row are summed over the labels below a node.

        Returns
        -------
        list of csc_array of shape (n_samples, n_nodes)
            One matrix per level below the root, with sorted indices. The columns of the last matrix
            are the labels in tree order. The values are the sums of `weights`, or 1 if `weights` is
            None.

        Raises
        ------
        ValueError
            If Y does not have one column per label, or `weights` not one value per nonzero entry.

        Examples
        --------
        >>> import scipy.sparse as sp
        >>> from skxmr import LabelHierarchy
        >>> tree = LabelHierarchy.from_memberships([0, 1, 0])
        >>> clusters, labels = tree.node_targets(sp.csr_array([[1, 0, 1], [0, 1, 0]]))
        >>> clusters.toarray()
        array([[1, 0],
               [0, 1]], dtype=int8)
        """
        Y = nonzero_pattern(read_label_matrix(Y, "Y"), "csr")
        if Y.shape[1] != self.n_labels:
            raise ValueError(
                f"Y must have {self.n_labels} columns, one per label; got {Y.shape[1]}."
            )
        if weights is not None and len(weights) != Y.nnz:
            raise ValueError(
                f"weights must have {Y.nnz} values, one per nonzero entry of Y; got {len(weights)}."
            )
        position = np.empty(self.n_labels, dtype=np.int32)
        position[self.label_order] = np.arange(self.n_labels, dtype=np.int32)
        nodes = position[Y.indices]
        targets = []
        for level in range(self.n_levels - 1, -1, -1):
            values = np.ones(len(nodes), dtype=np.int8) if weights is None else weights
            shape = (Y.shape[0], self.level_sizes[level])
            target = csr_of(Y.indptr, nodes, values, shape).tocsc()
            # Duplicates of a row are adjacent in its column, so this does not sort.
            target.sum_duplicates()
            if weights is None:
                # sum_duplicates adds in int8. The sum can overflow, even to 0, but the entry stays.
                target.data[:] = 1
            targets.append(target)
            nodes = _parents_of_level(self.child_indptrs[level])[nodes]
        return targets[::-1]


class NodeOrder(NamedTuple):
    """A hierarchy, and the numbers that its nodes had before.

    Attributes
    ----------
    hierarchy : LabelHierarchy
        The tree, in which siblings are consecutive.
    old_numbers : list of ndarray
        For each level, the old number of each node. That of the last level is `label_order`.
    """

    hierarchy: LabelHierarchy
    old_numbers: list


def order_nodes(parents):
    """Renumber nodes so that siblings are consecutive; see `LabelHierarchy.from_parents`.

    Weights of the nodes in the old order become weights in the new order by
    ``W[:, old_numbers[level]]``.

    Returns
    -------
    NodeOrder
    """
    parents = [np.asarray(parent) for parent in parents]
    if not parents:
        raise ValueError("parents must contain at least one level; got an empty sequence.")
    new_number = np.zeros(1, dtype=np.int64)  # of each node of the level above
    indptrs, orders = [], []
    for level, parent in enumerate(parents):
        name = f"parents[{level}]"
        _check_integers(parent, name)
        n_above = len(new_number)
        if len(parent) and not (0 <= parent.min() and parent.max() < n_above):
            raise ValueError(
                f"{name} must be between 0 and {n_above - 1}, the nodes of the level above; "
                f"got {parent.min()} to {parent.max()}."
            )
        new_parent = new_number[parent]
        n_children = np.bincount(new_parent, minlength=n_above)
        if np.any(n_children == 0):
            raise ValueError(
                f"{name} must contain each node of the level above; got "
                f"{np.count_nonzero(n_children == 0)} of {n_above} nodes without a child."
            )
        order = np.argsort(new_parent, kind="stable")
        new_number = np.empty(len(order), dtype=np.int64)
        new_number[order] = np.arange(len(order))
        indptrs.append(np.concatenate(([0], np.cumsum(n_children))))
        orders.append(order)
    return NodeOrder(LabelHierarchy(indptrs, order), orders)


def parents_of_chain(chain):
    """Return the parent of each node, level by level; see `LabelHierarchy.from_chain`."""
    parents = []
    n_above = 1
    for level, membership in enumerate(chain):
        parents.append(_read_parents(membership, f"chain[{level}]"))
        if membership.shape[1] != n_above:
            raise ValueError(
                f"chain[{level}] must have {n_above} columns, one per node of the level above; "
                f"got {membership.shape[1]}."
            )
        n_above = membership.shape[0]
    return parents


def _parents_of_level(indptr):
    """Return the parent of each node of a level from the ranges of children."""
    return np.repeat(np.arange(len(indptr) - 1, dtype=np.int32), np.diff(indptr))


def _read_parents(membership, name):
    """Return the column of the single nonzero of each row."""
    if not sp.issparse(membership) or membership.ndim != 2:
        raise ValueError(f"{name} must be a 2-D sparse matrix; got {type(membership).__name__}.")
    C = sp.csr_array(membership, copy=True)
    C.sum_duplicates()
    C.eliminate_zeros()
    counts = np.diff(C.indptr)
    if np.any(counts != 1):
        row = int(np.flatnonzero(counts != 1)[0])
        raise ValueError(
            f"{name} must have exactly one nonzero per row, the parent of the node; got "
            f"{counts[row]} in row {row}."
        )
    return C.indices


def _split_taxonomy_names(names, sep):
    """Check the names of labels and return their components."""
    if not isinstance(sep, str) or not sep:
        raise ValueError(f"sep must be a string of at least one character; got {sep!r}.")
    if isinstance(names, str):
        raise ValueError(f"names must be a sequence of strings, one per label; got {names!r}.")
    paths = []
    label_of_name = {}
    for label, name in enumerate(names):
        if not isinstance(name, str):
            raise ValueError(f"names[{label}] must be a string; got {name!r}.")
        path = name.split(sep)
        if not all(path):
            raise ValueError(
                f"names[{label}] must not have an empty component between {sep!r}; got {name!r}."
            )
        first = label_of_name.setdefault(name, label)
        if first != label:
            raise ValueError(
                f"names must be unique; got {name!r} as names[{first}] and names[{label}]."
            )
        paths.append(path)
    if not paths:
        raise ValueError("names must contain at least one label; got an empty sequence.")
    return paths


def _check_integers(values, name):
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be a 1-D array of integers; got a {values.ndim}-D array of dtype "
            f"{values.dtype}."
        )


def _read_only_integers(values, dtype, name):
    """Return a read-only copy of 1-D integers that fit into a dtype."""
    values = np.asarray(values)
    _check_integers(values, name)
    if values.size and values.max() > np.iinfo(dtype).max:
        raise ValueError(f"{name} must be at most {np.iinfo(dtype).max}; got {values.max()}.")
    values = np.array(values, dtype=dtype)
    values.flags.writeable = False
    return values


def _shorten(values):
    """Return an array as a short text for error messages."""
    return np.array2string(values, threshold=10, separator=", ")
