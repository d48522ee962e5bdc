"""A folder of arrays and a JSON header, which is either complete or absent.

The header contains the size and the checksum of each array file, and its own checksum. All are
verified when the folder is read. This module is independent of the models that are stored.
"""

import json
import math
import mmap
import os
import re
import sys
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skxmr._core.arrays import PLAIN_DTYPES
from skxmr._core.files import is_regular, replace_path, sync, sync_folder

HEADER = "header.json"
ARRAY_FILE = re.compile(r"[\w-][\w.-]*\.npy", re.ASCII)
MIN_MAPPED_BYTES = 2**16  # smaller files are read, because each memory map keeps a file open
ALIGNMENT = 64  # bytes: a cache line, and the widest vector of the kernels
MAX_HEADER_BYTES = 2**28  # a header has less than 10 kilobytes, but extras may be long
READ_BYTES = 2**20  # read at once, to compute the checksum of a file
# Without this option, a memory map keeps a second file descriptor. New in Python 3.13.
MAP_OPTIONS = {"trackfd": False} if sys.version_info >= (3, 13) and os.name != "nt" else {}


def write_folder(path, header, arrays, linked_folders=()):
    """Write arrays and their header as a folder.

    Parameters
    ----------
    path : path-like
        Destination: an absent path, an empty folder, or a folder that this function wrote with the
        same format. An existing folder is replaced when the new one is complete.
    header : dict
        Values that JSON can represent; ``format`` is the name of the format. The entries ``arrays``
        and ``checksum`` are added.
    arrays : dict of ndarray
        Arrays by file name.
    linked_folders : collection of path-like
        Folders whose files nobody else will change. An array that is a memory map of a whole file
        there is hard-linked instead of copied, if the file system supports links.

    Raises
    ------
    FileExistsError
        If another file or folder exists at `path`.
    OSError
        If writing fails. An existing folder is still complete, old or new, and no temporary file
        remains.
    """
    target = check_destination(path, header["format"])

    def write(folder):
        folder.mkdir()
        _write_files(folder, header, arrays, linked_folders)
        sync_folder(folder)

    def check_old(folder):  # files may have been added to it
        _check_replaceable(path, folder, header["format"])

    try:
        replace_path(target, write, check_old)
    except OSError as error:
        if error.errno is not None and error.filename is None:  # for example if the disk is full
            error.filename = str(path)
        raise


def _write_files(folder, header, arrays, linked_folders):
    entries = {}
    for name, array in arrays.items():
        entry = _link_array(folder / name, array, linked_folders)
        entries[name] = entry or _write_array(folder / name, array)
    header = {**header, "arrays": entries}
    header["checksum"] = header_checksum(header)
    with open(folder / HEADER, "w", encoding="utf-8") as file:
        json.dump(header, file, allow_nan=False)
        sync(file)


def check_destination(path, format_name):
    """Raise an error if a folder cannot be written to a path without loss; return its real path.

    Parameters
    ----------
    path : path-like
        Path as given by the user.
    format_name : str
        Value of ``format`` in the header of an existing folder. Such a folder may be replaced if it
        is undamaged and contains no other files.

    Returns
    -------
    Path
        The path with all symbolic links resolved.

    Raises
    ------
    FileNotFoundError
        If the parent folder does not exist.
    FileExistsError
        If another file or folder would be lost.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"The parent folder of {path} must exist; there is no folder {target.parent}."
        )
    if target.exists():
        _check_replaceable(path, target, format_name)
    return target


def _check_replaceable(path, target, format_name):
    # `path` is the path as given by the user, `target` the existing file or folder.
    if not target.is_dir():
        raise FileExistsError(
            f"{path} must be a folder or absent; it is a file. Nothing was written."
        )
    names = {entry.name for entry in target.iterdir()}
    if not names:
        return
    try:
        header = read_header(target, format_name)
    except ValueError as error:
        raise FileExistsError(
            f"{path} exists and is not a model that can be replaced: {error} Nothing was written. "
            "Choose another path, or remove the folder."
        ) from None
    if others := sorted(names - {HEADER, *header["arrays"]}):
        raise FileExistsError(
            f"{path} contains other files besides a model: {', '.join(others[:3])}. Nothing was "
            "written. Move these files, or choose another path."
        )


def read_header(path, format_name, version=None):
    """Read and verify the header of a folder.

    Parameters
    ----------
    path : path-like
        The folder.
    format_name : str
        Required value of ``format``.
    version : int or None
        Newest supported ``format_version``; None accepts any.

    Returns
    -------
    dict
        The header, without its checksum.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    ValueError
        If the header is missing or damaged, or has another format or a newer version.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such folder.")
    file = path / HEADER
    size = _size_of_regular_file(file)
    if size is None:
        raise ValueError(f"{path} is not a folder that save_model wrote: it contains no {HEADER}.")
    if size > MAX_HEADER_BYTES:
        raise ValueError(f"{file} must have at most {MAX_HEADER_BYTES} bytes; got {size}.")
    try:
        header = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{file} is damaged: {error}.") from None
    if not isinstance(header, dict) or header.get("format") != format_name:
        raise ValueError(f"{file} was not written by save_model: its format is not {format_name}.")
    checksum = header.pop("checksum", None)
    try:
        expected = header_checksum(header)
    except (ValueError, RecursionError) as error:  # for example a NaN, which is not JSON
        raise ValueError(f"{file} is damaged: {error}.") from None
    if checksum != expected:
        raise ValueError(f"{file} is damaged: its checksum does not match.")
    found_version = header.get("format_version", 0)
    if type(found_version) is not int or not isinstance(header.get("arrays"), dict):
        raise ValueError(f"{file} must have an integer format_version and a dict of arrays.")
    if version is not None and found_version > version:
        raise ValueError(
            f"{path} has format version {found_version}, written by skxmr "
            f"{header.get('skxmr_version')}; the installed skxmr reads versions up to {version}. "
            "Update skxmr."
        )
    return header


def _size_of_regular_file(file):
    """Return the size of a regular file, or None for anything else.

    A symbolic link could lead out of the folder, and a named pipe would block.
    """
    return os.lstat(file).st_size if is_regular(file) else None


class ArrayEntry(NamedTuple):
    """Entry of an array in a header.

    Attributes
    ----------
    shape : tuple of int
        Shape of the array.
    dtype : dtype
        Its dtype.
    offset : int
        Start of the values in the file, in bytes.
    bytes : int
        Size of the file.
    crc32 : str
        Checksum of the file.
    """

    shape: tuple
    dtype: np.dtype
    offset: int
    bytes: int
    crc32: str

    @classmethod
    def read(cls, entry):
        """Return the entry of a header after checking it; raise a ValueError if it is invalid."""
        try:
            shape, dtype = tuple(entry["shape"]), np.dtype(entry["dtype"])
            offset, size, crc32 = entry["offset"], entry["bytes"], entry["crc32"]
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(
                f"it must have a shape, dtype, offset, bytes and crc32: {error}"
            ) from None
        numbers = (*shape, offset, size)
        if not all(type(number) is int and number >= 0 for number in numbers):
            raise ValueError("its shape, offset and bytes must be integers >= 0")
        if dtype.kind not in PLAIN_DTYPES or type(entry["dtype"]) is not str:
            raise ValueError(f"its dtype must be that of plain values; got {entry['dtype']!r}")
        if offset + math.prod(shape) * dtype.itemsize != size:
            raise ValueError(f"its shape {shape} and dtype {dtype} must have {size} bytes")
        return cls(shape, dtype, offset, size, crc32)


class ArrayFiles:
    """The arrays of a folder. Each is read when it is first used.

    Parameters
    ----------
    path : path-like
        The folder.
    entries : dict
        Entry ``arrays`` of the header. The sizes of all files are verified immediately.
    mapped : bool
        Whether large arrays are read-only memory maps, whose checksums are not verified. Other
        arrays are read into memory, and their checksums are verified.

    Raises
    ------
    ValueError
        If a file is missing, or has a wrong size or an invalid name.
    """

    def __init__(self, path, entries, mapped):
        self.path = Path(path)
        self.entries = {}
        self.mapped = mapped
        self._arrays = {}
        for name, fields in entries.items():
            if not ARRAY_FILE.fullmatch(name):
                raise ValueError(
                    f"{self.path / HEADER} lists {name!r}, which is not a valid name of an array "
                    "file."
                )
            try:
                entry = self.entries[name] = ArrayEntry.read(fields)
            except ValueError as error:
                raise ValueError(
                    f"{self.path / HEADER} has an invalid entry of {name}: {error}."
                ) from None
            size = _size_of_regular_file(self.path / name)
            if size is None:
                raise ValueError(f"{self.path} is damaged: {name} is missing.")
            if size != entry.bytes:
                raise ValueError(
                    f"{self.path} is damaged: {name} must have {entry.bytes} bytes; got {size}."
                )

    def __getitem__(self, name):
        """Return an array by the name of its file."""
        if name not in self._arrays:
            if name not in self.entries:
                raise ValueError(
                    f"{self.path / HEADER} refers to the array file {name!r}, but does not list it."
                )
            self._arrays[name] = self._read(name, self.entries[name])
        return self._arrays[name]

    def _read(self, name, entry):
        file = self.path / name
        is_mapped = self.mapped and entry.bytes >= MIN_MAPPED_BYTES
        buffer = _map(file) if is_mapped else _read_verified(file, entry)
        # The header of the .npy file contains the same shape and dtype, but is slower to read.
        values = np.frombuffer(buffer, entry.dtype, math.prod(entry.shape), entry.offset)
        return values.reshape(entry.shape)


def find_mapped_file(array):
    """Return the path of the file of which an array is a memory map, or None."""
    while isinstance(array, np.ndarray):
        if isinstance(array, np.memmap):
            return Path(array.filename)
        array = array.base
    # `np.frombuffer` may put a memoryview around its buffer.
    mapped = array.obj if isinstance(array, memoryview) else array
    return mapped.find_file() if isinstance(mapped, _MappedFile) else None


def _link_array(file, array, folders):
    # Return the entry of the array, or None if it is not a memory map of a whole file there.
    source = find_mapped_file(array)
    if source is None or not any(Path(folder) in source.parents for folder in folders):
        return None
    with open(source, "rb") as opened:
        header_size = _skip_header(opened)
        size = opened.seek(0, os.SEEK_END)
    if header_size + array.nbytes != size or not array.flags.c_contiguous:
        return None
    try:
        os.link(source, file)
    except OSError:  # the file system does not support links
        return None
    with open(file, "rb") as opened:
        crc32 = 0
        while content := opened.read(READ_BYTES):
            crc32 = zlib.crc32(content, crc32)
    return _header_entry(array, size, crc32)


def _write_array(file, array):
    with open(file, "wb") as opened:
        writer = _ChecksumWriter(opened)
        np.lib.format.write_array(writer, np.asarray(array, order="C"), allow_pickle=False)
        sync(opened)
        size = opened.tell()
    return _header_entry(array, size, writer.crc32)


def _header_entry(array, size, crc32):
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.str,
        "offset": size - array.nbytes,
        "bytes": size,
        "crc32": f"{crc32:08x}",
    }


class _ChecksumWriter:
    """File object for numpy's write_array that also computes the CRC-32 of the written bytes."""

    def __init__(self, file):
        self.file = file
        self.crc32 = 0

    def write(self, data):
        self.crc32 = zlib.crc32(data, self.crc32)
        return self.file.write(data)


class _MappedFile(mmap.mmap):
    """A memory map that knows its file.

    Attributes
    ----------
    path : Path
        Path of the file when it was mapped. Another file may have replaced it since.
    stat : os.stat_result
        Identity of the file.
    """

    def find_file(self):
        """Return the path of the file, or None if it is no longer there."""
        try:
            return self.path if os.path.samestat(self.stat, os.stat(self.path)) else None
        except OSError:
            return None


def _map(file):
    with open(file, "rb") as opened:
        mapped = _MappedFile(opened.fileno(), 0, access=mmap.ACCESS_READ, **MAP_OPTIONS)
        mapped.path, mapped.stat = Path(file), os.fstat(opened.fileno())
    return mapped


def _skip_header(opened):
    np.lib.format.read_magic(opened)
    np.lib.format.read_array_header_1_0(opened)
    return opened.tell()


def _read_verified(file, entry):
    # Memory maps are aligned for the kernels, so this buffer is aligned too.
    buffer = np.empty(entry.bytes + ALIGNMENT, dtype=np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    content = buffer[start : start + entry.bytes]
    with open(file, "rb") as opened:
        opened.readinto(content)
    if f"{zlib.crc32(content):08x}" != entry.crc32:
        raise ValueError(f"{file.parent} is damaged: the checksum of {file.name} does not match.")
    # Several objects of a model share an array, and some of them are immutable.
    content.flags.writeable = False
    return content


def header_checksum(header):
    """Return the checksum of a header, and therefore of the sizes and checksums of all arrays."""
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    return f"{zlib.crc32(text.encode()):08x}"
