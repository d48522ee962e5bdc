"""Files and folders that are complete or absent."""

import errno
import os
import stat

import pytest

from skxmr._core import files


def write(path, text):
    with files.atomic_file(path) as file:
        file.write(text.encode())


def test_atomic_file_replaces_a_file_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "file"
    write(path, "first")
    path.chmod(0o640)
    write(path, "second")
    assert path.read_text() == "second"
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_atomic_file_leaves_the_old_file_if_writing_fails(tmp_path):
    path = tmp_path / "file"
    write(path, "first")
    with pytest.raises(OSError, match="full"), files.atomic_file(path) as file:  # noqa: PT012
        file.write(b"sec")
        raise OSError("the disk is full")
    assert path.read_text() == "first"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_atomic_file_does_not_replace_a_folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "mine.txt").write_text("mine")
    with pytest.raises(OSError):  # noqa: PT011 - each system has its own message
        write(path, "text")
    assert (path / "mine.txt").read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_atomic_path_does_not_replace_a_file_by_a_folder(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(OSError), files.atomic_path(path) as part:  # noqa: PT011, PT012
        part.mkdir()
        (part / "new.txt").write_text("new")
    assert path.read_text() == "mine"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_atomic_path_restores_the_old_folder_if_interrupted_between_the_renames(
    tmp_path, monkeypatch
):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "old.txt").write_text("old")
    move_away = files._move_away

    def interrupt(*args):
        move_away(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_move_away", interrupt)
    with pytest.raises(KeyboardInterrupt), files.atomic_path(path) as part:
        part.mkdir()
    assert (path / "old.txt").read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder"]


def test_remove_leftovers_removes_only_those_of_the_name(tmp_path):
    token = "0123456789ab"
    leftovers = [f".model.{token}.part", f".model.v2.{token}.part", f".model.{token}.old"]
    for name in [*leftovers, "model.part", ".model.part"]:
        (tmp_path / name).mkdir()
    files.remove_leftovers(tmp_path, "model")
    remaining = {entry.name for entry in tmp_path.iterdir()}
    assert remaining == {*leftovers[1:], "model.part", ".model.part"}
    files.remove_leftovers(tmp_path)
    remaining = {entry.name for entry in tmp_path.iterdir()}
    assert remaining == {leftovers[2], "model.part", ".model.part"}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM])
def test_sync_folder_ignores_file_systems_that_cannot_sync_folders(number, tmp_path, monkeypatch):
    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, "not supported")

    monkeypatch.setattr(os, "fsync", refuse)
    write(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"
