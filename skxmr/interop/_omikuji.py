"""The models of omikuji: a JSON file of settings, and a CBOR file per tree."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from skxmr._core.validation import MAX_CHILDREN, MAX_FEATURES
from skxmr._linear import UNTRAINED_INTERCEPT
from skxmr.indexing import LabelHierarchy
from skxmr.interop._cbor import CborError, read_cbor
from skxmr.interop._files import (
    CERTAIN_MARGIN,
    check_file,
    check_folder,
    check_n_features,
    file_error,
    read_integer,
    read_json,
)
from skxmr.xr_linear import XRLinearClassifier

# omikuji's "Hinge" is the squared hinge.
TRANSFORMS = {"Hinge": "l2-hinge", "Log": "sigmoid"}
MAX_LABEL = 2**31 - 2


class _Node(NamedTuple):
    # A branch has children, and weights for them; a leaf has labels, and weights for them.
    W: sp.csc_array
    children: list
    labels: np.ndarray

    @property
    def is_leaf(self):
        return not self.children


def load_omikuji_model(folder):
    """Load a `Model` that omikuji saved. omikuji need not be installed.

    omikuji scales each row to unit length before it predicts. The classifier does not: use
    `sklearn.preprocessing.normalize`, or a `Normalizer` in a pipeline. Then the scores of a model
    with one tree differ from omikuji's by rounding only. With several trees, omikuji drops labels
    of a tree that are not among the ``beam_size`` best of their leaf, and the classifier averages
    the 100 best labels of each tree; so the last ones of a ranking may differ.

    omikuji's leaves may have different depths. Clusters with a single child, which have the score
    of their parent, extend the paths of higher leaves. Labels that had no training rows are in no
    leaf; here they are in the first leaf, with a score below all others. Such labels with numbers
    above those of all trained labels are missing.

    Parameters
    ----------
    folder : str or path-like
        Folder given to ``Model.save``; it contains ``settings.json`` and ``tree0.cbor``.

    Returns
    -------
    classifier : XRLinearClassifier
        The fitted classifier, with omikuji's default `beam_width` of 10. Labels are the columns of
        the indicator. It can be saved by `save_model`, but not updated.

    Raises
    ------
    ValueError
        If a file is missing, damaged or of another kind.

    See Also
    --------
    load_pecos_model : The same for PECOS.

    Examples
    --------
    >>> from sklearn.preprocessing import normalize
    >>> from skxmr.interop import load_omikuji_model
    >>> model = load_omikuji_model("model")  # doctest: +SKIP
    >>> model.predict_topk(normalize(X), k=5)  # doctest: +SKIP
    """
    path = check_folder(folder, "a model of omikuji")
    file = path / "settings.json"
    settings = read_json(file)
    n_features = read_integer(settings, "n_features", file, 1, MAX_FEATURES - 1)
    loss = settings.get("classifier_loss_type")
    if not isinstance(loss, str) or loss not in TRANSFORMS:
        raise file_error(
            file, f"have one of {list(TRANSFORMS)} as 'classifier_loss_type'", repr(loss)
        )
    files = sorted(path.glob("tree*.cbor"), key=lambda file: (len(file.name), file.name))
    if not files:
        raise file_error(path, "contain files tree0.cbor, tree1.cbor, ...", "none")
    roots = [_read_tree(file, n_features) for file in files]
    labels = [_labels_of(root, file) for root, file in zip(roots, files, strict=True)]
    n_weights = sum(_count_weights(root) for root in roots)
    check_n_features(n_features, n_weights, path)
    n_labels = max(int(numbers.max()) for numbers in labels) + 1
    trees = []
    for root, numbers, file in zip(roots, labels, files, strict=True):
        if n_labels > len(numbers) + MAX_CHILDREN:
            raise file_error(
                file, f"have at most {MAX_CHILDREN} labels without weights", n_labels - len(numbers)
            )
        trees.append(_make_levels(root, np.setdiff1d(np.arange(n_labels), numbers), n_features))
    hierarchies, weights, intercepts = zip(*trees, strict=True)
    try:
        return XRLinearClassifier.from_weights(
            list(hierarchies),
            list(weights),
            intercepts=list(intercepts),
            path_weight=1.0,
            score_transform=TRANSFORMS[loss],
        )
    except ValueError as error:
        raise file_error(
            folder, "contain a model that XRLinearClassifier can represent", error
        ) from None


def _read_tree(file, n_features):
    check_file(file)
    try:
        return _make_node(read_cbor(file.read_bytes()), n_features + 1)
    except CborError as error:
        raise file_error(file, "be a tree of omikuji in CBOR", error) from None


def _make_node(item, n_rows):
    kind, fields = _read_variant(item, {"Branch": {"children"}, "Leaf": {"labels"}}, {"weights"})
    if kind == "Leaf":
        labels = _read_indices(fields["labels"], MAX_LABEL + 1, "labels")
        n_children, children = len(labels), []
    else:
        if not isinstance(fields["children"], list):
            raise CborError("a branch whose children are not a list of nodes")
        children = [_make_node(child, n_rows) for child in fields["children"]]
        n_children, labels = len(children), np.empty(0, dtype=np.int64)
    if n_children == 0:
        raise CborError("a node without children or labels")
    return _Node(_read_weights(fields["weights"], (n_rows, n_children)), children, labels)


def _read_variant(item, kinds, shared=frozenset()):
    # A variant of an enum of Rust: a map of one entry, whose value is a map of its fields.
    if isinstance(item, dict) and len(item) == 1:
        [(kind, fields)] = item.items()
        if kind in kinds and isinstance(fields, dict) and fields.keys() == kinds[kind] | shared:
            return kind, fields
    expected = ", ".join(f"{kind} with {sorted(kinds[kind] | shared)}" for kind in kinds)
    raise CborError(f"something other than {expected}")


def _read_weights(item, shape):
    kind, fields = _read_variant(
        item,
        {
            "Dense": {"v", "dim", "data"},
            "Sparse": {"outer_dim", "inner_dim", "indptr", "outer_inds", "inner_inds", "data"},
        },
    )
    data = np.asarray(fields["data"], dtype=np.float64).ravel() if _is_array(fields["data"]) else []
    with np.errstate(over="ignore"):
        data = np.asarray(data, dtype=np.float32)
    if not np.isfinite(data).all():
        raise CborError("weights that are not finite")
    if kind == "Dense":
        dim = fields["dim"]
        found = tuple(dim.tolist()) if isinstance(dim, np.ndarray) else dim
        if found != shape or len(data) != shape[0] * shape[1]:
            raise CborError(f"weights of shape {found} instead of {shape}, {len(data)} numbers")
        return sp.csc_array(data.reshape(shape))
    found = (fields["outer_dim"], fields["inner_dim"])
    if found != shape:
        raise CborError(f"weights of shape {found} instead of {shape}")
    rows = _read_indices(fields["outer_inds"], shape[0], "outer_inds")
    columns = _read_indices(fields["inner_inds"], shape[1], "inner_inds")
    indptr = _read_indices(fields["indptr"], len(data) + 1, "indptr")
    counts = np.diff(indptr)
    if not (
        len(indptr) == len(rows) + 1
        and indptr[0] == 0
        and indptr[-1] == len(data) == len(columns)
        and np.all(counts >= 0)
    ):
        raise CborError("sparse weights whose arrays do not match")
    return sp.csc_array((data, (np.repeat(rows, counts), columns)), shape=shape)


def _is_array(values):
    # The reader returns an empty array as a list.
    return isinstance(values, np.ndarray) or values == []


def _read_indices(values, stop, name):
    if isinstance(values, list) and not values:
        return np.empty(0, dtype=np.int64)
    if not isinstance(values, np.ndarray) or values.dtype != np.int64 or values.max() >= stop:
        raise CborError(f"{name} that are not integers below {stop}")
    return values


def _leaves_of(root):
    nodes, leaves = [root], []
    while nodes:
        node = nodes.pop()
        nodes.extend(node.children)
        if node.is_leaf:
            leaves.append(node)
    return leaves


def _count_weights(root):
    return root.W.nnz + sum(map(_count_weights, root.children))


def _labels_of(root, file):
    labels = np.concatenate([leaf.labels for leaf in _leaves_of(root)])
    if len(np.unique(labels)) < len(labels):
        raise file_error(file, "contain each label once", "a label in several places")
    return labels


def _make_levels(root, missing, n_features):
    """Return the hierarchy of a tree, and the weights and intercepts of its levels."""
    parents, weights, intercepts = [], [], []
    nodes = [root]
    while not all(node.is_leaf for node in nodes):
        # A leaf that is higher than others becomes the only child of itself.
        parents.append(
            np.repeat(np.arange(len(nodes)), [len(node.children) or 1 for node in nodes])
        )
        blocks = [sp.csc_array((n_features + 1, 1)) if n.is_leaf else n.W for n in nodes]
        W = sp.hstack(blocks, format="csc")
        biases = W[[-1]].toarray()[0]
        is_copy = np.repeat([node.is_leaf for node in nodes], [b.shape[1] for b in blocks])
        # In a level, either all only children have the scores of their parents or none has.
        has_only_children = any(len(node.children) == 1 for node in nodes)
        biases[is_copy] = CERTAIN_MARGIN if has_only_children else np.inf
        weights.append(W[:-1])
        intercepts.append(biases)
        nodes = [child for node in nodes for child in (node.children or [node])]
    labels = np.concatenate([*(node.labels for node in nodes), missing])
    first_leaf = np.zeros(len(missing), dtype=np.int64)
    sizes = [len(node.labels) for node in nodes]
    column = np.argsort(labels)
    parents.append(np.concatenate([np.repeat(np.arange(len(nodes)), sizes), first_leaf])[column])
    no_weights = sp.csc_array((n_features + 1, len(missing)), dtype=np.float32)
    W = sp.hstack([*(node.W for node in nodes), no_weights], format="csc")[:, column]
    biases = W[[-1]].toarray()[0]
    biases[missing] = UNTRAINED_INTERCEPT
    weights.append(W[:-1])
    intercepts.append(biases)
    return LabelHierarchy.from_parents(parents), weights, intercepts
