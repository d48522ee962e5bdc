"""Files that are whole or not there."""

import os
import zipfile
from contextlib import contextmanager, suppress

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None
    import msvcrt


def write_whole(path, write):
    """Write a file under another name, bring it to the disk, and give it its own.

    Parameters
    ----------
    path : Path
        The file; replaced if it is there. What is left of a killed process ends in ``.part``.
    write : callable
        Given the open file.

    Raises
    ------
    OSError
        If it cannot be written: nothing is left of it.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "wb") as file:
            write(file)
            sync(file)
        os.replace(part, path)
    except OSError:
        with suppress(OSError):
            part.unlink()
        raise


def sync(file):
    """Bring what was written to an open file to the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder):
    """Bring the names of the files in a folder to the disk."""
    if os.name != "nt":  # where folders cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def check_archive(file, consequence):
    """Refuse an ``.npz`` file that is damaged; `consequence` says what its loss costs."""
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile as error:
        damaged = str(error)
    if damaged:
        raise ValueError(
            f"{file} is damaged ({damaged}). Remove this file and fit again: {consequence}."
        )


@contextmanager
def held(path, refusal):
    """Hold a file that one user at a time may hold; it is there as long as it is held.

    A user that is killed holds it no more. Where the file system has no locks, nobody is kept out.

    Parameters
    ----------
    path : Path
        The file; made if it is not there.
    refusal : str
        What the error says.

    Raises
    ------
    BlockingIOError
        If somebody else holds it: another process, or another user in this one.
    """
    with open(path, "ab") as file:
        try:
            if fcntl:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            else:
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except (BlockingIOError, PermissionError):
            raise BlockingIOError(refusal) from None
        except OSError:
            pass  # no locks
        if fcntl and not (path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat())):
            raise BlockingIOError(refusal)  # it was opened just before its last user removed it
        try:
            yield
        finally:
            if fcntl:  # while it is held: later it may be the next one's
                path.unlink(missing_ok=True)
    if not fcntl:
        with suppress(OSError):  # the next one has it open
            path.unlink()


def to_go_on(error, folder):
    """Return an error of the same kind that says how the work that stopped goes on."""
    # Python's own errors of a file have a number; ours are a message alone.
    message = (
        f"{error.strerror or error}: what was finished is kept in {folder}; fit again, with the "
        "same data and parameters, to go on from there"
    )
    if error.errno is None:
        return type(error)(message)
    return OSError(error.errno, message, error.filename)
