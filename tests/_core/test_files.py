"""Files and folders that are complete or absent."""

import errno
import os
import platform
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from skxmr._core import files


@pytest.fixture(params=["exchange", "two renames"])
def way(request, monkeypatch):
    """Replace folders in one step, or as on systems that cannot exchange two folders."""
    if request.param == "two renames":
        monkeypatch.setattr(files, "_exchange", lambda first, second: False)
    return request.param


def write(path, text):
    files.replace_file(path, lambda file: file.write(text.encode()))


def write_folder(path, check_old=lambda folder: None, **contents):
    def write_contents(folder):
        folder.mkdir()
        for name, text in contents.items():
            (folder / name).write_text(text)

    files.replace_path(path, write_contents, check_old)


def read_folder(path):
    return {file.name: file.read_text() for file in path.iterdir()}


def test_replace_file_replaces_a_file_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "file"
    write(path, "first")
    path.chmod(0o640)
    write(path, "second")
    assert path.read_text() == "second"
    if os.name != "nt":
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_replace_file_keeps_the_old_file_if_writing_fails(tmp_path):
    path = tmp_path / "file"
    write(path, "first")

    def fail(file):
        file.write(b"sec")
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        files.replace_file(path, fail)
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["file"]


def test_replace_file_does_not_replace_a_folder(tmp_path):
    path = tmp_path / "folder"
    path.mkdir()
    (path / "mine.txt").write_text("mine")
    with pytest.raises(OSError):  # noqa: PT011 - each system has its own message
        write(path, "text")
    assert (path / "mine.txt").read_text() == "mine"
    assert os.listdir(tmp_path) == ["folder"]


def test_replace_path_does_not_replace_a_file_by_a_folder(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(OSError):  # noqa: PT011
        write_folder(path, new="new")
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.usefixtures("way")
def test_replace_path_replaces_a_folder(tmp_path):
    path = tmp_path / "folder"
    write_folder(path, first="1")
    write_folder(path, second="2")
    assert read_folder(path) == {"second": "2"}
    assert os.listdir(tmp_path) == ["folder"]


@pytest.mark.usefixtures("way")
def test_replace_path_keeps_the_old_folder_if_its_check_fails(tmp_path):
    path = tmp_path / "folder"
    write_folder(path, first="1")

    def refuse(folder):
        assert read_folder(folder) == {"first": "1"}
        raise FileExistsError("a file was added")

    with pytest.raises(FileExistsError, match="added"):
        write_folder(path, refuse, second="2")
    assert read_folder(path) == {"first": "1"}
    assert os.listdir(tmp_path) == ["folder"]


def test_exchange_exchanges_folders_on_linux(tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    write_folder(first, one="1")
    write_folder(second, two="2")
    if not files._exchange(first, second):
        assert platform.libc_ver()[0] != "glibc"
        pytest.skip("the system or file system cannot exchange folders")
    assert read_folder(first) == {"two": "2"}
    assert read_folder(second) == {"one": "1"}


def test_replace_path_in_several_threads_leaves_one_of_the_contents(tmp_path):
    path = tmp_path / "folder"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda i: write_folder(path, a=f"{i}", b=f"{i}"), range(12)))
    contents = read_folder(path)
    assert contents["a"] == contents["b"]
    assert os.listdir(tmp_path) == ["folder"]


def test_replace_path_inside_of_itself_raises_an_error(tmp_path):
    path = tmp_path / "folder"
    with pytest.raises(BlockingIOError, match="folder is already being written by this thread"):
        files.replace_path(path, lambda part: write_folder(path, second="2"))
    assert os.listdir(tmp_path) == []


def test_replace_path_in_a_missing_folder_names_the_path(tmp_path):
    with pytest.raises(FileNotFoundError) as raised:
        write(tmp_path / "missing" / "file", "text")
    assert raised.value.filename == str(tmp_path / "missing" / "file")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_replace_path_does_not_wait_for_a_child_of_a_killed_process(tmp_path):
    path = tmp_path / "folder"
    code = f"""
import os, signal, sys, time
from pathlib import Path
from skxmr._core import files
def write(folder):
    folder.mkdir()
    if os.fork() == 0:
        print("started", flush=True)
        time.sleep(60)
    time.sleep(60)
files.replace_path(Path({str(path)!r}), write)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True
    )
    process.stdout.readline()
    process.kill()
    process.wait()
    write_folder(path, second="2")
    os.killpg(process.pid, signal.SIGKILL)
    process.stdout.close()
    assert read_folder(path) == {"second": "2"}
    assert os.listdir(tmp_path) == ["folder"]


def test_replace_path_removes_leftovers_of_killed_processes(tmp_path):
    path = tmp_path / "folder"
    write_folder(path, first="1")
    for name in [".folder.0123456789ab.part", ".folder.0123456789ab.old", ".folder.skxmr-lock"]:
        (tmp_path / name).mkdir() if "lock" not in name else (tmp_path / name).touch()
    write_folder(path, second="2")
    assert os.listdir(tmp_path) == ["folder"]


def test_replace_path_keeps_the_old_folder_of_a_killed_process_if_it_fails(tmp_path):
    # A process was killed between two renames: this is the only copy.
    (tmp_path / ".folder.0123456789ab.old").mkdir()
    with pytest.raises(ZeroDivisionError):
        files.replace_path(tmp_path / "folder", lambda part: 1 / 0)
    assert os.listdir(tmp_path) == [".folder.0123456789ab.old"]


def test_replace_path_waits_for_another_process(tmp_path):
    path = tmp_path / "folder"
    code = f"""
import sys, time
from pathlib import Path
from skxmr._core import files
def write(folder):
    folder.mkdir()
    print("started", flush=True)
    time.sleep(0.3)
files.replace_path(Path({str(path)!r}), write)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    write_folder(path, second="2")
    assert process.wait() == 0
    process.stdout.close()
    assert read_folder(path) == {"second": "2"}
    assert os.listdir(tmp_path) == ["folder"]


def test_remove_folder_removes_the_lock_and_the_leftovers_of_a_killed_process(tmp_path):
    write_folder(tmp_path / "folder", first="1")
    (tmp_path / ".folder.skxmr-lock").touch()
    (tmp_path / ".folder.0123456789ab.part").mkdir()
    files.remove_folder(tmp_path / "folder")
    assert os.listdir(tmp_path) == []


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
    files.remove_leftovers(tmp_path, "model", end="old")
    assert {entry.name for entry in tmp_path.iterdir()} == {"model.part", ".model.part"}


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EPERM])
def test_sync_folder_ignores_file_systems_that_cannot_sync_folders(number, tmp_path, monkeypatch):
    def refuse(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, "not supported")

    monkeypatch.setattr(os, "fsync", refuse)
    write(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"
