"""Models of PECOS, read and written."""

import json
import os
import shutil
import subprocess
import zipfile

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from helpers.interop_files import FIXTURES, change_bytes, each_file, load_arrays
from skxmr import LabelHierarchy, XRLinearClassifier, load_model, save_model
from skxmr.interop import load_pecos_model, save_pecos_model

NAMES = ["tree", "clusters", "one_level"]
EXPECTED = load_arrays("pecos.npz")
QUERIES = EXPECTED["queries"]
MODEL = XRLinearClassifier.from_weights(
    LabelHierarchy.from_parents([[0, 0, 0], [2, 0, 1, 0, 2]]),
    [
        sp.random_array((6, 3), density=0.6, rng=np.random.default_rng(0)),
        sp.random_array((6, 5), density=0.6, rng=np.random.default_rng(1)),
    ],
    intercepts=[[0.5, -0.25, 0.0], [0.1, 0.2, 0.3, 0.4, 0.5]],
)


@pytest.fixture
def folder(tmp_path):
    """Return a copy of the model with several levels."""
    return shutil.copytree(FIXTURES / "pecos_tree", tmp_path / "model")


def edit(file, **values):
    """Change entries of a JSON file, or of its object `pred_kwargs`."""
    param = json.loads(file.read_text())
    for name, value in values.items():
        part = param["pred_kwargs"] if name in ("only_topk", "post_processor") else param
        part[name] = value
    file.write_text(json.dumps(param))


def edit_all(folder, **values):
    for file in folder.glob("ranker/*.model/param.json"):
        edit(file, **values)


def save_level(folder, name, matrix, **options):
    sp.save_npz(folder / "ranker" / "1.model" / name, matrix, **{"compressed": False, **options})


@pytest.mark.parametrize("name", NAMES)
def test_scores_are_those_of_pecos(name, tmp_path):
    model = load_pecos_model(FIXTURES / f"pecos_{name}")
    assert model.n_features_in_ == QUERIES.shape[1]
    scores = model.predict_proba(QUERIES).toarray()
    np.testing.assert_allclose(scores, EXPECTED[name], rtol=1e-5, atol=1e-7)
    save_model(model, tmp_path / "model")
    saved = load_model(tmp_path / "model")
    np.testing.assert_array_equal(saved.predict_topk(QUERIES)[1], model.predict_topk(QUERIES)[1])


def test_parameters_are_those_of_the_file(folder):
    model = load_pecos_model(str(folder))
    assert (model.beam_width, model.score_transform, model.path_weight) == (3, "l3-hinge", 1.0)
    edit(folder / "ranker" / "0.model" / "param.json", post_processor="sigmoid")
    edit(folder / "ranker" / "1.model" / "param.json", only_topk=7)
    model = load_pecos_model(folder)
    assert model.beam_width == 7
    assert model.score_transform == ("sigmoid", "l3-hinge", "l3-hinge", "l3-hinge")
    edit(folder / "ranker" / "1.model" / "param.json", only_topk=None)
    assert load_pecos_model(folder).beam_width is None


@pytest.mark.parametrize(
    ("stored", "name"),
    [(True, "l3-hinge"), ("log-sigmoid", "log-sigmoid"), ("log-l4-hinge", "log-l4-hinge")],
)
def test_post_processors_have_equivalents(folder, stored, name):
    edit_all(folder, post_processor=stored)
    assert load_pecos_model(folder).score_transform == name


@pytest.mark.parametrize("stored", [False, None, "noop"])
def test_noop_needs_a_single_level(folder, tmp_path, stored):
    edit_all(folder, post_processor=stored)
    with pytest.raises(ValueError, match="model must have a post_processor other than 'noop'"):
        load_pecos_model(folder)
    single = shutil.copytree(FIXTURES / "pecos_one_level", tmp_path / "single")
    edit_all(single, post_processor=stored)
    assert load_pecos_model(single).score_transform == "identity"


def test_list_of_folders_averages_scores():
    folders = [FIXTURES / f"pecos_{name}" for name in NAMES]
    model = load_pecos_model(folders)
    model.beam_width = 100
    scores = []
    for one in map(load_pecos_model, folders):
        one.beam_width = 100
        scores.append(one.predict_proba(QUERIES).toarray())
    expected = np.mean(scores, axis=0)
    np.testing.assert_allclose(model.predict_proba(QUERIES).toarray(), expected, rtol=1e-4)


def test_list_of_folders_needs_equal_models(folder):
    with pytest.raises(ValueError, match="folder must be a folder, or a list"):
        load_pecos_model([])
    edit_all(folder, post_processor="sigmoid")
    with pytest.raises(ValueError, match="equal post-processors"):
        load_pecos_model([folder, FIXTURES / "pecos_clusters"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: shutil.rmtree(f), "model must be a folder with a model of PECOS; got no folder"),
        (lambda f: os.remove(f / "param.json"), "param.json must be a file; got no file"),
        (lambda f: (f / "param.json").write_text("[" * 10**5), "param.json must be a JSON file"),
        (lambda f: (f / "param.json").write_text("[]"), "must contain a JSON object; got list"),
        (lambda f: (f / "param.json").write_text("{}"), "must describe an XLinearModel"),
        (lambda f: (f / "param.json").write_text(" " * 2**21), "must have at most 1048576 bytes"),
        (lambda f: edit(f / "ranker" / "param.json", is_mmap=True), "memory-mapped format. Load"),
        (lambda f: edit_all(f, is_mmap=True), "param.json must belong to a model that XLinear"),
        (lambda f: edit(f / "ranker" / "param.json", depth=True), "integer from 1 to 100 as 'dep"),
        (lambda f: edit(f / "ranker" / "param.json", depth=5), "4.model/param.json must be a fi"),
        (
            lambda f: edit(f / "ranker" / "param.json", depth=3),
            "nr_labels of the last level, 8; got 17",
        ),
        (lambda f: edit(f / "ranker" / "param.json", nr_features=9), "nr_features of all levels"),
        (lambda f: edit_all(f, nr_codes=99), "integer from 1 to 2 as 'nr_codes'; got 99"),
        (lambda f: edit_all(f, bias="1"), "have a finite number as 'bias'"),
        (lambda f: edit_all(f, bias=float("nan")), "have a finite number as 'bias'; got nan"),
        (lambda f: edit_all(f, bias=-1), r"W.npz must have the shape \(24, 2\); got \[25, 2\]"),
        (lambda f: edit_all(f, pred_kwargs=None), "have an object as 'pred_kwargs'"),
        (lambda f: edit_all(f, only_topk=-1), "integer from 0 to 2147483647 as 'only_topk'"),
        (lambda f: edit_all(f, post_processor="identity"), "must have a post_processor of P"),
        (lambda f: edit_all(f, post_processor=["noop"]), "must have a post_processor of PE"),
        (
            lambda f: edit(f / "ranker" / "1.model" / "param.json", post_processor="log-sigmoid"),
            "log- post-processors on all levels",
        ),
        (lambda f: save_level(f, "W.npz", sp.csc_matrix((25, 4)), compressed=True), "compression"),
        (lambda f: save_level(f, "W.npz", sp.coo_matrix((25, 4))), "with the arrays data, ind"),
        (lambda f: save_level(f, "W.npz", sp.dia_matrix((25, 4))), "with the arrays data, ind"),
        (
            lambda f: save_level(f, "W.npz", sp.csc_matrix(np.full((25, 4), np.inf))),
            "finite numbers",
        ),
        (lambda f: save_level(f, "C.npz", sp.csc_matrix(np.ones((4, 2)))), "one cluster per node"),
        (lambda f: save_level(f, "C.npz", sp.csc_matrix((4, 2))), "one cluster per node"),
        (
            lambda f: save_level(f, "C.npz", sp.csc_matrix([[1.0, 0.0]] * 4)),
            "got 1 of 2 nodes without a child",
        ),
        (lambda f: (f / "ranker" / "1.model" / "W.npz").write_bytes(b"PK"), "uncompressed .npz"),
    ],
)
def test_files_are_checked(folder, change, message):
    change(folder)
    with pytest.raises(ValueError, match=message):
        load_pecos_model(folder)


def test_features_without_weights_are_limited(folder):
    # Each feature takes memory, also without weights.
    n_features = 2**30
    edit(folder / "ranker" / "param.json", nr_features=n_features)
    edit_all(folder, nr_features=n_features)
    for level in range(4):
        file = folder / "ranker" / f"{level}.model" / "W.npz"
        W = sp.load_npz(file)
        W.resize(n_features + 1, W.shape[1])
        sp.save_npz(file, W, compressed=False)
    with pytest.raises(ValueError, match="must have at most 16777216 features"):
        load_pecos_model(folder)


def test_numbers_of_nodes_allocate_nothing(folder):
    n_nodes = 2**31 - 1
    edit(folder / "ranker" / "1.model" / "param.json", nr_labels=n_nodes)
    for name in ("W", "C"):
        matrix = sp.load_npz(folder / "ranker" / "1.model" / f"{name}.npz")
        shape = (25, n_nodes) if name == "W" else (n_nodes, 2)
        matrix = sp.csr_matrix(matrix) if name == "W" else matrix
        matrix.resize(shape)
        save_level(folder, f"{name}.npz", matrix)
    with pytest.raises(ValueError, match="one cluster per node, for 2147483647 nodes; got 4 entri"):
        load_pecos_model(folder)


def test_sizes_in_headers_allocate_nothing(folder):
    file = folder / "ranker" / "1.model" / "W.npz"
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = members["data.npy"]
    shape = header[header.index(b"(") : header.index(b")") + 1]
    padding = b" " * (16 - len(shape))  # the header keeps its length
    members["data.npy"] = header.replace(shape, b"(9999999999999,)").replace(padding, b"", 1)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="9999999999999"):
        load_pecos_model(folder)


def test_pickles_are_not_loaded(folder):
    np.savez(
        folder / "ranker" / "1.model" / "W.npz",
        **dict.fromkeys(["data", "indices", "indptr", "format", "shape"], np.array([{}])),
    )
    with pytest.raises(ValueError, match="W.npz must be an uncompressed .npz file"):
        load_pecos_model(folder)


def read_or_refuse(folder):
    # Any other error, and any warning, fails the test.
    try:
        model = load_pecos_model(folder)
    except ValueError as error:
        message = str(error)
    else:
        message = str(folder)
        model.predict_topk(np.ones((1, model.n_features_in_)))
    assert str(folder) in message


@pytest.mark.parametrize("seed", range(150))
def test_changed_bytes_give_a_model_or_a_value_error(folder, seed):
    rng = np.random.default_rng(seed)
    files = each_file(folder)
    change_bytes(files[rng.integers(len(files))], rng)
    read_or_refuse(folder)


@pytest.mark.parametrize("seed", range(150))
def test_changed_arrays_give_a_model_or_a_value_error(folder, seed):
    # Bytes of .npz files have a checksum, so most changed bytes do not reach the arrays.
    rng = np.random.default_rng(seed)
    files = [file for file in each_file(folder) if file.suffix == ".npz"]
    file = files[rng.integers(len(files))]
    arrays = dict(np.load(file))
    name = ["data", "indices", "indptr", "shape"][rng.integers(4)]
    values = arrays[name]
    kind = rng.integers(4)
    if kind == 0 and len(values):
        values[rng.integers(len(values))] = rng.choice([-1, 0, 1, 3, 2**31 - 1])
    elif kind == 1:
        values = values[: rng.integers(len(values) + 1)]
    elif kind == 2:
        values = values.astype(rng.choice(["int8", "uint64", "float64", "bool", "complex64", "S3"]))
    else:
        values = values[None]
    np.savez(file, **{**arrays, name: values})
    read_or_refuse(folder)


@pytest.mark.parametrize("name", NAMES)
def test_saved_models_are_those_that_were_loaded(name, tmp_path):
    model = load_pecos_model(FIXTURES / f"pecos_{name}")
    save_pecos_model(model, tmp_path / "model")
    again = load_pecos_model(tmp_path / "model")
    assert again.hierarchy_ == model.hierarchy_
    assert again.get_params() == model.get_params()
    for level in range(model.hierarchy_.n_levels):
        assert (again.level_weights(level) != model.level_weights(level)).nnz == 0
        np.testing.assert_array_equal(again.level_intercepts(level), model.level_intercepts(level))


@given(st.integers(0, 1000), st.sampled_from(["l1-hinge", "log-l3-hinge", "sigmoid"]))
def test_files_contain_the_formula_of_pecos(tmp_path_factory, seed, transform):
    # The scores of PECOS, computed from the files: products over the path of (W^T [x, 1]).
    rng = np.random.default_rng(seed)
    tree = LabelHierarchy.from_parents([[0, 0, 0], [2, 0, 1, 0, 2, 1], rng.permutation(8) % 6])
    weights = [sp.random_array((5, n), density=0.6, rng=rng) for n in tree.level_sizes]
    intercepts = [rng.standard_normal(n) for n in tree.level_sizes]
    n_children = np.bincount(tree.leaf_of_label)
    intercepts[-1][n_children[tree.leaf_of_label] == 1] = np.inf
    model = XRLinearClassifier.from_weights(
        tree, weights, intercepts=intercepts, score_transform=transform, beam_width=None
    )
    folder = tmp_path_factory.mktemp("pecos") / "model"
    save_pecos_model(model, folder)
    X = rng.standard_normal((4, 5))
    scores = np.zeros((4, 1))
    for level in range(3):
        C, W = (sp.load_npz(folder / "ranker" / f"{level}.model" / f"{n}.npz") for n in "CW")
        margins = np.hstack([X, np.ones((4, 1))]) @ W.toarray()
        if transform == "sigmoid":
            losses = np.log1p(np.exp(-margins))
        else:
            losses = np.maximum(0, 1 - margins) ** int(transform.removeprefix("log-")[1])
        scores = scores @ C.toarray().T - losses
    expected = scores if transform.startswith("log-") else np.exp(scores)
    labels, found = model.predict_topk(X, k=8)
    expected = np.take_along_axis(expected, labels, axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"path_weight": 0.5}, "model must have path_weight=1.0, .* got 0.5, which is 0.5"),
        ({"propensity_weight": 0.5}, "model must have propensity_weight=0"),
        ({"score_transform": "identity"}, "score_transform other than 'identity' on all levels"),
    ],
)
def test_save_refuses_what_pecos_cannot_represent(params, message, tmp_path):
    model = XRLinearClassifier.from_weights(
        MODEL.hierarchy_,
        [MODEL.level_weights(level) for level in range(2)],
    ).set_params(**params)
    with pytest.raises(ValueError, match=message):
        save_pecos_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_save_refuses_other_models(tmp_path, xmc_data):
    with pytest.raises(ValueError, match="must be an XRLinearClassifier; got str"):
        save_pecos_model("model", tmp_path / "model")
    ensemble = load_pecos_model([FIXTURES / "pecos_tree", FIXTURES / "pecos_clusters"])
    with pytest.raises(ValueError, match="model must have one tree; got 2"):
        save_pecos_model(ensemble, tmp_path / "model")
    model = XRLinearClassifier(random_state=0).fit(*xmc_data)
    assert model.path_weight_ < 1
    with pytest.raises(ValueError, match="got 'auto', which is 0"):
        save_pecos_model(model, tmp_path / "model")


def test_save_replaces_nothing(tmp_path):
    (tmp_path / "model").mkdir()
    save_pecos_model(MODEL, tmp_path / "model")
    with pytest.raises(FileExistsError, match="must be an empty folder or absent"):
        save_pecos_model(MODEL, tmp_path / "model")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        save_pecos_model(MODEL, tmp_path / "missing" / "model")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]


@pytest.fixture
def run_in_pecos():
    """Return a function that runs Python code or a script where PECOS is installed."""
    # PECOS needs a SciPy older than the ones that skxmr supports, so it needs another environment.
    if "PECOS_PYTHON" not in os.environ:
        pytest.skip("set PECOS_PYTHON to a Python interpreter with libpecos")

    def run(*arguments):
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        subprocess.run([os.environ["PECOS_PYTHON"], *arguments], check=True, env=environment)

    return run


PREDICT = """
import sys, scipy.sparse as sp
from pecos.xmc.xlinear.model import XLinearModel
model = XLinearModel.load(sys.argv[1], is_predict_only=bool(int(sys.argv[2])))
sp.save_npz(sys.argv[4], model.predict(sp.load_npz(sys.argv[3])))
"""


@pytest.mark.parametrize("is_predict_only", [0, 1])
def test_pecos_loads_saved_models(tmp_path, run_in_pecos, is_predict_only):
    save_pecos_model(MODEL, tmp_path / "model")
    X = sp.random(5, 6, density=0.7, random_state=0, format="csr", dtype=np.float32)
    sp.save_npz(tmp_path / "X.npz", X)
    paths = [str(tmp_path / name) for name in ("model", "X.npz", "scores.npz")]
    run_in_pecos("-c", PREDICT, paths[0], str(is_predict_only), *paths[1:])
    expected = sp.load_npz(paths[2]).toarray()
    np.testing.assert_allclose(MODEL.predict_proba(X).toarray(), expected, rtol=1e-5)


def test_models_of_the_installed_pecos_have_equal_scores(tmp_path, run_in_pecos):
    run_in_pecos(str(FIXTURES.parent / "make_fixtures.py"), "pecos", str(tmp_path))
    expected = load_arrays("pecos.npz", tmp_path)
    for name in NAMES:
        scores = load_pecos_model(tmp_path / f"pecos_{name}").predict_proba(expected["queries"])
        np.testing.assert_allclose(scores.toarray(), expected[name], rtol=1e-4, atol=1e-6)
