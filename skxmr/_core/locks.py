"""Locks between processes and threads, as files next to the path that they protect."""

import os
import threading
import time
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple

from skxmr._core.user_warnings import warn_user

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

SECONDS_BETWEEN_TRIALS = 0.02
SECONDS_BEFORE_WARNING = 10


class _Lock(NamedTuple):
    """An open lock file.

    Attributes
    ----------
    file : file object
        The file.
    is_supported : bool
        Whether the file system has locks; otherwise nothing is locked.
    thread : int
        Thread that holds the lock.
    """

    file: BinaryIO
    is_supported: bool
    thread: int


_held_locks = {}  # by path


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
    lock = _try_lock(path)
    if lock is None:
        raise BlockingIOError(message)
    with _unlock_at_end(path, lock):
        yield


@contextmanager
def waiting_lock(path, signals):
    """Lock a path during the block; wait while another process or thread has locked it.

    Parameters
    ----------
    path : Path
        File or folder to lock. The lock is the file ``.NAME.skxmr-lock`` in the same folder.
    signals : DeferredSignals
        Its `run` calls the waiting, so that signals can interrupt it.

    Yields
    ------
    bool
        False if the file system has no locks.

    Raises
    ------
    BlockingIOError
        If this thread holds the lock, for example because a signal handler saves the model that is
        just being saved.
    """
    file = path.with_name(f".{path.name}.skxmr-lock")
    started_at, is_warned = time.monotonic(), False
    while (lock := _try_lock_of(path, file)) is None:
        held = _held_locks.get(file)
        if held is not None and held.thread == threading.get_ident():
            raise BlockingIOError(f"{path} is already being written by this thread.")
        if not is_warned and time.monotonic() - started_at > SECONDS_BEFORE_WARNING:
            is_warned = True
            warn_user(
                f"Waiting for another process or thread, which is writing {path} and has locked "
                f"{file}."
            )
        signals.run(time.sleep, SECONDS_BETWEEN_TRIALS)
    with _unlock_at_end(file, lock):
        yield lock.is_supported


def _try_lock_of(path, file):
    try:
        return _try_lock(file)
    except OSError as error:  # for example if the folder does not exist
        error.filename = str(path)
        raise


def _try_lock(path):
    # Return None if another process or thread has locked the file.
    file = _open(path)
    if file is None:
        return None
    is_supported = True
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except BlockingIOError:
        file.close()
        return None
    except OSError as error:
        if not fcntl and isinstance(error, PermissionError):  # locked, on Windows
            file.close()
            return None
        is_supported = False
    if fcntl and is_supported and not _is_file_at(path, file):
        # The previous owner removed the file after it was opened here.
        file.close()
        return None
    return _Lock(file, is_supported, threading.get_ident())


def _open(path):
    try:
        return open(path, "ab")
    except PermissionError:
        if not path.exists():
            raise
        # A file of another user can be locked without writing to it. On Windows, the file is just
        # being removed.
        return open(path, "rb") if fcntl else None


def _is_file_at(path, file):
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _unlock_at_end(path, lock):
    _held_locks[path] = lock
    try:
        yield
    finally:
        del _held_locks[path]  # before the next owner enters itself
        if fcntl:  # remove the file before the lock is released: afterwards it may be locked again
            with suppress(OSError):
                path.unlink()
        lock.file.close()
        if not fcntl:
            with suppress(OSError):  # another process has opened the file
                path.unlink()


def _release_in_child():
    # A child process has copies of the open files. It would hold the locks if the parent is killed.
    for lock in _held_locks.values():
        lock.file.close()
    _held_locks.clear()


if fcntl:
    os.register_at_fork(after_in_child=_release_in_child)
