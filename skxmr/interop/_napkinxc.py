"""The models of napkinXC's `PLT`: binary files of the parameters, the tree and the weights."""

import struct
from numbers import Integral
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import log_expit

from skxmr._core.validation import MAX_FEATURES
from skxmr.interop._files import check_file, check_folder, check_n_features, file_error
from skxmr.interop._flat_tree import CERTAIN_MARGIN, FlatTree, make_classifier, make_levels

PLT = 3  # number of the model type
SQUARED_HINGE = 1  # number of the loss; 0, 2 and 3 are variants of the logistic loss
LOSSES = (0, 1, 2, 3)
# Margin of a node whose training rows were all positive or all negative.
DUMMY_MARGIN = 10.0
BOTH = 2
MAX_NAME = 100
MAX_MEMBERS = 1000
# Indices of napkinXC: 0 is unused, 1 is the bias, and 2 is the first feature.
BIAS, FIRST_FEATURE = 1, 2


class _FormatError(ValueError):
    """The bytes do not have the format."""


class _Params(NamedTuple):
    bias: float
    n_members: int


class _Nodes(NamedTuple):
    # Weights by index and node, the loss of each node, and the classes of its training rows: 0 or 1
    # if they were all negative or positive, so that there are no weights; otherwise BOTH.
    W: sp.csc_array
    losses: np.ndarray
    classes: np.ndarray


def load_napkinxc_model(folder, n_features=None):
    """Load a `PLT` that napkinXC saved. napkinXC need not be installed.

    Unless a model was trained with ``norm=False``, napkinXC scales each row to unit length before
    it predicts. The classifier does not: use `sklearn.preprocessing.normalize`, or a `Normalizer`
    in a pipeline. Then the scores of a model with one tree differ from napkinXC's by rounding only.
    With ``ensemble``, napkinXC averages the ``top_k`` best labels of each tree, and the classifier
    the 100 best; so the last ones of a ranking may differ.

    The root of napkinXC's tree has a model, too; it is the only node of the first level. Leaves may
    have different depths. Clusters with a single child, which have the score of their parent,
    extend the paths of higher leaves.

    Parameters
    ----------
    folder : str or path-like
        Folder given to the constructor of ``PLT``; it contains ``args.bin``, ``tree.bin`` and
        ``weights.bin``.
    n_features : int or None, default=None
        Number of columns of `X`, which napkinXC does not save. None uses the last feature that has
        a weight.

    Returns
    -------
    classifier : XRLinearClassifier
        The fitted classifier, with napkinXC's default, an exact search (``beam_width=None``).
        Labels are the columns of the indicator. It can be saved by `save_model`, but not updated.

    Raises
    ------
    ValueError
        If a file is missing, damaged or of another kind; or if `XRLinearClassifier` has no
        equivalent: other models than ``PLT``, and the parameters ``hash`` and
        ``features_threshold``.

    See Also
    --------
    load_pecos_model : The same for PECOS.

    Examples
    --------
    >>> from sklearn.preprocessing import normalize
    >>> from skxmr.interop import load_napkinxc_model
    >>> model = load_napkinxc_model("model")  # doctest: +SKIP
    >>> model.predict_topk(normalize(X), k=5)  # doctest: +SKIP
    """
    path = check_folder(folder, "a model of napkinXC")
    params = _read(path / "args.bin", _read_params)
    folders = [path]
    if params.n_members > 1:
        folders = [path / f"member_{member}" for member in range(params.n_members)]
    read = [_read_member(member, params.bias) for member in folders]
    names = {name for _, name in read}
    if len(names) > 1:
        raise file_error(folder, "have equal losses in all trees", sorted(names))
    n_weighted = max(tree.W.shape[0] for tree, _ in read)
    if n_features is None:
        n_features = n_weighted
    elif not isinstance(n_features, Integral) or not n_weighted <= n_features <= MAX_FEATURES:
        raise ValueError(
            f"n_features must be None or an integer from {n_weighted}, the last feature with a "
            f"weight, to {MAX_FEATURES}; got {n_features!r}."
        )
    trees = []
    for member, (tree, _) in zip(folders, read, strict=True):
        tree.W.resize(n_features, tree.W.shape[1])
        try:
            trees.append(make_levels(tree))
        except ValueError as error:
            raise file_error(member / "tree.bin", "be a tree of napkinXC", error) from None
    return make_classifier(folder, trees, score_transform=names.pop(), beam_width=None)


def _read_member(folder, bias):
    """Return the tree of a folder as a `FlatTree`, and the name of its score transform."""
    parents, labels = _read(folder / "tree.bin", _read_tree)
    file = folder / "weights.bin"
    nodes = _read(file, _read_weights)
    if nodes.W.shape[1] != len(parents) - 1:
        raise file_error(
            file, f"have weights of {len(parents) - 1} nodes, as tree.bin", nodes.W.shape[1]
        )
    name, margins = _find_transform(nodes, file)
    W = nodes.W[FIRST_FEATURE:]
    check_n_features(W.shape[0], W.nnz, file)
    with np.errstate(over="ignore"):
        intercepts = margins + nodes.W[BIAS : BIAS + 1].toarray()[0] * np.float32(bias)
    root = sp.csc_array((W.shape[0], 1), dtype=np.float32)
    W = sp.hstack([root, W], format="csc")
    return FlatTree(parents, labels, W, np.append(np.float32(0), intercepts)), name


def _read(file, read):
    check_file(file)
    content = file.read_bytes()
    try:
        result, at = read(content)
    except (_FormatError, struct.error) as error:
        raise file_error(file, "be a file of napkinXC 0.7", error) from None
    if at != len(content):
        raise file_error(file, "be a file of napkinXC 0.7", f"{len(content) - at} bytes too many")
    return result


def _read_params(content):
    at = _skip_text(content, 0)  # the version
    bias, _, n_hashes, threshold, kind = struct.unpack_from("<f?ifi", content, at)
    at = _skip_text(content, at + 17)  # the name of the kind
    (n_members,) = struct.unpack_from("<i", content, at)
    if kind != PLT:
        raise _FormatError(f"a model other than PLT (type {kind})")
    if n_hashes or threshold:
        raise _FormatError(
            f"hash={n_hashes} and features_threshold={threshold}, which have no equivalent"
        )
    if not (np.isfinite(bias) and n_members <= MAX_MEMBERS):
        raise _FormatError(f"bias={bias} and ensemble={n_members}")
    return _Params(bias, n_members), at + 4


def _skip_text(content, at):
    (length,) = struct.unpack_from("<Q", content, at)
    if length > MAX_NAME:
        raise _FormatError(f"a text of {length} bytes")
    return at + 8 + length


def _read_tree(content):
    # A node above the root is added, because the root of a `FlatTree` has no model.
    n_labels, n_nodes = struct.unpack_from("<ii", content, 0)
    if not 0 < n_labels <= n_nodes or len(content) != 8 + 12 * n_nodes + 4:
        raise _FormatError(f"{n_labels} labels and {n_nodes} nodes in {len(content)} bytes")
    pairs = np.frombuffer(content, "<i4", 2 * n_nodes, 8).reshape(n_nodes, 2).astype(np.int64)
    (root,) = struct.unpack_from("<i", content, 8 + 8 * n_nodes)
    parents = np.frombuffer(content, "<i4", n_nodes, 12 + 8 * n_nodes).astype(np.int64)
    if not np.array_equal(pairs[:, 0], np.arange(n_nodes)) or pairs[:, 1].min() < -1:
        raise _FormatError("nodes that are not numbered from 0 on, or labels below -1")
    if np.flatnonzero(parents < 0).tolist() != [root]:
        raise _FormatError("several roots, or none")
    parents[root] = -1
    return (np.append([-1], parents + 1), np.append([-1], pairs[:, 1])), len(content)


def _read_weights(content):
    (n_nodes,) = struct.unpack_from("<i", content, 0)
    at = 4
    if not 0 < n_nodes <= len(content) // 12:  # a node takes at least 12 bytes
        raise _FormatError(f"{n_nodes} nodes in {len(content)} bytes")
    losses, classes = np.zeros((2, n_nodes), dtype=np.int64)
    indices, weights = [], []
    for node in range(n_nodes):
        n_classes, first_class, losses[node] = struct.unpack_from("<iii", content, at)
        at += 12
        if not 0 <= n_classes <= 2 or first_class not in (0, 1) or losses[node] not in LOSSES:
            raise _FormatError(
                f"{n_classes} classes, first class {first_class}, loss {losses[node]}"
            )
        classes[node] = BOTH if n_classes == 2 else first_class
        if n_classes < 2:
            indices.append(np.empty(0, dtype=np.int32))
            weights.append(np.empty(0, dtype=np.float32))
            continue
        index, values, at = _read_vector(content, at + 16)
        indices.append(index)
        weights.append(values if first_class == 1 else -values)
        (has_gradients,) = struct.unpack_from("<?", content, at)
        at += 1
        if has_gradients:
            at = _read_vector(content, at)[-1]
    indptr = np.concatenate([[0], np.cumsum([len(index) for index in indices])])
    indices = np.concatenate(indices)
    # The sizes of vectors have no meaning: that of a sparse vector ends at its last number, and
    # that of a dense vector depends on the solver.
    size = max(indices.max(initial=0), FIRST_FEATURE) + 1
    W = sp.csc_array((np.concatenate(weights), indices, indptr), shape=(size, n_nodes))
    W.sum_duplicates()
    return _Nodes(W, losses, classes), at


def _read_vector(content, at):
    """Return the indices and values of a vector, and the position after it."""
    size, n_nonzero, is_sparse = struct.unpack_from("<QQ?", content, at)
    at += 17
    dtype = np.dtype([("index", "<i4"), ("value", "<f4")]) if is_sparse else np.dtype("<f4")
    count = n_nonzero if is_sparse else size
    if count * dtype.itemsize > len(content) - at:
        raise _FormatError(f"{count} numbers at {at}, beyond the end")
    values = np.frombuffer(content, dtype, count, at)
    at += count * dtype.itemsize
    if is_sparse:
        index, values = values["index"].astype(np.int32), values["value"].astype(np.float32)
    else:
        index = np.flatnonzero(values).astype(np.int32)
        values = values[index].astype(np.float32)
    if len(index) and not 0 <= index.min() <= index.max() < MAX_FEATURES:
        raise _FormatError(f"indices that are not from 0 to {MAX_FEATURES - 1}")
    if not np.isfinite(values).all():
        raise _FormatError("weights that are not finite")
    return index, values, at


def _find_transform(nodes, file):
    """Return the score transform, and the margins of nodes without weights (0 for others)."""
    has_hinge = nodes.losses == SQUARED_HINGE
    is_trained = nodes.classes == BOTH
    if np.any(has_hinge[is_trained]) and not np.all(has_hinge[is_trained]):
        raise file_error(file, "have nodes with equal losses", "several")
    # Untrained nodes have a constant margin, and may have another loss than the others.
    values = np.where(nodes.classes == 1, DUMMY_MARGIN, -DUMMY_MARGIN)
    logs = np.where(has_hinge, -(np.maximum(0, 1 - values) ** 2), log_expit(values))
    if np.any(has_hinge[is_trained]):
        name, margins = "l2-hinge", 1 - np.sqrt(-logs)
    else:
        name = "sigmoid"
        with np.errstate(divide="ignore"):
            margins = np.minimum(logs - np.log(-np.expm1(logs)), CERTAIN_MARGIN)
    return name, np.where(is_trained, 0, margins).astype(np.float32)
