"""Readers of untrusted files: JSON objects and sparse matrices of scipy."""

import json
import math
import zipfile
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import scipy.sparse as sp

MAX_JSON_BYTES = 2**20
# Memory is allocated for every feature, also without weights. More features than this are accepted
# only if the file has weights for at least one of MAX_FEATURES_PER_WEIGHT features.
MAX_UNUSED_FEATURES = 2**24
MAX_FEATURES_PER_WEIGHT = 1000


def file_error(file, expected, got):
    """Return a ValueError that names a file and what is expected of it."""
    return ValueError(f"{file} must {expected}; got {got}.")


def check_folder(folder, content):
    """Return the path of a folder; raise an error if there is none."""
    path = Path(folder)
    if not path.is_dir():
        raise file_error(folder, f"be a folder with {content}", "no folder")
    return path


def check_file(file):
    """Raise a ValueError if a path is not a regular file; a named pipe would block."""
    if not file.is_file():
        raise file_error(file, "be a file", "no file" if not file.exists() else "something else")


def read_json(file):
    """Return the object in a JSON file as a dict."""
    check_file(file)
    if file.stat().st_size > MAX_JSON_BYTES:
        raise file_error(file, f"have at most {MAX_JSON_BYTES} bytes", file.stat().st_size)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise file_error(file, "be a JSON file", f"an error of the parser ({error})") from None
    if not isinstance(values, dict):
        raise file_error(file, "contain a JSON object", type(values).__name__)
    return values


def read_integer(values, name, file, low=0, high=2**31 - 1):
    """Return the integer with a name in a JSON object, within limits."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, Integral) or not low <= value <= high:
        raise file_error(file, f"have an integer from {low} to {high} as {name!r}", repr(value))
    return int(value)


def read_number(values, name, file):
    """Return the finite number with a name in a JSON object."""
    value = values.get(name)
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise file_error(file, f"have a finite number as {name!r}", repr(value))
    return float(value)


def check_n_features(n_features, n_weights, folder):
    """Raise a ValueError if a model has so many features without weights that memory is at risk."""
    if n_features > max(MAX_UNUSED_FEATURES, MAX_FEATURES_PER_WEIGHT * n_weights):
        raise file_error(
            folder,
            f"have at most {MAX_UNUSED_FEATURES} features, or a weight for at least one of "
            f"{MAX_FEATURES_PER_WEIGHT} features",
            f"{n_features} features and {n_weights} weights",
        )


def read_sparse(file, shape):
    """Return the float32 matrix in an ``.npz`` file that `scipy.sparse.save_npz` wrote.

    Parameters
    ----------
    file : Path
        The file.
    shape : tuple of int
        Expected shape.

    Returns
    -------
    csc_array
        Checked: the indices are in range, the values are finite.
    """
    arrays = _read_arrays(file)
    try:
        layout = arrays["format"].item()
        layout = layout.decode("ascii") if isinstance(layout, bytes) else str(layout)
    except ValueError:
        layout = "an array"
    if layout not in ("csc", "csr"):
        raise file_error(file, "contain a CSC or CSR matrix", layout)
    if arrays["shape"].dtype.kind not in "iu" or arrays["shape"].tolist() != list(shape):
        raise file_error(file, f"have the shape {shape}", arrays["shape"].tolist())
    n_major, n_minor = shape if layout == "csr" else shape[::-1]
    data, indices, indptr = arrays["data"], arrays["indices"], arrays["indptr"]
    if not (
        data.dtype.kind in "fiu"
        and indices.dtype.kind in "iu"
        and indptr.dtype.kind in "iu"
        and data.shape == indices.shape == (len(data),)
        and indptr.shape == (n_major + 1,)
    ):
        raise file_error(
            file,
            f"have numbers as data, as many integers as indices, and {n_major + 1} as indptr",
            ", ".join(f"{a.dtype} {a.shape}" for a in (data, indices, indptr)),
        )
    bounds = indptr.astype(np.int64)
    is_increasing = bounds[0] == 0 and bounds[-1] == len(data) and np.all(np.diff(bounds) >= 0)
    if not is_increasing or (len(data) and not 0 <= indices.min() <= indices.max() < n_minor):
        raise file_error(
            file,
            f"have an indptr that increases from 0 to {len(data)}, and indices from 0 to "
            f"{n_minor - 1}",
            "other numbers",
        )
    with np.errstate(over="ignore"):
        data = data.astype(np.float32)
    if not np.isfinite(data).all():
        raise file_error(file, "contain finite numbers", "NaN or infinity")
    make = sp.csr_array if layout == "csr" else sp.csc_array
    index_dtype = np.int32 if max(len(data), n_minor) < 2**31 else np.int64
    parts = (data, indices.astype(index_dtype), bounds.astype(index_dtype))
    matrix = sp.csc_array(make(parts, shape=shape))
    matrix.sum_duplicates()
    return matrix


def _read_arrays(file):
    check_file(file)
    names = ("data", "indices", "indptr", "format", "shape")
    with open(file, "rb") as opened:
        try:
            with zipfile.ZipFile(opened) as archive:
                return {name: _read_array(archive, f"{name}.npy") for name in names}
        except Exception as error:  # whatever zipfile and numpy raise for invalid files
            raise file_error(
                file, f"be an uncompressed .npz file with the arrays {', '.join(names)}", error
            ) from None


def _read_array(archive, name):
    # np.load allocates the memory that a header asks for before it reads the numbers.
    member = archive.getinfo(name)
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} with compression")
    with archive.open(member) as opened:
        version = np.lib.format.read_magic(opened)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = read_header(opened)
        content = opened.read()  # at most the bytes of the file, because they are not compressed
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or len(shape) > 1 or len(content) != size:
        raise ValueError(f"{name} of shape {shape} and dtype {dtype} with {len(content)} bytes")
    return np.frombuffer(content, dtype=dtype).reshape(shape)
