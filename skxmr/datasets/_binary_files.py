"""Read and write binary files: paths, descriptors or file objects, also compressed."""

import bz2
import gzip
import io
import lzma
import os
import zlib
from contextlib import contextmanager, nullcontext
from pathlib import Path

from skxmr._core.files import replace_file

COMPRESSIONS = (".gz", ".bz2", ".xz")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class NumberedLines:
    """Lines of a binary file, with the number of the last line for error messages.

    A byte order mark at the start is removed.

    Parameters
    ----------
    file : file-like
        File in binary mode; possibly decompressed while it is read.
    name : str
        Name of the file in error messages.

    Attributes
    ----------
    number : int
        Number of the last line that was read, from 1; 0 before the first line.

    Raises
    ------
    ValueError
        If compressed data are damaged or truncated, or the file is in UTF-16.
    """

    def __init__(self, file, name):
        self.file, self.name, self.number = file, name, 0

    def __iter__(self):
        try:
            for line in self.file:
                self.number += 1
                yield line if self.number > 1 else self._remove_mark(line)
        except EOFError as error:
            raise ValueError(
                f"{self.name}: compressed data must be complete; got an unexpected end after line "
                f"{self.number}. The file may be truncated."
            ) from error
        except (zlib.error, lzma.LZMAError, OSError) as error:
            is_of_system = getattr(error, "errno", None) is not None
            if is_of_system or isinstance(error, io.UnsupportedOperation):
                raise
            raise ValueError(
                f"{self.name}: compressed data must be valid; got the error {str(error)!r} after "
                f"line {self.number}. The file may be damaged, or not compressed."
            ) from error

    def _remove_mark(self, line):
        if line.startswith(UTF16_MARKS):
            raise ValueError(f"{self.name} must be in UTF-8; got UTF-16. Save the file in UTF-8.")
        return line.removeprefix(BYTE_ORDER_MARK)


@contextmanager
def open_binary(path):
    """Open a path, a descriptor or a file object for reading; yield the file and its name."""
    if _is_file_object(path, "read"):
        yield path, str(getattr(path, "name", path))
    elif _is_descriptor(path):
        with open(path, "rb", closefd=False) as file:
            yield file, f"file descriptor {path}"
    else:
        path = _check_path(path, "readable")
        with open(path, "rb") as raw, _compressed(raw, path, "rb") as file:
            yield file, path


def write_binary(path, write):
    """Call `write` with the binary file at a path, of a descriptor or a file object."""
    if _is_file_object(path, "write"):
        write(path)
    elif _is_descriptor(path):
        with open(path, "wb", closefd=False) as file:
            write(file)
    else:
        path = _check_path(path, "writable")

        def write_compressed(raw):
            with _compressed(raw, path, "wb") as file:
                write(file)

        if os.path.exists(path) and not os.path.isfile(path):  # devices and pipes are not replaced
            with open(path, "wb") as raw:
                write_compressed(raw)
        else:
            replace_file(Path(os.path.realpath(path)), write_compressed)


def _is_file_object(path, method):
    if not hasattr(path, method):
        return False
    if isinstance(path, io.TextIOBase):
        raise TypeError("path must be a file opened in binary mode; got text mode.")
    return True


def _is_descriptor(path):
    return isinstance(path, int) and not isinstance(path, bool)


def _check_path(path, ability):
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"path must be a str, a path, a {ability} file object in binary mode or a file "
            f"descriptor; got {type(path).__name__}."
        )
    return os.fsdecode(path)


def _compressed(raw, path, mode):
    """Return a context with the file that compresses or decompresses by the suffix of `path`."""
    if path.endswith(".gz"):
        # Without name and time, equal data give equal files.
        return gzip.GzipFile(filename="", mode=mode, fileobj=raw, mtime=0)
    if path.endswith(".bz2"):
        return bz2.BZ2File(raw, mode)
    if path.endswith(".xz"):
        return lzma.LZMAFile(raw, mode)
    return nullcontext(raw)
