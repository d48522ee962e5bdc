"""A folder of arrays and a JSON header: written whole or not at all, read with its checks.

Knows nothing of models. The header names each array file with its size and checksum, and has a
checksum of its own.
"""

import json
import math
import mmap
import os
import re
import secrets
import shutil
import sys
import zlib
from pathlib import Path

import numpy as np

from skxmr._core.files import sync, sync_folder

HEADER = "header.json"
ARRAY_FILE = re.compile(r"[\w-][\w.-]*\.npy", re.ASCII)
MAPPED_BYTES = 2**16  # smaller files are read: each map holds a file open
ALIGNMENT = 64  # of array data in memory: a cache line, and the widest vector of the kernels
# From Python 3.13 on, none.
MAP_OPTIONS = {"trackfd": False} if sys.version_info >= (3, 13) and os.name != "nt" else {}


def write_folder(path, header, arrays, own=None):
    """Write arrays and their header beside `path`, then put them there at once.

    Parameters
    ----------
    path : path-like
        A new folder, or one that this function wrote with a header of the same format: it is
        replaced when the new one is complete.
    header : dict
        What JSON can hold; ``format`` names its kind. Entries ``arrays`` and ``checksum`` are
        added.
    arrays : dict of ndarray
        By file name.
    own : path-like or None
        A folder whose files nobody else will change: an array that is a map of a whole one is given
        a second name, where the file system can.

    Raises
    ------
    FileExistsError
        If something else is at `path`.
    OSError
        If writing fails: what was at `path` is still there, and nothing else is.
    """
    target = check_place(path, header["format"])
    token = secrets.token_hex(6)
    # Beside the target: a rename must not cross file systems.
    fresh, old = (target.with_name(f".{target.name}.{token}.{end}") for end in ("new", "old"))
    in_place = False
    try:
        fresh.mkdir()
        entries = {
            name: _link_array(fresh / name, array, own) or _write_array(fresh / name, array)
            for name, array in arrays.items()
        }
        header = {**header, "arrays": entries}
        header["checksum"] = checksum_of(header)
        with open(fresh / HEADER, "w", encoding="utf-8") as file:
            json.dump(header, file, allow_nan=False)
            sync(file)
        sync_folder(fresh)
        if target.exists():
            _set_aside(target, old)
        try:
            os.rename(fresh, target)
        except BaseException:
            if old.exists():
                os.rename(old, target)
            raise
        in_place = True
        sync_folder(target.parent)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        if in_place:  # else it may be the only one left
            shutil.rmtree(old, ignore_errors=True)


def _set_aside(target, old):
    try:
        os.rename(target, old)
    except PermissionError as error:
        # Windows does not rename a folder while a file in it is open or memory-mapped.
        raise PermissionError(
            error.errno,
            "the model cannot be replaced: its folder cannot be renamed, for example because a "
            "process has loaded it with mmap_mode. The old model was kept. Delete the loaded model "
            "first, or save to another path",
            str(target),
        ) from error


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


def _link_array(file, array, own):
    # Return the entry of the array, or None if it is not a whole file in the folder `own`.
    if own is None or not isinstance(array, np.memmap) or not array.flags.c_contiguous:
        return None
    source = Path(array.filename)
    size = source.stat().st_size
    if Path(own) not in source.parents or array.offset + array.nbytes != size:
        return None
    try:
        os.link(source, file)
    except OSError:  # a file system without links
        return None
    with open(file, "rb") as opened:
        crc32 = 0
        while part := opened.read(2**20):
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
