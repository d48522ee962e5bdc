"""Models of napkinXC."""

import shutil
import struct

import numpy as np
import pytest
from scipy.special import expit
from sklearn.preprocessing import normalize

from helpers.interop_files import FIXTURES, change_bytes, each_file, load_arrays, make_fixtures
from skxmr import load_model, save_model
from skxmr.interop import load_napkinxc_model

EXPECTED = load_arrays("napkinxc.npz")
QUERIES = normalize(EXPECTED["queries"])
NAMES = ["log", "huffman", "adagrad", "ensemble"]


@pytest.fixture
def folder(tmp_path):
    """Return a copy of a model."""
    return shutil.copytree(FIXTURES / "napkinxc_log", tmp_path / "model")


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_napkinxc(name, tmp_path):
    model = load_napkinxc_model(FIXTURES / f"napkinxc_{name}")
    assert model.score_transform == ("l2-hinge" if name == "huffman" else "sigmoid")
    assert (model.beam_width, model.path_weight) == (None, 1.0)
    assert model.n_features_in_ == QUERIES.shape[1]
    assert len(model._model.models) == (2 if name == "ensemble" else 1)
    scores = model.predict_proba(QUERIES).toarray()
    np.testing.assert_allclose(scores, EXPECTED[name], rtol=2e-5, atol=1e-7)
    save_model(model, tmp_path / "model")
    saved = load_model(tmp_path / "model")
    np.testing.assert_array_equal(saved.predict_topk(QUERIES)[1], model.predict_topk(QUERIES)[1])


def pack_vector(values, is_sparse):
    values = np.asarray(values, dtype="<f4")
    head = struct.pack("<QQ?", len(values), np.count_nonzero(values), is_sparse)
    if not is_sparse:
        return head + values.tobytes()
    pairs = (struct.pack("<if", i, values[i]) for i in np.flatnonzero(values))
    return head + b"".join(pairs)


def pack_node(values=None, first_class=1, loss=0, is_sparse=False, gradients=None):
    head = struct.pack("<iii", 1 if values is None else 2, first_class, loss)
    if values is None:
        return head
    sizes = struct.pack("<QQ", len(values), np.count_nonzero(values))
    content = (
        head + sizes + pack_vector(values, is_sparse) + struct.pack("<?", gradients is not None)
    )
    return content if gradients is None else content + pack_vector(gradients, True)


def write_model(folder, parents, labels, nodes, bias=1.0):
    n = len(parents)
    args = struct.pack("<Q5sf?ifiQ3si", 5, b"0.7.2", bias, True, 0, 0, 3, 3, b"plt", 1)
    (folder / "args.bin").write_bytes(args)
    pairs = np.column_stack([np.arange(n), labels]).astype("<i4")
    tree = struct.pack("<ii", np.count_nonzero(np.array(labels) >= 0), n) + pairs.tobytes()
    tree += struct.pack("<i", parents.index(-1)) + np.array(parents, dtype="<i4").tobytes()
    (folder / "tree.bin").write_bytes(tree)
    (folder / "weights.bin").write_bytes(struct.pack("<i", n) + b"".join(nodes))


# The root is node 2. Numbers of vectors: unused, bias, three features, and one at the end that
# the solver of liblinear leaves unused.
PARENTS, LABELS = [2, 2, -1, 1, 1], [2, -1, -1, 0, 1]
VECTORS = [[0, 0.5, 1, 0, 2, 0], [0, -1, 0, 0, 1.5, 0], None, [0, 0.2, 0.3, 0.4, 0.5, 0], None]
X = np.array([[1.0, 0.5, -2.0], [0.0, 1.0, 3.0]])


@pytest.mark.parametrize("loss", [0, 1, 2])
@pytest.mark.parametrize("is_sparse", [False, True])
def test_nodes_have_the_scores_of_the_formula(tmp_path, loss, is_sparse):
    nodes = [
        pack_node(VECTORS[0], loss=loss, is_sparse=is_sparse),
        # The negative class is first, so the weights have the other sign.
        pack_node(VECTORS[1], first_class=0, loss=loss, gradients=[0, 1, 2, 3, 4, 5]),
        pack_node(),
        pack_node(VECTORS[3], loss=loss),
        pack_node(first_class=0),
    ]
    write_model(tmp_path, PARENTS, LABELS, nodes, bias=2.0)
    model = load_napkinxc_model(tmp_path)
    assert model.hierarchy_.level_sizes == (1, 2, 3)
    rows = np.column_stack([np.zeros(2), np.full(2, 2.0), X, np.zeros(2)])
    margins = [None if v is None else rows @ np.array(v) for v in VECTORS]
    margins[1] = -margins[1]

    def probability(margin):
        return np.exp(-(np.maximum(0, 1 - margin) ** 2)) if loss == 1 else expit(margin)

    root = expit(10)
    cluster = root * probability(margins[1])
    expected = np.column_stack(
        [cluster * probability(margins[3]), cluster * expit(-10), root * probability(margins[0])]
    )
    np.testing.assert_allclose(model.predict_proba(X).toarray(), expected, rtol=1e-4)


def test_untrained_nodes_of_hinge_models_have_certain_scores(tmp_path):
    nodes = [pack_node(v, loss=0) for v in VECTORS]
    nodes[2], nodes[4] = pack_node(loss=1), pack_node(first_class=0, loss=1)
    write_model(tmp_path, PARENTS, LABELS, nodes)
    model = load_napkinxc_model(tmp_path)
    assert model.level_intercepts(0).tolist() == [100]
    assert model.level_intercepts(-1)[1] == -121


@pytest.mark.parametrize(
    ("name", "at", "values", "message"),
    [
        ("args.bin", 0, b"\xff" * 8, "args.bin must be a file of napkinXC 0.7; got a text of"),
        ("args.bin", 13, struct.pack("<f", np.nan), "got bias=nan and ensemble=1"),
        ("args.bin", 18, b"\x09", "hash=9 and features_threshold=0.0, which have no equivalent"),
        ("args.bin", 22, struct.pack("<f", 0.5), "hash=0 and features_threshold=0.5"),
        ("args.bin", 26, b"\x01", r"a model other than PLT \(type 1\)"),
        ("args.bin", 41, b"\x02", "member_0/tree.bin must be a file; got no file"),
        ("args.bin", 41, b"\xff\xff\xff\x7f", "ensemble=2147483647"),
        ("args.bin", 45, b"\x00", "got 1 bytes too many"),
        ("tree.bin", 0, b"\x00", "got 0 labels and 26 nodes in 324 bytes"),
        ("tree.bin", 4, b"\x1b", "got 17 labels and 27 nodes in 324 bytes"),
        ("tree.bin", 8, b"\x01", "not numbered from 0 on, or labels below -1"),
        ("tree.bin", 12, b"\xfe", "not numbered from 0 on, or labels below -1"),
        ("tree.bin", 216, b"\x01", "several roots, or none"),
        ("tree.bin", 224, b"\xff" * 4, "several roots, or none"),
        ("tree.bin", 224, b"\xff\x00", "tree.bin must be a tree of napkinXC; got parents that are"),
        (
            "tree.bin",
            12,
            b"\x03\0\0\0",
            "must be a tree of napkinXC; got clusters without",
        ),
        ("weights.bin", 0, b"\xff" * 4, "got -1 nodes in"),
        ("weights.bin", 3, b"\x7f", "nodes in"),
        ("weights.bin", 0, b"\x19", "bytes too many"),
        ("weights.bin", 4, b"\x03", "3 classes, first class 1, loss 0"),
        ("weights.bin", 8, b"\x03", "2 classes, first class 3, loss 0"),
        ("weights.bin", 12, b"\x09", "2 classes, first class 1, loss 9"),
        ("weights.bin", 32, b"\xff" * 8, "18446744073709551615 numbers at 49, beyond"),
        ("weights.bin", 32, b"\xff" * 3, "16777215 numbers at 49, beyond the end"),
        ("weights.bin", 65, struct.pack("<f", np.inf), "weights that are not finite"),
    ],
)
def test_files_are_checked(folder, name, at, values, message):
    content = bytearray((folder / name).read_bytes())
    content[at : at + len(values)] = values
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as info:
        load_napkinxc_model(folder)
    assert str(folder) in str(info.value)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([pack_node(VECTORS[0])] * 4 + [pack_node(VECTORS[0], loss=1)], "nodes with equal losses"),
        ([pack_node(VECTORS[0], is_sparse=True)[:-20]] * 5, "got "),
    ],
)
def test_weights_are_checked(tmp_path, nodes, message):
    write_model(tmp_path, PARENTS, LABELS, nodes)
    with pytest.raises(ValueError, match=rf"weights.bin must .*{message}"):
        load_napkinxc_model(tmp_path)


def test_files_belong_together(folder):
    shutil.copy(FIXTURES / "napkinxc_huffman" / "tree.bin", folder / "tree.bin")
    with pytest.raises(ValueError, match="weights.bin must have weights of 33 nodes, as tree.bin"):
        load_napkinxc_model(folder)


def test_features_without_weights_are_limited(tmp_path):
    for index, message in ((2**30, "at most 16777216 features"), (-1, "indices that are not from")):
        vector = struct.pack("<iiiQQQQ?if?", 2, 1, 0, 9, 1, 9, 1, True, index, 1.0, False)
        write_model(tmp_path, PARENTS, LABELS, [vector] * 5)
        with pytest.raises(ValueError, match=f"weights.bin must .*{message}"):
            load_napkinxc_model(tmp_path)


def test_n_features_adds_features_without_weights(folder):
    model = load_napkinxc_model(folder)
    wide = load_napkinxc_model(folder, n_features=30)
    X = np.hstack([QUERIES, np.ones((len(QUERIES), 6))])
    np.testing.assert_array_equal(wide.predict_topk(X)[1], model.predict_topk(QUERIES)[1])
    for n_features in (23, 2.5, 2**40):
        with pytest.raises(ValueError, match="n_features must be None or an integer from 24"):
            load_napkinxc_model(folder, n_features=n_features)


def test_models_without_weights_are_constant(tmp_path):
    write_model(tmp_path, PARENTS, LABELS, [pack_node()] * 5)
    model = load_napkinxc_model(tmp_path)
    expected = expit(10) ** np.array([3, 3, 2])
    np.testing.assert_allclose(model.predict_proba([[0.0]]).toarray()[0], expected, rtol=1e-5)


@pytest.mark.parametrize("seed", range(300))
def test_changed_bytes_give_a_model_or_a_value_error(tmp_path, seed):
    rng = np.random.default_rng(seed)
    name = NAMES[seed % len(NAMES)]
    folder = shutil.copytree(FIXTURES / f"napkinxc_{name}", tmp_path / "model")
    files = each_file(folder)
    change_bytes(files[rng.integers(len(files))], rng)
    # Any other error, and any warning, fails the test.
    try:
        model = load_napkinxc_model(folder)
    except ValueError as error:
        message = str(error)
    else:
        message = str(folder)
        model.predict_topk(np.ones((1, model.n_features_in_)))
    assert str(folder) in message


def test_models_of_the_installed_napkinxc_have_equal_scores(tmp_path):
    make_fixtures("napkinxc", tmp_path)
    expected = load_arrays("napkinxc.npz", tmp_path)
    X = normalize(expected["queries"])
    for name in NAMES:
        scores = load_napkinxc_model(tmp_path / f"napkinxc_{name}").predict_proba(X).toarray()
        np.testing.assert_allclose(scores, expected[name], rtol=1e-4, atol=1e-6)
