"""Models of omikuji, read from CBOR."""

import shutil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import normalize

from helpers.cbor_writer import encode
from helpers.interop_files import FIXTURES, change_bytes, each_file, load_arrays, make_fixtures
from skxmr import load_model, save_model
from skxmr.interop import load_omikuji_model
from skxmr.interop._cbor import read_cbor

EXPECTED = load_arrays("omikuji.npz")
QUERIES = normalize(EXPECTED["queries"])
NAMES = ["hinge", "log", "one_leaf", "ensemble"]
UNTRAINED = [3, 8]


@pytest.fixture
def folder(tmp_path):
    """Return a copy of a model with leaves of different depths."""
    return shutil.copytree(FIXTURES / "omikuji_hinge", tmp_path / "model")


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_omikuji(name, tmp_path):
    model = load_omikuji_model(FIXTURES / f"omikuji_{name}")
    assert model.score_transform == ("sigmoid" if name == "log" else "l2-hinge")
    assert (model.beam_width, model.path_weight) == (10, 1.0)
    model.beam_width = 4
    scores = model.predict_proba(QUERIES).toarray()
    expected = EXPECTED[name]
    # omikuji keeps only the 4 best labels of a leaf.
    kept = expected > 0
    assert kept.sum() >= 4 * len(QUERIES)
    np.testing.assert_allclose(scores[kept], expected[kept], rtol=1e-4, atol=1e-6)
    best = -np.sort(-scores)[:, :4]
    np.testing.assert_allclose(best, -np.sort(-expected)[:, :4], rtol=1e-4, atol=1e-6)
    assert (scores[:, UNTRAINED] < 1e-30).all()
    save_model(model, tmp_path / "model")
    saved = load_model(tmp_path / "model")
    np.testing.assert_array_equal(saved.predict_topk(QUERIES)[1], model.predict_topk(QUERIES)[1])


def random_tree(rng, n_rows, numbers, depth):
    """Return a node with random children, whose leaves have the label numbers."""
    n = int(rng.integers(1, 4))
    is_leaf = depth == 0 or rng.random() < 0.4
    labels = [numbers.pop() for _ in range(n)] if is_leaf else []
    W = np.where(rng.random((n_rows, n)) < 0.5, rng.standard_normal((n_rows, n)), 0)
    W = W.astype(np.float32).astype(float)
    if rng.random() < 0.5:
        weights = {"Dense": {"v": 1, "dim": [n_rows, n], "data": W.ravel().tolist()}}
    else:
        rows = np.flatnonzero(W.any(axis=1))
        counts = np.count_nonzero(W[rows], axis=1)
        weights = {
            "outer_dim": n_rows,
            "inner_dim": n,
            "indptr": [0, *np.cumsum(counts).tolist()],
            "outer_inds": rows.tolist(),
            "inner_inds": np.nonzero(W)[1].tolist(),
            "data": W[W != 0].tolist(),
        }
        weights = {"Sparse": weights}
    if is_leaf:
        return {"Leaf": {"weights": weights, "labels": labels}}, W
    children, inner = [], []
    for _ in range(n):
        child, child_W = random_tree(rng, n_rows, numbers, depth - 1)
        children.append(child)
        inner.append(child_W)
    return {"Branch": {"weights": weights, "children": children}}, (W, inner)


def score_by_recursion(node, W, x, transform, log_score, scores):
    """Write the score of each label: the formula of omikuji, without a beam."""
    [(kind, fields)] = node.items()
    W, inner = W if kind == "Branch" else (W, None)
    margins = x @ W
    losses = np.log1p(np.exp(-margins)) if transform == "Log" else np.maximum(0, 1 - margins) ** 2
    for i, loss in enumerate(losses):
        if kind == "Leaf":
            scores[fields["labels"][i]] = log_score - loss
        else:
            score_by_recursion(
                fields["children"][i], inner[i], x, transform, log_score - loss, scores
            )


@given(st.integers(0, 10**6), st.sampled_from(["Hinge", "Log"]))
def test_random_trees_have_the_scores_of_the_formula(tmp_path_factory, seed, loss):
    rng = np.random.default_rng(seed)
    folder = tmp_path_factory.mktemp("omikuji")
    settings = f'{{"n_features": 4, "classifier_loss_type": "{loss}"}}'
    (folder / "settings.json").write_text(settings)
    numbers = rng.permutation(300).tolist()
    tree, W = random_tree(rng, 5, numbers, depth=3)
    (folder / "tree0.cbor").write_bytes(encode(tree))
    model = load_omikuji_model(folder)
    model.beam_width = None
    X = rng.standard_normal((3, 4))
    scores = {}
    for x, found in zip(X, model.predict_proba(X).toarray(), strict=True):
        score_by_recursion(tree, W, np.append(x, 1), loss, 0.0, scores)
        expected = np.zeros(model.hierarchy_.n_labels)
        expected[list(scores)] = np.exp(list(scores.values()))
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-30)


def edit(folder, change):
    """Change the decoded tree, and write it."""

    def to_lists(item):
        if isinstance(item, dict):
            return {key: to_lists(value) for key, value in item.items()}
        if isinstance(item, list):
            return [to_lists(one) for one in item]
        return item.tolist() if isinstance(item, np.ndarray) else item

    tree = to_lists(read_cbor((folder / "tree0.cbor").read_bytes()))
    change(tree)
    (folder / "tree0.cbor").write_bytes(encode(tree))


def branch(tree):
    return tree["Branch"]


def find_leaf(tree):
    while "Branch" in tree:
        tree = tree["Branch"]["children"][0]
    return tree["Leaf"]


def dense(fields, **values):
    [weights] = fields["weights"].values()
    weights.update(values)


def make_sparse(tree, **values):
    weights = {
        "outer_dim": 25,
        "inner_dim": 3,
        "indptr": [0, 1],
        "outer_inds": [2],
        "inner_inds": [1],
        "data": [0.5],
    }
    branch(tree)["weights"] = {"Sparse": {**weights, **values}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: branch(t).update(children=[]), "a node without children"),
        (lambda t: branch(t).update(children=[1]), "children are not a list"),
        (lambda t: branch(t).pop("children"), "other than Branch with "),
        (lambda t: t.update(other=1), "other than Branch with "),
        (lambda t: branch(t).update(weights={}), "other than Dense with"),
        (lambda t: dense(branch(t), dim=[25, 4]), r"shape \(25, 4\) instead of \(25, 3\)"),
        (lambda t: dense(branch(t), dim="x"), "shape x instead of"),
        (lambda t: dense(branch(t), data=[0.0]), "1 numbers"),
        (lambda t: dense(branch(t), data="x"), "weights that are not numbers"),
        (lambda t: dense(branch(t), data=[float("inf")] * 75), "not finite"),
        (lambda t: dense(branch(t), data=[1e300] * 75), "not finite"),
        (lambda t: find_leaf(t).update(labels=[]), "a node without children or labels"),
        (lambda t: find_leaf(t).update(labels=[0.5]), "labels that are not integers below"),
        (lambda t: find_leaf(t).update(labels=[2**40]), "labels that are not integers below"),
        (lambda t: make_sparse(t, outer_dim=9), r"shape \(9, 3\) instead of \(25, 3\)"),
        (lambda t: make_sparse(t, outer_inds=[25]), "outer_inds that are not integers below 25"),
        (lambda t: make_sparse(t, inner_inds=[3]), "inner_inds that are not integers below 3"),
        (lambda t: make_sparse(t, indptr=[1, 1]), "arrays do not match"),
        (lambda t: make_sparse(t, indptr=[0, 1, 1]), "arrays do not match"),
        (lambda t: make_sparse(t, indptr=[]), "arrays do not match"),
        (lambda t: make_sparse(t, data=[0.5, 0.5]), "arrays do not match"),
    ],
)
def test_trees_are_checked(folder, change, message):
    edit(folder, change)
    with pytest.raises(ValueError, match=message) as info:
        load_omikuji_model(folder)
    assert str(folder / "tree0.cbor") in str(info.value)


def test_features_without_weights_are_limited(folder):
    n_features = 2**31 - 100
    weights = {
        "outer_dim": n_features + 1,
        "inner_dim": 1,
        "indptr": [0, 1],
        "outer_inds": [n_features],
        "inner_inds": [0],
        "data": [0.5],
    }
    tree = {"Leaf": {"weights": {"Sparse": weights}, "labels": [0]}}
    (folder / "tree0.cbor").write_bytes(encode(tree))
    settings = f'{{"n_features": {n_features}, "classifier_loss_type": "Log"}}'
    (folder / "settings.json").write_text(settings)
    with pytest.raises(ValueError, match="model must have at most 16777216 features"):
        load_omikuji_model(folder)


def test_label_numbers_allocate_little(folder):
    edit(folder, lambda tree: find_leaf(tree)["labels"].__setitem__(0, 2**31 - 2))
    with pytest.raises(ValueError, match="tree0.cbor must have at most 65535 labels without"):
        load_omikuji_model(folder)


def test_labels_occur_once(folder):
    def repeat(tree):
        leaves = [child["Leaf"] for child in branch(tree)["children"] if "Leaf" in child]
        leaves[0]["labels"][0] = find_leaf(tree)["labels"][-1]

    edit(folder, repeat)
    with pytest.raises(
        ValueError, match="tree0.cbor must be a tree of omikuji in CBOR; got a label in"
    ):
        load_omikuji_model(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (None, "settings.json must be a file; got no file"),
        ("{}", "settings.json must have an integer from 1 to .* as 'n_features'; got None"),
        ('{"n_features": 24}', "one of .'Hinge', 'Log'. as 'classifier_loss_type'; got None"),
        ('{"n_features": 24, "classifier_loss_type": ["Log"]}', "got .'Log'."),
        ('{"n_features": 9, "classifier_loss_type": "Log"}', r"instead of \(10, 3\)"),
    ],
)
def test_settings_are_checked(folder, settings, message):
    (folder / "settings.json").unlink()
    if settings is not None:
        (folder / "settings.json").write_text(settings)
    with pytest.raises(ValueError, match=message):
        load_omikuji_model(folder)


def test_missing_files_are_named(folder):
    (folder / "tree0.cbor").unlink()
    with pytest.raises(ValueError, match="model must contain files tree0.cbor, .*; got none"):
        load_omikuji_model(folder)
    (folder / "tree0.cbor").mkdir()
    with pytest.raises(ValueError, match="tree0.cbor must be a file; got something else"):
        load_omikuji_model(folder)


@pytest.mark.parametrize("seed", range(300))
def test_changed_bytes_give_a_model_or_a_value_error(tmp_path, seed):
    rng = np.random.default_rng(seed)
    name = NAMES[seed % len(NAMES)]
    folder = shutil.copytree(FIXTURES / f"omikuji_{name}", tmp_path / "model")
    files = each_file(folder)
    change_bytes(files[-1] if rng.random() < 0.8 else files[0], rng)
    # Any other error, and any warning, fails the test.
    try:
        model = load_omikuji_model(folder)
    except ValueError as error:
        message = str(error)
    else:
        message = str(folder)
        model.predict_topk(np.ones((1, model.n_features_in_)))
    assert str(folder) in message


def test_models_of_the_installed_omikuji_have_equal_scores(tmp_path):
    make_fixtures("omikuji", tmp_path)
    expected = load_arrays("omikuji.npz", tmp_path)
    for name in NAMES[:3]:
        model = load_omikuji_model(tmp_path / f"omikuji_{name}")
        model.beam_width = 4
        scores = model.predict_proba(normalize(expected["queries"])).toarray()
        kept = expected[name] > 0
        np.testing.assert_allclose(scores[kept], expected[name][kept], rtol=1e-4, atol=1e-6)
