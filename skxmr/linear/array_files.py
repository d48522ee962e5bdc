"""A ``.npy`` file written a part at a time."""

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
    """

    def __init__(self, path, like, dtype=None):
        self.dtype = like.dtype if dtype is None else dtype
        self.shape = [0, *like.shape[1:]]
        self._file = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        self._start = self._write_header()

    def append(self, values):
        """Write the next rows."""
        # Not by tofile, whose error at a full disk does not say that it is one.
        self._file.write(np.ascontiguousarray(values, dtype=self.dtype).data)
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
