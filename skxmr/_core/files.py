"""Files that are whole or not there."""

import os
from contextlib import suppress


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
