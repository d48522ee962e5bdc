"""The models of PECOS's `XLinearModel`."""

import json
import os
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from skxmr._core.files import replace_path, write_synced
from skxmr._core.levels import expand_to_levels
from skxmr._core.score_rule import TRANSFORMS
from skxmr._core.validation import MAX_FEATURES
from skxmr.indexing import order_nodes, parents_of_chain
from skxmr.interop._files import (
    check_folder,
    check_n_features,
    file_error,
    read_integer,
    read_json,
    read_number,
    read_sparse,
)
from skxmr.interop._flat_tree import CERTAIN_MARGIN, MAX_LEVELS, LeveledTree, make_classifier
from skxmr.xr_linear import XRLinearClassifier

# Post-processors of old files.
OLD_NAMES = {True: "l3-hinge", False: "noop", None: "noop"}
# PECOS's own value for the number of labels that `predict` returns.
DEFAULT_TOPK = 20


def load_pecos_model(folder):
    """Load an `XLinearModel` that PECOS saved. PECOS need not be installed.

    The classifier has the tree, the weights and the prediction parameters of the file:
    `score_transform` is the post-processor, `beam_width` the largest ``only_topk`` of the levels of
    clusters, and `path_weight` is 1. Scores differ from those of PECOS by rounding only. Labels are
    the columns of the indicator; PECOS saves no names.

    Parameters
    ----------
    folder : str, path-like or list of these
        Folder given to ``XLinearModel.save``; it contains ``param.json`` and ``ranker``. A list of
        folders is an ensemble: the scores of the models are averaged.

    Returns
    -------
    classifier : XRLinearClassifier
        The fitted classifier. It can be saved by `save_model`, but not updated.

    Raises
    ------
    ValueError
        If a file is missing, damaged or of another kind, including the memory-mapped format; or if
        `XRLinearClassifier` has no equivalent: labels in several clusters, clusters without labels,
        and the post-processor "noop" in a tree with clusters, for which PECOS ignores the clusters'
        scores.

    See Also
    --------
    save_pecos_model : Write such a folder.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.interop import load_pecos_model, save_pecos_model
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(max_leaf_size=10, path_weight=1.0, random_state=0).fit(X, Y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_pecos_model(model, f"{folder}/model")
    ...     loaded = load_pecos_model(f"{folder}/model")
    >>> loaded.predict_topk(X[:1], k=3)[0]
    array([[87, 65, 18]], dtype=int32)
    """
    is_ensemble = isinstance(folder, (list, tuple))
    folders = list(folder) if is_ensemble else [folder]
    if not folders:
        raise ValueError("folder must be a folder, or a list of at least one; got an empty list.")
    loaded = [_load_tree(check_folder(one, "a model of PECOS")) for one in folders]
    trees = [LeveledTree(*(tree[name] for name in LeveledTree._fields)) for tree in loaded]
    parameters = [tree["parameters"] for tree in loaded]
    transforms = {parameter["score_transform"] for parameter in parameters}
    if len(transforms) > 1:
        raise ValueError(
            "folder must contain models with equal post-processors; got those of "
            f"{sorted(map(str, transforms))}."
        )
    widths = [parameter["beam_width"] for parameter in parameters]
    beam_width = None if None in widths else max(widths)
    return make_classifier(folder, trees, score_transform=transforms.pop(), beam_width=beam_width)


def _load_tree(folder):
    kind = read_json(folder / "param.json")
    name = kind.get("__meta__", {})
    name = name.get("class_fullname") if isinstance(name, dict) else None
    if not isinstance(name, str) or not name.endswith("XLinearModel"):
        raise file_error(folder / "param.json", "describe an XLinearModel of PECOS", repr(name))
    file = folder / "ranker" / "param.json"
    param = read_json(file)
    _refuse_mmap(param, file)
    depth = read_integer(param, "depth", file, 1, MAX_LEVELS)
    n_features = read_integer(param, "nr_features", file, 1, MAX_FEATURES)
    levels = [_read_level(folder / "ranker" / f"{d}.model", n_features) for d in range(depth)]
    n_labels = levels[-1]["C"].shape[0]
    if read_integer(param, "nr_labels", file) != n_labels:
        raise file_error(
            file, f"have the nr_labels of the last level, {n_labels}", param["nr_labels"]
        )
    n_weights = sum(level["W"].nnz for level in levels)
    check_n_features(n_features, n_weights, folder)
    try:
        order = order_nodes(parents_of_chain([level["C"] for level in levels]))
    except ValueError as error:
        raise file_error(
            folder, "have one cluster per node, and children in each cluster (C.npz)", error
        ) from None
    weights, intercepts = [], []
    for level, old_numbers in zip(levels, order.old_numbers, strict=True):
        is_labels = level is levels[-1]  # in the order of the indicator
        columns = slice(None) if is_labels else old_numbers
        W, bias = level["W"], level["bias"]
        biases = np.zeros(W.shape[1], dtype=np.float32)
        if bias > 0:
            with np.errstate(over="ignore"):
                biases = W[-1:].toarray()[0] * np.float32(bias)
            W = W[:-1]
        weights.append(W[:, columns])
        intercepts.append(biases[columns])
    return {
        "hierarchy": order.hierarchy,
        "weights": weights,
        "intercepts": intercepts,
        "parameters": _read_parameters(levels, folder),
    }


def _read_level(folder, n_features):
    file = folder / "param.json"
    param = read_json(file)
    _refuse_mmap(param, file)
    n_nodes = read_integer(param, "nr_labels", file, 1)
    n_above = read_integer(param, "nr_codes", file, 1, n_nodes)
    bias = read_number(param, "bias", file)
    if read_integer(param, "nr_features", file, 1, MAX_FEATURES) != n_features:
        raise file_error(
            file, f"have the nr_features of all levels, {n_features}", param["nr_features"]
        )
    prediction = param.get("pred_kwargs")
    if not isinstance(prediction, dict):
        raise file_error(file, "have an object as 'pred_kwargs'", repr(prediction))
    topk = prediction.get("only_topk", DEFAULT_TOPK)
    if topk is not None:
        topk = read_integer({"only_topk": topk}, "only_topk", file)
    name = prediction.get("post_processor", "l3-hinge")
    name = OLD_NAMES.get(name, name) if isinstance(name, (str, bool, type(None))) else name
    if name not in ("noop", *TRANSFORMS) or name == "identity":
        raise file_error(file, "have a post_processor of PECOS", repr(name))
    C = read_sparse(folder / "C.npz", (n_nodes, n_above))
    if C.nnz != n_nodes:  # before memory for all nodes is allocated
        raise file_error(
            folder / "C.npz", f"have one cluster per node, for {n_nodes} nodes", f"{C.nnz} entries"
        )
    return {
        "C": C,
        "W": read_sparse(folder / "W.npz", (n_features + (bias > 0), n_nodes)),
        "bias": bias,
        "topk": topk,
        "name": name,
    }


def _refuse_mmap(param, file):
    if param.get("is_mmap"):
        raise file_error(
            file,
            "belong to a model that XLinearModel.save wrote",
            "the memory-mapped format. Load the folder that was given to "
            "XLinearModel.compile_mmap_model",
        )


def _read_parameters(levels, folder):
    names = [level["name"] for level in levels]
    if "noop" in names and len(levels) > 1:
        raise file_error(
            folder,
            "have a post_processor other than 'noop' on all levels of a tree with clusters, "
            "because XRLinearClassifier adds the margins of the clusters and PECOS ignores them",
            f"{names}. To rank by other scores, change 'post_processor' in the files "
            "ranker/*.model/param.json",
        )
    if len({name.startswith("log-") for name in names}) > 1:
        raise file_error(folder, "have log- post-processors on all levels, or on none", names)
    names = ["identity" if name == "noop" else name for name in names]
    # 0 and None keep all clusters.
    topks = [level["topk"] or None for level in levels[:-1]]
    return {
        "score_transform": names[0] if len(set(names)) == 1 else tuple(names),
        "beam_width": None if None in topks else max(topks, default=10),
    }


def save_pecos_model(model, folder):
    """Save a classifier as an `XLinearModel` of PECOS. PECOS need not be installed.

    PECOS's ``XLinearModel.load(folder)`` then predicts the same labels and scores for the same
    rows, up to rounding. The file contains the tree, the weights, `beam_width` and
    `score_transform`. The bias is 1. Names of labels are not saved: column i of PECOS is the label
    ``classes_[i]``.

    Parameters
    ----------
    model : XRLinearClassifier
        A fitted classifier with one tree and linear models on all levels.
    folder : str or path-like
        Destination: a folder that does not exist or is empty. Its parent folder must exist.

    Raises
    ------
    ValueError
        If PECOS has no equivalent: several trees, a custom matcher or ranker, a `path_weight` other
        than 1 (with "auto", `path_weight_` counts), a `propensity_weight`, and the score transform
        "identity" in a tree with clusters.
    FileExistsError
        If `folder` is a file or contains files.
    FileNotFoundError
        If the parent folder does not exist.

    See Also
    --------
    load_pecos_model : Load such a folder.

    Examples
    --------
    >>> import tempfile
    >>> from skxmr import XRLinearClassifier
    >>> from skxmr.datasets import make_extreme_multilabel
    >>> from skxmr.interop import save_pecos_model
    >>> X, Y = make_extreme_multilabel(n_samples=500, n_labels=100, random_state=0)
    >>> model = XRLinearClassifier(max_leaf_size=10, path_weight=1.0, random_state=0).fit(X, Y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_pecos_model(model, f"{folder}/model")
    """
    if not isinstance(model, XRLinearClassifier):
        raise ValueError(f"model must be an XRLinearClassifier; got {type(model).__name__}.")
    matrices = [model.level_weights(-1)]  # checks that the model is fitted and linear
    hierarchy = model.hierarchy_
    transforms = _check_representable(model)
    names = ["noop" if name == "identity" else name for name in transforms]
    n_levels = hierarchy.n_levels
    matrices = [model.level_weights(level) for level in range(n_levels - 1)] + matrices
    chain = hierarchy.to_chain()
    target = _check_destination(folder)

    def write(part):
        os.makedirs(part / "ranker")
        _write_json(part / "param.json", {"__meta__": _meta("xlinear.model###XLinearModel")})
        ranker = {
            "__meta__": _meta("base###HierarchicalMLModel"),
            "model": "HierarchicalMLModel",
            "depth": n_levels,
            "nr_features": model.n_features_in_,
            "nr_codes": chain[-1].shape[1],
            "nr_labels": hierarchy.n_labels,
        }
        _write_json(part / "ranker" / "param.json", ranker)
        for level, (W, C) in enumerate(zip(matrices, chain, strict=True)):
            is_labels = level == n_levels - 1
            # With None, PECOS needs a number: all clusters of the level.
            width = DEFAULT_TOPK if is_labels else model.beam_width or C.shape[0]
            intercepts = model.level_intercepts(level)
            intercepts[np.isinf(intercepts)] = CERTAIN_MARGIN
            W = sp.csc_matrix(sp.vstack([W, sp.csr_array(intercepts[None])], dtype=np.float32))
            W.sort_indices()
            level_folder = part / "ranker" / f"{level}.model"
            os.makedirs(level_folder)
            param = {
                "__meta__": _meta("base###MLModel"),
                "model": "MLModel",
                "nr_labels": C.shape[0],
                "nr_features": model.n_features_in_,
                "nr_codes": C.shape[1],
                "bias": 1.0,
                "pred_kwargs": {
                    "__meta__": _meta("base###MLModel.PredParams"),
                    "only_topk": width,
                    "post_processor": names[level],
                },
            }
            _write_json(level_folder / "param.json", param)
            for name, matrix in (("W", W), ("C", sp.csc_matrix(C))):
                write_synced(
                    level_folder / f"{name}.npz",
                    lambda file, matrix=matrix: sp.save_npz(file, matrix, compressed=False),
                )

    replace_path(target, write)


def _check_representable(model):
    if len(model._model.models) > 1:
        raise ValueError(
            f"model must have one tree; got {len(model._model.models)}. Fit with n_trees=1."
        )
    params = model._score_params()
    transforms = expand_to_levels(params.transforms, model.hierarchy_.n_levels)
    if params.propensity_weight != 0:
        raise ValueError(
            "model must have propensity_weight=0, because PECOS has no such weight; got "
            f"{model.propensity_weight}. Set it before saving."
        )
    if "identity" in transforms and len(transforms) > 1:
        raise ValueError(
            "model must have a score_transform other than 'identity' on all levels of a tree with "
            "clusters, because PECOS ignores the margins of the clusters; got "
            f"{model.score_transform!r}. Set it before saving."
        )
    if params.path_weight != 1 and len(transforms) > 1:
        raise ValueError(
            "model must have path_weight=1.0, because PECOS has no such weight; got "
            f"{model.path_weight!r}, which is {params.path_weight:.3g}. Set it before saving: the "
            "scores then change."
        )
    if transforms == ["identity"] and np.isinf(model.level_intercepts(0)).any():
        raise ValueError("model must have at least two labels; got one, which has no weights.")
    return transforms


def _check_destination(folder):
    target = Path(os.path.realpath(folder))
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"The parent folder of {folder} must exist; there is no folder {target.parent}."
        )
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise FileExistsError(
            f"{folder} must be an empty folder or absent; it is a file or contains files. Nothing "
            "was written."
        )
    return target


def _meta(name):
    return {"class_fullname": f"pecos.xmc.{name}"}


def _write_json(file, values):
    text = json.dumps(values, indent=1, allow_nan=False)
    write_synced(file, lambda opened: opened.write(text.encode()))
