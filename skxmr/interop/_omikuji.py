"""The models of omikuji: a JSON file of settings, and a CBOR file per tree."""

import numpy as np
import scipy.sparse as sp

from skxmr._core.validation import MAX_CHILDREN, MAX_FEATURES
from skxmr._linear import UNTRAINED_INTERCEPT
from skxmr.interop._cbor import CborError, read_cbor
from skxmr.interop._files import (
    check_file,
    check_folder,
    check_n_features,
    file_error,
    read_integer,
    read_json,
)
from skxmr.interop._flat_tree import FlatTree, make_classifier, make_levels

# omikuji's "Hinge" is the squared hinge.
TRANSFORMS = {"Hinge": "l2-hinge", "Log": "sigmoid"}
KINDS = {"Branch": {"children"}, "Leaf": {"labels"}}
MAX_LABEL = 2**31 - 2


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
    trees = [_read_tree(file, n_features) for file in files]
    check_n_features(n_features, sum(tree.W.nnz for tree in trees), path)
    n_labels = max(int(tree.labels.max()) for tree in trees) + 1
    for tree, file in zip(trees, files, strict=True):
        n_untrained = n_labels - np.count_nonzero(tree.labels >= 0)
        if n_untrained > MAX_CHILDREN:
            raise file_error(
                file, f"have at most {MAX_CHILDREN} labels without weights", n_untrained
            )
    levels = [_make_levels(*tree, n_labels) for tree in zip(trees, files, strict=True)]
    return make_classifier(folder, levels, score_transform=TRANSFORMS[loss])


def _read_tree(file, n_features):
    check_file(file)
    try:
        return _flatten(read_cbor(file.read_bytes()), n_features + 1)
    except CborError as error:
        raise file_error(file, "be a tree of omikuji in CBOR", error) from None


def _flatten(root, n_rows):
    """Return a tree of nested nodes as a `FlatTree`; `n_rows` counts the features and the bias."""
    parents, labels = [-1], [np.array([-1])]
    blocks = [sp.csc_array((n_rows, 1), dtype=np.float32)]  # of the root, which has no model
    queue = [(root, 0)]
    for item, number in queue:
        kind, fields = _read_variant(item, KINDS, {"weights"})
        if kind == "Leaf":
            children = _read_indices(fields["labels"], MAX_LABEL + 1, "labels")
            labels.append(children)
        else:
            children = fields["children"]
            if not isinstance(children, list):
                raise CborError("a branch whose children are not a list of nodes")
            queue.extend((child, len(parents) + i) for i, child in enumerate(children))
            labels.append(np.full(len(children), -1))
        if not len(children):
            raise CborError("a node without children or labels")
        parents.extend([number] * len(children))
        blocks.append(_read_weights(fields["weights"], (n_rows, len(children))))
    labels = np.concatenate(labels)
    numbers = labels[labels >= 0]
    if len(np.unique(numbers)) < len(numbers):
        raise CborError("a label in several places")
    W = sp.hstack(blocks, format="csc")
    return FlatTree(np.array(parents), labels, W[:-1], W[-1:].toarray()[0])


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
    if not _is_array(fields["data"]):
        raise CborError("weights that are not numbers")
    with np.errstate(over="ignore"):
        data = np.asarray(fields["data"], dtype=np.float32)
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


def _make_levels(tree, file, n_labels):
    missing = np.setdiff1d(np.arange(n_labels), tree.labels)
    first_leaf = tree.parents[tree.labels >= 0][0]
    no_weights = sp.csc_array((tree.W.shape[0], len(missing)), dtype=np.float32)
    complete = FlatTree(
        np.append(tree.parents, np.full(len(missing), first_leaf)),
        np.append(tree.labels, missing),
        sp.hstack([tree.W, no_weights], format="csc"),
        np.append(tree.intercepts, np.full(len(missing), np.float32(UNTRAINED_INTERCEPT))),
    )
    try:
        return make_levels(complete)
    except ValueError as error:
        raise file_error(file, "be a tree of omikuji", error) from None
