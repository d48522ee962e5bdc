"""A fit into a folder: the same model, and one that can be killed, run out of disk and go on."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import BernoulliNB

import skxmr.xr_linear._classifier as classifier_module
from helpers import quick
from skxmr import HierarchicalLabelTree, XRLinearClassifier, load_model
from skxmr._linear import FolderStore, level_model
from skxmr.datasets import make_extreme_multilabel
from skxmr.xr_linear._checkpoint import FitCheckpoint

SIZES = {"n_samples": 1500, "n_features": 800, "n_labels": 900}


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(**SIZES, random_state=0)


def classifier(model_dir, **params):
    return XRLinearClassifier(**{"max_leaf_size": 8, "random_state": 0, **params}).set_params(
        model_dir=model_dir
    )


def content(folder):
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def checkpoint(model_dir):
    return Path(f"{model_dir}.checkpoint")


def assert_same_models(first, second):
    assert len(first._model.levels) == len(second._model.levels)
    for a, b in zip(first._model.levels, second._model.levels, strict=True):
        for kind in ("arrays", "tables"):
            a_kind, b_kind = getattr(a, kind), getattr(b, kind)
            assert a_kind.keys() == b_kind.keys()
            for name in a_kind:
                assert a_kind[name].dtype == b_kind[name].dtype, name
                assert_array_equal(a_kind[name], b_kind[name], err_msg=name)
        assert (a.n_iter, a.n_unsolved, a.n_features) == (b.n_iter, b.n_unsolved, b.n_features)


@pytest.mark.parametrize(
    "params",
    quick.first(
        4,
        [
            {"max_leaf_size": 100},
            {"negatives": "tfn+man", "beam_width": 3},
            {"branching_factor": 30, "max_leaf_size": 20, "n_trees": 2},
            {"weight_dtype": "int8", "max_leaf_size": 100},
            {},
            {"max_leaf_size": 900},
            {"weight_dtype": "float16"},
            {"weight_dtype": "int8"},
            {"relevance_norm": None, "loss": "log_loss"},
        ],
    ),
    ids=str,
)
def test_the_model_of_a_fit_in_memory(params, data, tmp_path):
    X, Y = data
    wanted = classifier(None, **params).fit(X, Y)
    model = classifier(tmp_path / "model", n_jobs=2, **params).fit(X, Y)
    assert_same_models(model, wanted)
    loaded = load_model(tmp_path / "model")
    assert_same_models(loaded, wanted)
    assert (loaded.predict_proba(X) != wanted.predict_proba(X)).nnz == 0
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    assert model.n_iter_ == wanted.n_iter_
    assert loaded.get_params() == model.get_params()


def test_large_levels_have_no_dense_vectors(data, tmp_path, monkeypatch):
    X, Y = data
    monkeypatch.setattr(level_model, "MAX_DENSE_VECTORS", 3000)
    wanted = classifier(None).fit(X, Y)
    assert {"table" in level.tables for level in wanted._model.levels} == {True, False}
    assert_same_models(classifier(tmp_path / "model").fit(X, Y), wanted)


def test_classes_and_weights_of_rows(data, tmp_path):
    X, Y = data
    y = np.asarray(Y.argmax(axis=1)).ravel().astype(str)
    weights = np.linspace(0, 2, len(y))
    model = classifier(tmp_path / "model").fit(X, y, sample_weight=weights)
    wanted = classifier(None).fit(X, y, sample_weight=weights)
    assert_same_models(model, wanted)
    assert_array_equal(model.predict(X), wanted.predict(X))


def test_the_arrays_of_the_estimator_are_maps_of_the_folder(data, tmp_path):
    model = classifier(tmp_path / "model").fit(*data)
    large = model._model.levels[-1].arrays["summaries"]
    assert not large.flags.owndata
    assert not large.flags.writeable


def test_a_second_fit_replaces_the_first(data, tmp_path):
    X, Y = data
    first = classifier(tmp_path / "model").fit(X, Y)
    before = first.predict_proba(X)
    second = classifier(tmp_path / "model", random_state=1).fit(X, Y)
    assert (before != second.predict_proba(X)).nnz > 0
    loaded = load_model(tmp_path / "model")
    assert (loaded.predict_proba(X) != second.predict_proba(X)).nnz == 0


def run(model_dir, *, limit=None, **params):
    """Begin a fit in a process of its own."""
    code = f"""
    import sys
    if {limit!r}:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit!r}, {limit!r}))
    from skxmr import XRLinearClassifier
    from skxmr.datasets import make_extreme_multilabel
    X, Y = make_extreme_multilabel(**{SIZES!r}, random_state=0)
    model = XRLinearClassifier(max_leaf_size=8, model_dir={str(model_dir)!r}, **{params!r})
    model.fit(X, Y)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_after(process, folder, n_files):
    """Kill a fit when there are so many whole files; return whether it was still at work."""
    while process.poll() is None:
        if len([f for f in folder.rglob("*") if f.suffix in (".npz", ".npy")]) >= n_files:
            process.kill()
            break
        time.sleep(0.001)
    process.communicate()
    return process.returncode == (-signal.SIGKILL if os.name != "nt" else 1)


@pytest.mark.slow(reason="starts and kills six fits")
@pytest.mark.parametrize("random_state", [0, None])
def test_a_fit_that_was_killed_goes_on(random_state, data, tmp_path):
    X, Y = data
    model_dir = tmp_path / "model"
    # The trees, then blocks of levels.
    for n_files in (0, 1, 15, 40, 70):
        process = run(model_dir, random_state=random_state)
        assert kill_after(process, checkpoint(model_dir), n_files)
        assert not model_dir.exists()
    assert len(list(checkpoint(model_dir).rglob("*.npz"))) >= 70
    # While levels are joined; it may be done before it is killed.
    kill_after(run(model_dir, random_state=random_state), checkpoint(model_dir), 96)
    model = classifier(model_dir, random_state=random_state, n_jobs=2).fit(X, Y)
    killed = content(model_dir)
    if random_state is None:
        return  # the seed was drawn by the first process
    model_dir.rename(tmp_path / "killed")
    classifier(model_dir, n_jobs=2).fit(X, Y)
    assert killed == content(model_dir)
    assert_same_models(model, classifier(None).fit(X, Y))


def interrupt_after(n_blocks, model, X, Y, monkeypatch):
    """Fit until so many blocks of weights are in files."""
    keep = FolderStore.keep
    kept = []

    def stop(self, *args):
        if len(kept) == n_blocks:
            raise KeyboardInterrupt
        kept.append(keep(self, *args))
        return kept[-1]

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "keep", stop)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y)


def test_what_is_finished_is_not_done_again(data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    interrupt_after(60, classifier(model_dir), X, Y, monkeypatch)
    finished = {f.name for f in checkpoint(model_dir).rglob("level-*.npz")}
    kept = []
    keep = FolderStore.keep

    def spy(self, block, arrays):
        file = keep(self, block, arrays)
        kept.append(file.name)
        return file

    monkeypatch.setattr(FolderStore, "keep", spy)
    monkeypatch.setattr("skxmr.xr_linear._training.build_hierarchies", None)
    classifier(model_dir).fit(X, Y)
    assert len(finished) == 60
    assert kept
    assert not finished & set(kept)


def test_another_fit_is_refused(data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    interrupt_after(10, classifier(model_dir), X, Y, monkeypatch)
    before = {f: f.read_bytes() for f in checkpoint(model_dir).rglob("*") if f.is_file()}
    for params in ({"C": 2.0}, {"random_state": 1}, {"branching_factor": 3}):
        with pytest.raises(ValueError, match="checkpoint of another fit"):
            classifier(model_dir, **params).fit(X, Y)
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        classifier(model_dir).fit(X[1:], Y[1:])
    assert before == {f: f.read_bytes() for f in checkpoint(model_dir).rglob("*") if f.is_file()}
    # A label more, of no row, changes no entry.
    wider = sp.csr_array((Y.data, Y.indices, Y.indptr), shape=(Y.shape[0], Y.shape[1] + 1))
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        classifier(model_dir).fit(X, wider)
    # What acts at prediction alone may be another.
    classifier(model_dir, beam_width=3, n_jobs=2).fit(X, Y)


def test_a_damaged_block(data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    interrupt_after(50, classifier(model_dir), X, Y, monkeypatch)
    block = max(checkpoint(model_dir).rglob("level-*.npz"), key=lambda f: f.stat().st_size)
    whole = block.read_bytes()
    for damaged in (whole[:-100], whole[:600] + bytes([whole[600] ^ 1]) + whole[601:], b""):
        block.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{block.name} is damaged.*Remove this file"):
            classifier(model_dir).fit(X, Y)
    block.unlink()
    assert_same_models(classifier(model_dir).fit(X, Y), classifier(None).fit(X, Y))


def test_damaged_trees(data, tmp_path, monkeypatch):
    X, Y = data
    monkeypatch.setattr(FitCheckpoint, "finish", refuse)
    with pytest.raises(OSError, match="disk is full"):
        classifier(tmp_path / "model").fit(X, Y)
    monkeypatch.undo()
    trees = checkpoint(tmp_path / "model") / "trees.npz"
    whole = trees.read_bytes()
    for damaged in (whole[:-100], whole[:600] + bytes([whole[600] ^ 1]) + whole[601:], b""):
        trees.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"trees\.npz is damaged.*Remove this file"):
            classifier(tmp_path / "model").fit(X, Y)
    trees.unlink()
    assert_same_models(classifier(tmp_path / "model").fit(X, Y), classifier(None).fit(X, Y))


def refuse(*args):
    raise OSError("the disk is full")


def test_an_instance_of_random_numbers_moves_on_when_the_fit_has_ended(data, tmp_path, monkeypatch):
    X, Y = data
    wanted = classifier(None, random_state=np.random.RandomState(0)).fit(X, Y)
    model = classifier(tmp_path / "model", random_state=np.random.RandomState(0))
    monkeypatch.setattr(FitCheckpoint, "finish", refuse)
    with pytest.raises(OSError, match="disk is full"):
        model.fit(X, Y)
    monkeypatch.undo()
    assert_same_models(model.fit(X, Y), wanted)
    numbers = [each.random_state.randint(2**31) for each in (model, wanted)]
    numbers.append(load_model(tmp_path / "model").random_state.randint(2**31))
    assert len(set(numbers)) == 1


@pytest.mark.parametrize("name", quick.first(1, ["ranked_words", "entry_weights", "child_ids"]))
def test_a_damaged_level(name, data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("skxmr.xr_linear._checkpoint.FitCheckpoint.finish", stop)
        with pytest.raises(KeyboardInterrupt):
            classifier(model_dir).fit(X, Y)
    folder = checkpoint(model_dir) / "tree-1" / "level-1"
    array = folder / f"{name}.npy"
    whole = array.read_bytes()
    for damaged in (whole[:-3], whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:], b""):
        array.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{name}.npy is damaged. Remove the folder"):
            classifier(model_dir).fit(X, Y)
    shutil.rmtree(folder)
    assert_same_models(classifier(model_dir).fit(X, Y), classifier(None).fit(X, Y))


@pytest.mark.skipif(os.name == "nt", reason="no limit of the size of files")
@pytest.mark.slow(reason="starts processes")
@pytest.mark.parametrize("limit", [1000, 30_000, 150_000])
def test_a_full_disk(limit, data, tmp_path):
    X, Y = data
    model_dir = tmp_path / "model"
    process = run(model_dir, limit=limit, random_state=0)
    message = process.communicate()[1]
    assert process.returncode == 1
    assert "OSError: [Errno 27] File too large" in message
    if limit > 1000:
        assert "the finished part of the fit is kept in" in message
        assert len(list(checkpoint(model_dir).rglob("level-*"))) >= 1
    assert not list(checkpoint(model_dir).rglob("*.part"))
    assert not model_dir.exists()
    assert_same_models(classifier(model_dir).fit(X, Y), classifier(None).fit(X, Y))


def test_errors_come_before_any_work(data, tmp_path):
    X, Y = data
    (tmp_path / "file").write_text("mine")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "mine.txt").write_text("mine")
    cases = [
        ({"model_dir": tmp_path / "no" / "model"}, FileNotFoundError, "there is no folder"),
        ({"model_dir": tmp_path / "file"}, FileExistsError, "is a file"),
        ({"model_dir": tmp_path / "foreign"}, FileExistsError, "not a model that can be replaced"),
        ({"model_dir": 3}, ValueError, "'model_dir' parameter"),
        ({"matcher": LogisticRegression()}, ValueError, "matcher must be None if"),
        ({"ranker": BernoulliNB()}, ValueError, "ranker must be None if"),
        (
            {"memory": str(tmp_path / "cache")},
            ValueError,
            "memory must be None if model_dir is set",
        ),
        (
            {"label_tree": HierarchicalLabelTree(clustering=MiniBatchKMeans())},
            TypeError,
            "clustering must be .* got an object of type",
        ),
        ({"label_features": lambda X, Y: X}, TypeError, "label_features must be"),
    ]
    for params, error, match in cases:
        model = clone(classifier(tmp_path / "model")).set_params(**params)
        with pytest.raises(error, match=match):
            model.fit(X, Y)
        assert not hasattr(model, "classes_")
    with pytest.raises(TypeError, match="must be None for subclasses .*; got OwnClassifier"):
        OwnClassifier(model_dir=tmp_path / "model").fit(X, Y)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "foreign"]


class OwnClassifier(XRLinearClassifier):
    """Of a class that cannot be written."""


def test_a_place_that_is_taken_while_the_fit_goes_on(data, tmp_path, monkeypatch):
    X, Y = data
    train = classifier_module.train_trees

    def train_and_take(*args, **kwargs):
        (tmp_path / "model").write_text("mine")
        return train(*args, **kwargs)

    monkeypatch.setattr(classifier_module, "train_trees", train_and_take)
    with pytest.raises(FileExistsError, match="is a file.*the finished part of the fit is kept in"):
        classifier(tmp_path / "model").fit(X, Y)
    assert (tmp_path / "model").read_text() == "mine"
    assert checkpoint(tmp_path / "model").is_dir()


@pytest.mark.parametrize("where", quick.first(1, ["this process", "another process"]))
def test_a_second_fit_at_the_same_time_is_refused(where, data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    train = classifier_module.train_trees
    refusals = []

    def train_beside(*args, **kwargs):
        monkeypatch.undo()
        if where == "this process":
            with pytest.raises(BlockingIOError) as refused:
                classifier(model_dir).fit(X, Y)
            refusals.append(str(refused.value))
        else:
            refusals.append(run(model_dir, random_state=0).communicate()[1])
        return train(*args, **kwargs)

    monkeypatch.setattr(classifier_module, "train_trees", train_beside)
    classifier(model_dir).fit(X, Y)
    assert "another fit is writing" in refusals[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    # One that failed is at work no more, though its error is still known.
    monkeypatch.setattr(classifier_module, "train_trees", None)
    with pytest.raises(TypeError) as known:
        classifier(model_dir).fit(X, Y)
    monkeypatch.undo()
    classifier(model_dir).fit(X, Y)
    assert known


def test_names_of_features_of_an_earlier_fit_are_not_written(data, tmp_path):
    X, Y = data
    model = classifier(tmp_path / "model").fit(X, Y)
    model.feature_names_in_ = np.array([f"f{i}" for i in range(X.shape[1])], dtype=object)
    model.fit(X, Y)
    assert not hasattr(model, "feature_names_in_")
    assert not hasattr(load_model(tmp_path / "model"), "feature_names_in_")


def test_a_level_is_on_the_disk_before_its_blocks_go(data, tmp_path, monkeypatch):
    synced, joined = set(), []
    fsync, rename = os.fsync, os.rename

    def note_sync(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def check_rename(source, target):
        if Path(source).name.startswith(".level-"):
            joined.append(target)
            assert not [f for f in Path(source).iterdir() if f.stat().st_ino not in synced]
        rename(source, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(os, "rename", check_rename)
    classifier(tmp_path / "model").fit(*data)
    assert len(joined) == 3


def test_a_folder_that_is_not_of_a_fit_is_left_alone(data, tmp_path):
    folder = checkpoint(tmp_path / "model")
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"has no readable fit\.json"):
        classifier(tmp_path / "model").fit(*data)
    assert (folder / "mine.txt").read_text() == "mine"
