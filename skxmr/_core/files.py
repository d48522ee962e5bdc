"""Files and folders that are never seen half-written, even if the process is killed."""

import ctypes
import errno
import os
import re
import secrets
import shutil
import stat
import zipfile
from contextlib import suppress

import numpy as np

from skxmr._core.locks import waiting_lock
from skxmr._core.signals import DeferredSignals

# Errors of file systems that cannot sync folders, and of folders without read permission.
FOLDER_SYNC_ERRORS = {errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EACCES, errno.EPERM}
# Errors of systems and file systems that cannot exchange two paths.
EXCHANGE_ERRORS = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}
AT_FDCWD, RENAME_EXCHANGE = -100, 2  # constants of Linux
TOKEN = "[0-9a-f]{12}"


def replace_path(path, write, check_old=lambda folder: None):
    """Write a file or a folder, which appears at `path` when it is complete.

    It is written to a temporary path in the same folder, and then renamed. If anything fails or is
    interrupted, also by a signal at any time, `path` has the old or the new content, and nothing
    else remains. A killed process leaves temporary files; the next call for the same path removes
    them. Calls for the same path in several processes or threads wait for one another.

    Parameters
    ----------
    path : Path
        Destination. An existing file is replaced by a file and keeps its permissions. An existing
        folder is replaced by a folder. Where the system cannot exchange two folders, a process
        that is killed between two renames leaves the old folder as ``.NAME.TOKEN.old``; rename it
        to restore it.
    write : callable
        Function of a path, at which it creates a file or a folder and syncs it.
    check_old : callable
        Function of the path of the old folder, called before the folder is removed. If it raises an
        error, `path` is unchanged.

    Raises
    ------
    OSError
        If writing or renaming fails, or a file would replace a folder or a folder a file.
    """
    # In the same folder, because a rename must not cross file systems.
    part, old = (_make_hidden_path(path, end) for end in ("part", "old"))
    with (
        DeferredSignals() as signals,
        waiting_lock(path, signals) as is_locked,
    ):
        if is_locked:
            remove_leftovers(path.parent, path.name)
        try:
            signals.run(write, part)
            if path.is_dir() and part.is_dir():
                _replace_folder(path, part, old, check_old)
            elif part.is_file():
                if path.is_file():
                    shutil.copymode(path, part)
                os.replace(part, path)
            else:
                os.rename(part, path)
            sync_folder(path.parent)
            if is_locked:  # `path` exists, so an old folder of a killed process is not needed
                remove_leftovers(path.parent, path.name, end="old")
        finally:
            _remove(part)


def replace_file(path, write):
    """Write a file, which appears at `path` when it is complete; see `replace_path`.

    Parameters
    ----------
    path : Path
        Destination; an existing file is replaced.
    write : callable
        Function of a binary file object, to which it writes.
    """
    replace_path(path, lambda part: write_synced(part, write))


def write_synced(path, write):
    """Write a file and sync it; `write` is a function of a binary file object."""
    with open(path, "wb") as file:
        write(file)
        sync(file)


def remove_leftovers(folder, name=None, end="part"):
    """Remove temporary files and folders that killed processes left in a folder.

    Parameters
    ----------
    folder : Path
        Folder that holds the destinations of `replace_path`.
    name : str or None
        Name of the destination; None for all names. No other process may be writing to it.
    end : {"part", "old"}
        Whether to remove incomplete content, or old folders that were being replaced.
    """
    name = ".+" if name is None else re.escape(name)
    leftover = re.compile(rf"\.{name}\.{TOKEN}\.{end}")
    with suppress(PermissionError):  # a folder that can be written but not listed
        for entry in os.listdir(folder):
            if leftover.fullmatch(entry):
                _remove(folder / entry)


def remove_folder(folder):
    """Remove a folder, and temporary files that killed processes left while they wrote it.

    An interrupted removal leaves no folder that looks complete. If the folder is in use and cannot
    be renamed, as on Windows, it stays.
    """
    part = _make_hidden_path(folder, "part")
    # Windows does not remove a memory-mapped file.
    with DeferredSignals() as signals, suppress(OSError), waiting_lock(folder, signals):
        remove_leftovers(folder.parent, folder.name)
        os.rename(folder, part)
        shutil.rmtree(part)


def _make_hidden_path(path, end):
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}.{end}")


def _replace_folder(path, part, old, check_old):
    # Afterwards, the old folder is at `part`, or removed.
    if _exchange(part, path):
        try:
            check_old(part)
        except BaseException:
            try:
                is_back = _exchange(part, path)
            except OSError:
                is_back = False
            if not is_back:  # keep the old folder at least under another name
                os.rename(part, old)
            raise
        return
    _move_away(path, old)
    try:
        check_old(old)
        os.rename(part, path)
    except BaseException:
        if not path.exists():
            os.rename(old, path)
        raise
    _remove(old)


def _exchange(first, second):
    # Exchange two paths in one step. Return False if the system or the file system cannot do it.
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, TypeError):  # not Linux with glibc 2.28 or later
        return False
    paths = os.fsencode(first), os.fsencode(second)
    if renameat2(AT_FDCWD, paths[0], AT_FDCWD, paths[1], RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in EXCHANGE_ERRORS:
        return False
    raise OSError(number, os.strerror(number), str(first), None, str(second))


def _move_away(path, old):
    try:
        os.rename(path, old)
    except PermissionError as error:
        # Windows does not rename a folder while a file in it is open or memory-mapped.
        raise PermissionError(
            error.errno,
            "the folder cannot be replaced, for example because a file in it is open or "
            "memory-mapped. The old folder was kept. Delete the loaded model or close the process "
            "that has loaded it, or write to another path",
            str(path),
        ) from error


def _remove(path):
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def sync(file):
    """Write the buffered content of an open file to the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder):
    """Write the names of the files in a folder to the disk, if the system can."""
    if os.name == "nt":  # Windows cannot open folders
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in FOLDER_SYNC_ERRORS:
            raise


def read_archive(file, consequence):
    """Return the arrays of an ``.npz`` file that `numpy.savez` wrote, after checking it.

    Parameters
    ----------
    file : Path
        The file.
    consequence : str
        Consequence of removing the file for the next fit; part of the error message.

    Returns
    -------
    dict of ndarray

    Raises
    ------
    ValueError
        If the file is damaged, not a regular file or compressed, or contains pickled objects.
    """
    try:
        check_uncompressed(file)
        with np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except OSError:
        raise
    except Exception as error:  # whatever zipfile and numpy raise for invalid files
        raise ValueError(
            f"{file} is damaged ({error}). Remove this file and fit again: {consequence}."
        ) from None


def check_uncompressed(file):
    """Raise an error if a path is not a regular zip file whose members are not compressed.

    A link could lead elsewhere, a named pipe would block, and a small compressed file could fill
    the memory.
    """
    if not is_regular(file):
        raise ValueError("it is not a regular file")
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
    is_stored = all(member.compress_type == zipfile.ZIP_STORED for member in members)
    if not is_stored or sum(m.file_size for m in members) > file.stat().st_size:
        raise ValueError("it is compressed")


def is_regular(file):
    """Return whether a path is a regular file, and not a link to one."""
    try:
        return stat.S_ISREG(os.lstat(file).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def resumable_error(error, folder):
    """Return an error of the same kind, whose message says how to resume the fit."""
    # Python's errors about files have an errno; errors of this library have only a message.
    message = (
        f"{error.strerror or error}: the finished part of the fit is kept in {folder}; fit again "
        "with the same data and parameters to resume"
    )
    if error.errno is None:
        return type(error)(message)
    return OSError(error.errno, message, error.filename)
