"""Damaged and foreign folders, and errors while a folder is written."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from helpers.manipulations import rewrite_header
from skxmr import LabelHierarchy, load_model, save_model
from skxmr._core import array_folder, files

TREE = LabelHierarchy.from_memberships(np.arange(5000) % 70)
OTHER = LabelHierarchy.from_memberships(np.arange(100) % 7)


@pytest.fixture
def folder(tmp_path):
    """Return the folder of a saved tree."""
    save_model(TREE, tmp_path / "model")
    return tmp_path / "model"


def array_files(folder):
    return sorted(folder.glob("*.npy"))


@pytest.mark.parametrize("mmap_mode", [None, "r"])
def test_load_model_names_missing_and_truncated_files(folder, mmap_mode):
    for file in array_files(folder):
        content = file.read_bytes()
        file.write_bytes(content[:-1])
        with pytest.raises(ValueError, match=rf"{file.name} must have .* got {len(content) - 1}"):
            load_model(folder, mmap_mode=mmap_mode)
        file.unlink()
        with pytest.raises(ValueError, match=f"damaged: {file.name} is missing"):
            load_model(folder, mmap_mode=mmap_mode)
        file.write_bytes(content)
    assert load_model(folder, mmap_mode=mmap_mode) == TREE


def test_load_model_detects_any_flipped_bit(folder):
    for file in [*array_files(folder), folder / "header.json"]:
        content = file.read_bytes()
        for position in np.linspace(0, len(content) - 1, 11).astype(int):
            damaged = bytearray(content)
            damaged[position] ^= 1
            file.write_bytes(damaged)
            with pytest.raises(ValueError, match=file.name):
                load_model(folder)
        file.write_bytes(content)
    assert load_model(folder) == TREE


def test_load_model_verifies_values_instead_of_checksums_of_mapped_arrays(folder, monkeypatch):
    monkeypatch.setattr(array_folder, "MIN_MAPPED_BYTES", 0)
    file = folder / "leaf_of_label.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    load_model(folder, mmap_mode="r", trusted=True)
    with pytest.raises(ValueError, match="leaf_of_label disagree"):
        load_model(folder, mmap_mode="r")
    for trusted in (False, True):
        with pytest.raises(ValueError, match=r"checksum of leaf_of_label\.npy"):
            load_model(folder, trusted=trusted)


def test_load_model_rejects_folders_that_are_not_models(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load_model(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"empty is not a folder that save_model wrote"):
        load_model(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"header\.json is not a folder"):
        load_model(folder / "header.json")
    for text in ("[]", "3", '{"format": "other"}'):
        (tmp_path / "empty" / "header.json").write_text(text)
        with pytest.raises(ValueError, match=r"was not written by save_model"):
            load_model(tmp_path / "empty")
    with pytest.raises(ValueError, match="mmap_mode"):
        load_model(folder, mmap_mode="w+")


def test_load_model_rejects_newer_formats(folder):
    rewrite_header(folder, lambda header: header.update(format_version=4, skxmr_version="9.0"))
    with pytest.raises(ValueError, match=r"format version 4, written by skxmr 9\.0.*Update"):
        load_model(folder)


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ({"object": "UnknownClass", "fields": {}}, "UnknownClass"),
        ({"object": "transformer", "fields": {}}, "transformer"),
        ({"eval": "1 + 1"}, "eval"),
        ({}, "None"),
        ({"sparse": "bsr_tree", "shape": [1, 1]}, "bsr_tree"),
        ({"array": "../secret.npy"}, r"\.\./secret"),
    ],
)
def test_load_model_rejects_unknown_classes_and_values(folder, model, named):
    rewrite_header(folder, lambda header: header.update(model=model))
    with pytest.raises(ValueError, match=named):
        load_model(folder)


def test_load_model_does_not_read_files_outside_the_folder(folder):
    def add_outside_file(header):
        header["arrays"]["../secret.npy"] = header["arrays"]["leaf_of_label.npy"]

    rewrite_header(folder, add_outside_file)
    with pytest.raises(ValueError, match=r"'\.\./secret\.npy', which is not a valid name"):
        load_model(folder)


def test_save_model_replaces_models_and_no_other_files(folder, tmp_path):
    save_model(OTHER, folder)
    assert load_model(folder) == OTHER
    (tmp_path / "empty").mkdir()
    save_model(OTHER, tmp_path / "empty")
    assert load_model(tmp_path / "empty") == OTHER
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"notes\.txt"):
        save_model(TREE, folder)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="is a file"):
        save_model(TREE, tmp_path / "file")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match="not a model"):
        save_model(TREE, tmp_path / "home")
    with pytest.raises(FileNotFoundError, match="no folder"):
        save_model(TREE, tmp_path / "nothing" / "model")
    assert (tmp_path / "file").read_text() == "mine"
    assert load_model(folder) == OTHER
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "file", "home", "model"]


@pytest.mark.parametrize("existing", [True, False])
@pytest.mark.parametrize("call", range(1, 12))
def test_save_model_that_fails_at_any_step_keeps_the_old_model(
    tmp_path, monkeypatch, existing, call
):
    """Let the n-th call of fsync, rename or exchange fail, for each n."""
    path = tmp_path / "model"
    if existing:
        save_model(OTHER, path)
    calls = 0

    def failing(function):
        def wrapped(*args):
            nonlocal calls
            calls += 1
            if calls == call:
                raise OSError(errno.ENOSPC, "no space")
            return function(*args)

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing(os.fsync))
        patch.setattr(os, "rename", failing(os.rename))
        patch.setattr(files, "_exchange", failing(files._exchange))
        try:
            save_model(TREE, path)
            message = None
        except OSError as error:
            message = str(error)
    failed = message is not None
    assert failed == (calls >= call)
    assert not failed or str(tmp_path) in message  # which disk is full
    if not failed:
        assert load_model(path) == TREE
    elif existing:
        assert load_model(path) in (OTHER, TREE)
    else:
        assert not path.exists() or load_model(path) == TREE
    assert [p.name for p in tmp_path.iterdir()] == (["model"] if path.exists() else [])


def test_save_model_keeps_the_old_model_if_it_cannot_be_renamed(tmp_path, monkeypatch):
    # Windows does not rename a folder while a file in it is memory-mapped.
    path = tmp_path / "model"
    save_model(OTHER, path)
    rename = os.rename

    def refuse(source, target):
        if Path(source) == path:
            raise PermissionError(errno.EACCES, "Access is denied", str(source))
        rename(source, target)

    monkeypatch.setattr(files, "_exchange", lambda first, second: False)
    monkeypatch.setattr(os, "rename", refuse)
    with pytest.raises(PermissionError, match=r"cannot be replaced.*old folder was kept.*model"):
        save_model(TREE, path)
    assert load_model(path) == OTHER
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize("can_exchange", [True, False])
def test_save_model_keeps_a_file_that_is_added_to_the_old_model_during_the_save(
    tmp_path, monkeypatch, can_exchange
):
    path = tmp_path / "model"
    save_model(OTHER, path)
    write_files = array_folder._write_files

    def write_and_add(*args):
        write_files(*args)
        (path / "notes.txt").write_text("mine")

    monkeypatch.setattr(array_folder, "_write_files", write_and_add)
    if not can_exchange:
        monkeypatch.setattr(files, "_exchange", lambda first, second: False)
    with pytest.raises(FileExistsError, match=r"other files besides a model: notes\.txt"):
        save_model(TREE, path)
    assert (path / "notes.txt").read_text() == "mine"
    assert load_model(path) == OTHER
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
