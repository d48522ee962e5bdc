"""Unfinished fits with `model_dir`: resume after an interruption, damaged files, locks."""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

import skxmr.xr_linear._classifier as classifier_module
from helpers import quick
from helpers.model_dirs import SIZES, get_checkpoint, make_classifier, read_files, start_fit
from helpers.models import assert_equal_models
from skxmr import load_model
from skxmr._linear import FolderStore
from skxmr.datasets import make_extreme_multilabel
from skxmr.xr_linear._checkpoint import FitCheckpoint


@pytest.fixture(scope="module")
def data():
    return make_extreme_multilabel(**SIZES, random_state=0)


def kill_after(process, folder, n_files):
    """Kill a fit that has written `n_files` files; return whether it was still running."""
    while process.poll() is None:
        if len([f for f in folder.rglob("*") if f.suffix in (".npz", ".npy")]) >= n_files:
            process.kill()
            break
        time.sleep(0.001)
    process.communicate()
    return process.returncode == (-signal.SIGKILL if os.name != "nt" else 1)


def interrupt_after(n_blocks, model, X, Y, monkeypatch):
    """Interrupt a fit after `n_blocks` blocks of weights are written."""
    keep = FolderStore.keep
    written = []

    def stop(self, *args):
        if len(written) == n_blocks:
            raise KeyboardInterrupt
        written.append(keep(self, *args))
        return written[-1]

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "keep", stop)
        with pytest.raises(KeyboardInterrupt):
            model.fit(X, Y)


def raise_disk_full(*args):
    raise OSError("the disk is full")


@pytest.mark.slow(reason="starts and kills six fits")
@pytest.mark.parametrize("random_state", [0, None])
def test_fit_resumes_after_being_killed(random_state, data, tmp_path):
    X, Y = data
    model_dir = tmp_path / "model"
    # The first file holds the trees; the others are blocks of levels.
    for n_files in (0, 1, 15, 40, 70):
        process = start_fit(model_dir, random_state=random_state)
        assert kill_after(process, get_checkpoint(model_dir), n_files)
        assert not model_dir.exists()
    assert len(list(get_checkpoint(model_dir).rglob("*.npz"))) >= 70
    # While the blocks are joined to levels. The fit may finish before it is killed.
    kill_after(start_fit(model_dir, random_state=random_state), get_checkpoint(model_dir), 96)
    model = make_classifier(model_dir, random_state=random_state, n_jobs=2).fit(X, Y)
    resumed_files = read_files(model_dir)
    if random_state is None:
        return  # the first process has drawn the seed
    model_dir.rename(tmp_path / "killed")
    make_classifier(model_dir, n_jobs=2).fit(X, Y)
    assert resumed_files == read_files(model_dir)
    assert_equal_models(model, make_classifier(None).fit(X, Y))


def test_fit_does_not_repeat_finished_work(data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    interrupt_after(60, make_classifier(model_dir), X, Y, monkeypatch)
    finished = {f.name for f in get_checkpoint(model_dir).rglob("level-*.npz")}
    written = []
    keep = FolderStore.keep

    def record_file(self, block, arrays):
        file = keep(self, block, arrays)
        written.append(file.name)
        return file

    monkeypatch.setattr(FolderStore, "keep", record_file)
    monkeypatch.setattr("skxmr.xr_linear._training.build_hierarchies", None)
    make_classifier(model_dir).fit(X, Y)
    assert len(finished) == 60
    assert written
    assert not finished & set(written)


def test_random_state_instance_changes_only_when_the_fit_has_finished(data, tmp_path, monkeypatch):
    X, Y = data
    expected = make_classifier(None, random_state=np.random.RandomState(0)).fit(X, Y)
    model = make_classifier(tmp_path / "model", random_state=np.random.RandomState(0))
    monkeypatch.setattr(FitCheckpoint, "finish", raise_disk_full)
    with pytest.raises(OSError, match="disk is full"):
        model.fit(X, Y)
    monkeypatch.undo()
    assert_equal_models(model.fit(X, Y), expected)
    numbers = [each.random_state.randint(2**31) for each in (model, expected)]
    numbers.append(load_model(tmp_path / "model").random_state.randint(2**31))
    assert len(set(numbers)) == 1


def test_checkpoint_of_another_fit_is_rejected(data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    interrupt_after(10, make_classifier(model_dir), X, Y, monkeypatch)
    before = {f: f.read_bytes() for f in get_checkpoint(model_dir).rglob("*") if f.is_file()}
    for params in ({"C": 2.0}, {"random_state": 1}, {"branching_factor": 3}):
        with pytest.raises(ValueError, match="checkpoint of another fit"):
            make_classifier(model_dir, **params).fit(X, Y)
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        make_classifier(model_dir).fit(X[1:], Y[1:])
    assert before == {
        f: f.read_bytes() for f in get_checkpoint(model_dir).rglob("*") if f.is_file()
    }
    # An additional label without rows changes no entry of Y.
    wider = sp.csr_array((Y.data, Y.indices, Y.indptr), shape=(Y.shape[0], Y.shape[1] + 1))
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        make_classifier(model_dir).fit(X, wider)
    # Parameters that only affect prediction may differ.
    make_classifier(model_dir, beam_width=3, n_jobs=2).fit(X, Y)


def test_checkpoint_with_a_damaged_block_is_rejected(data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    interrupt_after(50, make_classifier(model_dir), X, Y, monkeypatch)
    block = max(get_checkpoint(model_dir).rglob("level-*.npz"), key=lambda f: f.stat().st_size)
    undamaged = block.read_bytes()
    for damaged in (
        undamaged[:-100],
        undamaged[:600] + bytes([undamaged[600] ^ 1]) + undamaged[601:],
        b"",
    ):
        block.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{block.name} is damaged.*Remove this file"):
            make_classifier(model_dir).fit(X, Y)
    block.unlink()
    assert_equal_models(make_classifier(model_dir).fit(X, Y), make_classifier(None).fit(X, Y))


def test_checkpoint_with_damaged_trees_is_rejected(data, tmp_path, monkeypatch):
    X, Y = data
    monkeypatch.setattr(FitCheckpoint, "finish", raise_disk_full)
    with pytest.raises(OSError, match="disk is full"):
        make_classifier(tmp_path / "model").fit(X, Y)
    monkeypatch.undo()
    trees = get_checkpoint(tmp_path / "model") / "trees.npz"
    undamaged = trees.read_bytes()
    for damaged in (
        undamaged[:-100],
        undamaged[:600] + bytes([undamaged[600] ^ 1]) + undamaged[601:],
        b"",
    ):
        trees.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"trees\.npz is damaged.*Remove this file"):
            make_classifier(tmp_path / "model").fit(X, Y)
    trees.unlink()
    assert_equal_models(
        make_classifier(tmp_path / "model").fit(X, Y), make_classifier(None).fit(X, Y)
    )


@pytest.mark.parametrize("name", quick.first(1, ["ranked_words", "entry_weights", "child_ids"]))
def test_checkpoint_with_a_damaged_level_is_rejected(name, data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"

    def stop(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("skxmr.xr_linear._checkpoint.FitCheckpoint.finish", stop)
        with pytest.raises(KeyboardInterrupt):
            make_classifier(model_dir).fit(X, Y)
    folder = get_checkpoint(model_dir) / "tree-1" / "level-1"
    array = folder / f"{name}.npy"
    undamaged = array.read_bytes()
    for damaged in (
        undamaged[:-3],
        undamaged[:-3] + bytes([undamaged[-3] ^ 1]) + undamaged[-2:],
        b"",
    ):
        array.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"{name}.npy is damaged. Remove the folder"):
            make_classifier(model_dir).fit(X, Y)
    shutil.rmtree(folder)
    assert_equal_models(make_classifier(model_dir).fit(X, Y), make_classifier(None).fit(X, Y))


def test_checkpoint_with_other_content_is_rejected(data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    interrupt_after(50, make_classifier(model_dir), X, Y, monkeypatch)
    folder = get_checkpoint(model_dir)
    block = max(folder.rglob("level-*.npz"), key=lambda f: f.stat().st_size)
    trees = folder / "trees.npz"
    with np.load(block) as file:
        weights = dict(file)
    with np.load(trees) as file:
        hierarchies = dict(file)
    wide = [np.array([0, 70_000]), np.arange(70_000)]
    cases = [
        (block, {**weights, "entry_children": weights["entry_children"] + 200}, "entry_children"),
        (block, {**weights, "intercepts": weights["intercepts"][1:]}, "intercepts"),
        (block, {**weights, "entry_weights": weights["entry_weights"].astype("f2")}, "dtype"),
        (block, {**weights, "n_iter": np.array("a")}, "sweeps"),
        (block, {**weights, "words": weights["words"].astype(object)}, "allow_pickle=False"),
        (trees, {**hierarchies, "0-order": hierarchies["0-order"] * 0}, "permutation"),
        (trees, {**hierarchies, "n_levels": hierarchies["n_levels"].repeat(2)}, "is missing"),
        (trees, {"n_levels": [1], "0-0": wide[0], "0-order": wide[1]}, "900 labels"),
    ]
    for file, arrays, message in cases:
        undamaged = file.read_bytes()
        np.savez(file, **arrays)
        with pytest.raises(ValueError, match=f"{file.name} is damaged.*{message}.*Remove this"):
            make_classifier(model_dir).fit(X, Y)
        file.write_bytes(undamaged)
    np.savez_compressed(block, **weights)
    with pytest.raises(ValueError, match="it is compressed.*Remove this file"):
        make_classifier(model_dir).fit(X, Y)
    block.unlink()
    block.symlink_to(trees)
    with pytest.raises(ValueError, match="it is not a regular file.*Remove this file"):
        make_classifier(model_dir).fit(X, Y)
    block.unlink()
    assert_equal_models(make_classifier(model_dir).fit(X, Y), make_classifier(None).fit(X, Y))


def test_checkpoint_folder_with_other_files_is_not_changed(data, tmp_path):
    folder = get_checkpoint(tmp_path / "model")
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"has no readable fit\.json"):
        make_classifier(tmp_path / "model").fit(*data)
    assert (folder / "mine.txt").read_text() == "mine"


@pytest.mark.skipif(os.name == "nt", reason="no limit of the size of files")
@pytest.mark.slow(reason="starts processes")
@pytest.mark.parametrize("limit", [1000, 30_000, 150_000])
def test_fit_resumes_after_a_full_disk(limit, data, tmp_path):
    X, Y = data
    model_dir = tmp_path / "model"
    process = start_fit(model_dir, limit=limit, random_state=0)
    message = process.communicate()[1]
    assert process.returncode == 1
    assert "OSError: [Errno 27] File too large" in message
    if limit > 1000:
        assert "the finished part of the fit is kept in" in message
        assert len(list(get_checkpoint(model_dir).rglob("level-*"))) >= 1
    assert not list(get_checkpoint(model_dir).rglob("*.part"))
    assert not model_dir.exists()
    assert_equal_models(make_classifier(model_dir).fit(X, Y), make_classifier(None).fit(X, Y))


def test_checkpoint_syncs_a_level_before_it_removes_the_blocks(data, tmp_path, monkeypatch):
    synced, joined = set(), []
    fsync, rename = os.fsync, os.rename

    def record_sync(descriptor):
        synced.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def check_rename(source, target):
        if Path(source).name.startswith(".level-"):
            joined.append(target)
            assert not [f for f in Path(source).iterdir() if f.stat().st_ino not in synced]
        rename(source, target)

    monkeypatch.setattr(os, "fsync", record_sync)
    monkeypatch.setattr(os, "rename", check_rename)
    make_classifier(tmp_path / "model").fit(*data)
    assert len(joined) == 3


@pytest.mark.parametrize("where", quick.first(1, ["this process", "another process"]))
def test_checkpoint_in_use_by_another_fit_is_rejected(where, data, tmp_path, monkeypatch):
    X, Y = data
    model_dir = tmp_path / "model"
    train = classifier_module.train_trees
    refusals = []

    def train_while_another_fit_starts(*args, **kwargs):
        monkeypatch.undo()
        if where == "this process":
            with pytest.raises(BlockingIOError) as refused:
                make_classifier(model_dir).fit(X, Y)
            refusals.append(str(refused.value))
        else:
            refusals.append(start_fit(model_dir, random_state=0).communicate()[1])
        return train(*args, **kwargs)

    monkeypatch.setattr(classifier_module, "train_trees", train_while_another_fit_starts)
    make_classifier(model_dir).fit(X, Y)
    assert "another fit is writing" in refusals[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    # A failed fit does not keep the lock, even while its traceback exists.
    monkeypatch.setattr(classifier_module, "train_trees", None)
    with pytest.raises(TypeError) as raised:
        make_classifier(model_dir).fit(X, Y)
    monkeypatch.undo()
    make_classifier(model_dir).fit(X, Y)
    assert raised
