"""Files and folders that are never seen half-written, even if the process is killed."""

import errno
import os
import re
import secrets
import shutil
import stat
import zipfile
from contextlib import contextmanager, suppress

import numpy as np

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


# Errors of file systems that cannot sync folders, and of folders without read permission.
FOLDER_SYNC_ERRORS = {errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EACCES, errno.EPERM}
TOKEN = "[0-9a-f]{12}"


@contextmanager
def atomic_path(path):
    """Yield a temporary path next to `path`, and rename it to `path` when the block has ended.

    The block creates a file or a folder at the temporary path and syncs it. If the block or the
    rename fails, the temporary file or folder is removed and `path` is unchanged.

    Parameters
    ----------
    path : Path
        Destination. An existing file is replaced by a file and keeps its permissions. An existing
        folder is replaced by a folder: it is first renamed, and removed once the new one is in
        place.

    Yields
    ------
    Path
        Temporary path. A killed process leaves it behind; see `remove_leftovers`. A process that is
        killed between the two renames of folders leaves the old folder as
        ``.NAME.TOKEN.old``; rename it to restore it.

    Raises
    ------
    OSError
        If writing or renaming fails, or a file would replace a folder or a folder a file.
    """
    token = secrets.token_hex(6)
    # In the same folder, because a rename must not cross file systems.
    part, old = (path.with_name(f".{path.name}.{token}.{end}") for end in ("part", "old"))
    is_in_place = False
    try:
        yield part
        try:
            if path.is_dir() and part.is_dir():
                _move_away(path, old)
            elif path.is_file() and part.is_file():
                shutil.copymode(path, part)
            os.replace(part, path) if part.is_file() else os.rename(part, path)
        except BaseException:
            if old.exists():
                os.rename(old, path)
            raise
        is_in_place = True
        sync_folder(path.parent)
    finally:
        _remove(part)
        if is_in_place:  # otherwise it may be the only copy
            _remove(old)


@contextmanager
def atomic_file(path):
    """Yield a binary file to write, which appears at `path` when the block has ended.

    Parameters
    ----------
    path : Path
        Destination; an existing file is replaced.

    Yields
    ------
    file object

    Raises
    ------
    OSError
        If the file cannot be written; an existing file is unchanged.
    """
    with atomic_path(path) as part, open(part, "wb") as file:
        yield file
        sync(file)


def remove_leftovers(folder, name=None):
    """Remove temporary files and folders that killed processes left in a folder.

    Parameters
    ----------
    folder : Path
        Folder that holds the destinations of `atomic_path`.
    name : str or None
        Name of the destination; None for all names. No other process may be writing to it.
    """
    name = ".+" if name is None else re.escape(name)
    leftover = re.compile(rf"\.{name}\.{TOKEN}\.part")
    for path in list(folder.iterdir()):
        if leftover.fullmatch(path.name):
            _remove(path)


def remove_folder(folder):
    """Remove a folder; an interrupted removal leaves no folder that looks complete.

    If the folder is in use and cannot be renamed, as on Windows, it stays.
    """
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.part")
    with suppress(OSError):  # Windows does not remove a file that is memory-mapped
        os.rename(folder, part)
        shutil.rmtree(part)


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


@contextmanager
def exclusive_lock(path, message):
    """Lock a file during the block, or raise at once if another process or thread has locked it.

    The file is removed at the end of the block. A killed process leaves an unlocked file. If the
    file system has no locks, nothing is locked.

    Parameters
    ----------
    path : Path
        The file; created if it does not exist.
    message : str
        Message of the error.

    Raises
    ------
    BlockingIOError
        If the file is locked.
    """
    with open(path, "ab") as file:
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except (BlockingIOError, PermissionError):
            raise BlockingIOError(message) from None
        except OSError:
            pass  # the file system has no locks
        if fcntl and not (path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())):
            # The previous owner removed the file after it was opened here.
            raise BlockingIOError(message)
        try:
            yield
        finally:
            if fcntl:  # remove it before the lock is released: afterwards it may be locked again
                path.unlink(missing_ok=True)
    if not fcntl:
        with suppress(OSError):  # another process has opened the file
            path.unlink()


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
