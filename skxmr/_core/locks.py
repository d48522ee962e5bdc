"""Locks between processes and threads, as files next to the path that they protect."""

import os
import time
from contextlib import contextmanager, suppress
from typing import BinaryIO, NamedTuple

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt

SECONDS_BETWEEN_TRIALS = 0.02


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
    """Lock a file during the block; wait while another process or thread has locked it.

    Parameters
    ----------
    path : Path
        The file; created if it does not exist, and removed at the end.
    signals : DeferredSignals
        Its `run` calls the waiting, so that signals can interrupt it.

    Yields
    ------
    bool
        False if the file system has no locks.
    """
    while (lock := _try_lock(path)) is None:
        signals.run(time.sleep, SECONDS_BETWEEN_TRIALS)
    with _unlock_at_end(path, lock):
        yield lock.is_locked


class _Lock(NamedTuple):
    """An open file, and whether it is locked."""

    file: BinaryIO
    is_locked: bool


def _try_lock(path):
    # Return None if another process or thread has locked the file.
    file = open(path, "ab")  # noqa: SIM115 - closed by _unlock_at_end
    try:
        if fcntl:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except (BlockingIOError, PermissionError):
        file.close()
        return None
    except OSError:  # the file system has no locks
        return _Lock(file, is_locked=False)
    if fcntl and not _is_file_at(path, file):
        # The previous owner removed the file after it was opened here.
        file.close()
        return None
    return _Lock(file, is_locked=True)


def _is_file_at(path, file):
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _unlock_at_end(path, lock):
    try:
        yield
    finally:
        if fcntl:  # remove it before the lock is released: afterwards it may be locked again
            path.unlink(missing_ok=True)
        lock.file.close()
        if not fcntl:
            with suppress(OSError):  # another process has opened the file
                path.unlink()
