"""Arrays in ``.npy`` files that are written block by block."""

import zlib
from contextlib import suppress

import numpy as np

from skxmr._core.files import is_regular, sync

READ_BYTES = 2**22  # read at once, to compute the checksum of a file


class ArrayWriter:
    """Write an array to a file, block by block along the first axis.

    The header contains the shape of the array. It is written again at the end, when the number of
    rows is known: numpy reserves space for a larger number.

    Parameters
    ----------
    path : path-like
        File to write; an existing file is replaced.
    like : ndarray
        An array with the dtype and the remaining axes of the array to write.
    dtype : dtype or None
        Dtype to use instead of that of `like`.

    Attributes
    ----------
    crc32 : int
        Checksum of the blocks written so far, without the header.
    """

    def __init__(self, path, like, dtype=None):
        self.dtype = like.dtype if dtype is None else dtype
        self.shape = [0, *like.shape[1:]]
        self.crc32 = 0
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        self._header_size = self._write_header()

    def append(self, values):
        """Write the next rows."""
        # Not with `ndarray.tofile`: its error does not say that the disk is full.
        content = np.ascontiguousarray(values, dtype=self.dtype).reshape(-1).view(np.uint8).data
        self._file.write(content)
        self.crc32 = zlib.crc32(content, self.crc32)
        self.shape[0] += len(values)

    def __enter__(self):
        """Return the writer."""
        return self

    def __exit__(self, *error):
        """Complete the file and sync it to the disk, or only close it after an error."""
        with self._file:
            if error[0] is None:
                self._file.seek(0)
                if self._write_header() != self._header_size:
                    raise AssertionError("the size of the header of an array file has changed")
                sync(self._file)

    def _write_header(self):
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": tuple(self.shape),
        }
        np.lib.format.write_array_header_1_0(self._file, header)
        return self._file.tell()


def map_verified(file, crc32):
    """Return a read-only memory map of an array after verifying its checksum.

    Parameters
    ----------
    file : Path
        File that an `ArrayWriter` wrote.
    crc32 : int
        Checksum of the array.

    Returns
    -------
    memmap

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    with suppress(Exception):  # whatever numpy raises for an invalid file
        if is_regular(file):  # a link could lead elsewhere, and a named pipe would block
            values = np.load(file, mmap_mode="r", allow_pickle=False)
            found = 0
            with open(file, "rb") as opened:
                opened.seek(values.offset)
                while content := opened.read(READ_BYTES):
                    found = zlib.crc32(content, found)
            if found == crc32:
                return values
    raise ValueError(
        f"{file} is damaged. Remove the folder {file.parent} and fit again: this level is trained "
        "again, all other levels are kept."
    )
