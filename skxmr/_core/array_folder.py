"""A folder of arrays and a JSON header, written completely or not at all, and checked when read.

The header lists the size and the checksum of each array file, and has a checksum of its own. This
module knows nothing about models.
"""

import json
import math
import mmap
import os
import re
import sys
import zlib
from pathlib import Path

import numpy as np

from skxmr._core.files import atomic_path, sync, sync_folder

HEADER = "header.json"
ARRAY_FILE = re.compile(r"[\w-][\w.-]*\.npy", re.ASCII)
MAPPED_BYTES = 2**16  # smaller files are read, because each memory map keeps a file open
ALIGNMENT = 64  # bytes: a cache line, and the widest vector of the kernels
READ_BYTES = 2**20  # per read, to compute the checksum of a file
# Without this option, a memory map keeps a second file descriptor. New in Python 3.13.
MAP_OPTIONS = {"trackfd": False} if sys.version_info >= (3, 13) and os.name != "nt" else {}


def write_folder(path, header, arrays, owned_folder=None):
    """Write arrays and their header as a folder.

    Parameters
    ----------
    path : path-like
        A new folder, or a folder that this function wrote with a header of the same format, which
        is replaced when the new one is complete.
    header : dict
        Values that JSON can represent; ``format`` names their format. The entries ``arrays`` and
        ``checksum`` are added.
    arrays : dict of ndarray
        Arrays by file name.
    owned_folder : path-like or None
        A folder whose files nobody else will change. An array that is a memory map of a whole file
        there is linked instead of copied, if the file system can.

    Raises
    ------
    FileExistsError
        If something else is at `path`.
    OSError
        If writing fails. An existing folder is unchanged, and nothing else remains.
    """
    target = check_place(path, header["format"])
    with atomic_path(target) as part:
        part.mkdir()
        entries = {
            name: _link_array(part / name, array, owned_folder) or _write_array(part / name, array)
            for name, array in arrays.items()
        }
        header = {**header, "arrays": entries}
        header["checksum"] = checksum_of(header)
        with open(part / HEADER, "w", encoding="utf-8") as file:
            json.dump(header, file, allow_nan=False)
            sync(file)
        sync_folder(part)


def check_place(path, format_name):
    """Return where a folder goes; refuse to write where nothing can be, or what is there is lost.

    Parameters
    ----------
    path : path-like
        As the user named it.
    format_name : str
        The ``format`` that the header of an old folder must have: one that is whole and has
        nothing else in it may be replaced.

    Returns
    -------
    Path
        Where `path` leads to.

    Raises
    ------
    FileNotFoundError
        If there is no folder to write it in.
    FileExistsError
        If something else would be lost.
    """
    target = Path(os.path.realpath(path))
    if not target.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {target.parent} to write it in.")
    if target.exists():
        _check_replaceable(path, target, format_name)
    return target


def _check_replaceable(path, target, format_name):
    if not target.is_dir():
        raise FileExistsError(f"{path} is a file; a model is a folder. Nothing was written.")
    found = {entry.name for entry in target.iterdir()}
    if not found:
        return
    try:
        header = read_header(path, format_name)
    except ValueError as error:
        raise FileExistsError(
            f"{path} is there already, and is not a model to be replaced: {error} "
            "Nothing was written; choose another path or remove it."
        ) from None
    if others := sorted(found - {HEADER, *header["arrays"]}):
        raise FileExistsError(
            f"{path} holds more than a model: {', '.join(others[:3])}. Nothing was written; move "
            "these, or choose another path."
        )


def read_header(path, format_name, version=None):
    """Return the header of a folder, having checked it.

    Parameters
    ----------
    path : path-like
        The folder.
    format_name : str
        The ``format`` that it must have.
    version : int or None
        The newest ``format_version`` that can be read; None reads any.

    Returns
    -------
    dict

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If it has no header, one of another format, a newer one, or a damaged one.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such folder.")
    if not (path / HEADER).is_file():
        raise ValueError(f"{path} is not a folder that save_model wrote: it has no {HEADER}.")
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path / HEADER} is damaged: {error}.") from None
    if not isinstance(header, dict) or header.get("format") != format_name:
        raise ValueError(f"{path / HEADER} is of something else: its format is not {format_name}.")
    if version is not None and header.get("format_version", 0) > version:
        raise ValueError(
            f"{path} is in format {header['format_version']}, written by skxmr "
            f"{header.get('skxmr_version')}; this version reads up to format {version}. Update "
            "skxmr."
        )
    checksum = header.pop("checksum", None)
    if checksum != checksum_of(header):
        raise ValueError(f"{path / HEADER} is damaged: its checksum is wrong.")
    return header


class ArrayFiles:
    """The arrays of a folder, read once each.

    Parameters
    ----------
    path : path-like
        The folder.
    entries : dict
        ``arrays`` of its header. All files are looked for, and their sizes checked, at once.
    mapped : bool
        Whether large arrays are read-only memory maps, whose contents are not read; others are read
        and their checksums compared.
    """

    def __init__(self, path, entries, mapped):
        self.path = Path(path)
        self.entries = entries
        self.mapped = mapped
        self._arrays = {}
        for name, entry in entries.items():
            if not ARRAY_FILE.fullmatch(name):
                raise ValueError(f"{self.path / HEADER} names {name!r}, which is no array file.")
            try:
                size = os.stat(self.path / name).st_size
            except FileNotFoundError:
                raise ValueError(f"{self.path} is damaged: {name} is missing.") from None
            if size != entry["bytes"]:
                raise ValueError(
                    f"{self.path} is damaged: {name} has {size} bytes in place of {entry['bytes']}."
                )

    def __getitem__(self, name):
        """Return an array by the name of its file."""
        if name not in self._arrays:
            if name not in self.entries:
                raise ValueError(f"{self.path / HEADER} asks for {name!r}, which it does not list.")
            self._arrays[name] = self._read(name, self.entries[name])
        return self._arrays[name]

    def _read(self, name, entry):
        file = self.path / name
        mapped = self.mapped and entry["bytes"] >= MAPPED_BYTES
        room = _map(file) if mapped else _read_checked(file, entry)
        # The header of the file says the same as the entry, and is slower to read.
        shape, dtype = entry["shape"], np.dtype(entry["dtype"])
        return np.frombuffer(room, dtype, math.prod(shape), entry["offset"]).reshape(shape)


def _link_array(file, array, owned_folder):
    # Return the entry of the array, or None if it is not a whole file in the folder.
    if owned_folder is None or not isinstance(array, np.memmap) or not array.flags.c_contiguous:
        return None
    source = Path(array.filename)
    size = source.stat().st_size
    if Path(owned_folder) not in source.parents or array.offset + array.nbytes != size:
        return None
    try:
        os.link(source, file)
    except OSError:  # a file system without links
        return None
    with open(file, "rb") as opened:
        crc32 = 0
        while part := opened.read(READ_BYTES):
            crc32 = zlib.crc32(part, crc32)
    return _entry(array, size, crc32)


def _write_array(file, array):
    with open(file, "wb") as opened:
        checked = _CheckedFile(opened)
        np.lib.format.write_array(checked, np.asarray(array, order="C"), allow_pickle=False)
        sync(opened)
        size = opened.tell()
    return _entry(array, size, checked.crc32)


def _entry(array, size, crc32):
    return {
        "shape": list(array.shape),
        "dtype": array.dtype.str,
        "offset": size - array.nbytes,
        "bytes": size,
        "crc32": f"{crc32:08x}",
    }


class _CheckedFile:
    """Takes the checksum of what is written, without reading it again."""

    def __init__(self, file):
        self.file = file
        self.crc32 = 0

    def write(self, data):
        self.crc32 = zlib.crc32(data, self.crc32)
        return self.file.write(data)


def _map(file):
    with open(file, "rb") as opened:
        return mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ, **MAP_OPTIONS)


def _read_checked(file, entry):
    # Into memory that is aligned for the kernels, as a map is.
    room = np.empty(entry["bytes"] + ALIGNMENT, dtype=np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    content = room[start : start + entry["bytes"]]
    with open(file, "rb") as opened:
        opened.readinto(content)
    if f"{zlib.crc32(content):08x}" != entry["crc32"]:
        raise ValueError(f"{file.parent} is damaged: the checksum of {file.name} is wrong.")
    content.flags.writeable = False  # parts of a model share it, and some of them are immutable
    return content


def checksum_of(header):
    """Return the checksum of a header, and so of the sizes and checksums of all arrays."""
    text = json.dumps(header, sort_keys=True, allow_nan=False)
    return f"{zlib.crc32(text.encode()):08x}"
