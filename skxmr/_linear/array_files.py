"""A ``.npy`` file written a part at a time."""

import zlib
from contextlib import suppress

import numpy as np

from skxmr._core.files import sync


class ArrayFile:
    """An array on its way to a file: parts are appended along the first axis.

    The header, which says how long the array is, is written again at the end: numpy leaves room in
    it for a number of any length.

    Parameters
    ----------
    path : path-like
        The file; replaced if it is there.
    like : ndarray
        An array of the dtype and of the other axes.
    dtype : dtype or None
        Another dtype.

    Attributes
    ----------
    crc32 : int
        Checksum of the parts so far, without the header.
    """

    def __init__(self, path, like, dtype=None):
        self.dtype = like.dtype if dtype is None else dtype
        self.shape = [0, *like.shape[1:]]
        self.crc32 = 0
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        self._start = self._write_header()

    def append(self, values):
        """Write the next rows."""
        # Not by tofile, whose error at a full disk does not say that it is one.
        part = np.ascontiguousarray(values, dtype=self.dtype).reshape(-1).view(np.uint8).data
        self._file.write(part)
        self.crc32 = zlib.crc32(part, self.crc32)
        self.shape[0] += len(values)

    def __enter__(self):
        """Return the file, to append to."""
        return self

    def __exit__(self, *error):
        """Finish the file and bring it to the disk, or leave it if an error came."""
        with self._file:
            if error[0] is None:
                self._file.seek(0)
                if self._write_header() != self._start:
                    raise AssertionError("the header of an array file has grown")
                sync(self._file)

    def _write_header(self):
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": tuple(self.shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)
        return self._file.tell()


def map_checked(file, crc32):
    """Return a read-only map of an array whose parts have this checksum.

    Parameters
    ----------
    file : Path
        What an `ArrayFile` wrote.
    crc32 : int
        Its checksum.

    Returns
    -------
    memmap

    Raises
    ------
    ValueError
        If it is damaged.
    """
    with suppress(
        ValueError, OSError, EOFError
    ):  # a header that cannot be read, a file that is too short
        values = np.load(file, mmap_mode="r")
        found = 0
        with open(file, "rb") as opened:
            opened.seek(values.offset)
            while part := opened.read(2**22):
                found = zlib.crc32(part, found)
        if found == crc32:
            return values
    raise ValueError(
        f"{file} is damaged. Remove the folder {file.parent} and fit again: its level is trained "
        "anew, all others are kept."
    )
