"""Storage of finished blocks of weights until their level is complete: in memory, or in files."""

import json
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from skxmr._core.files import (
    is_regular,
    read_archive,
    remove_leftovers,
    replace_file,
    replace_path,
    resumable_error,
    sync_folder,
    write_synced,
)
from skxmr._core.threads import count_workers
from skxmr._linear.array_files import ArrayWriter, map_verified
from skxmr._linear.level_checks import (
    DTYPES,
    InvalidLevelError,
    check_level_content,
    check_level_structure,
)
from skxmr._linear.level_model import (
    BLOCK_ARRAYS,
    LAYOUT_ARRAYS,
    NARROW_ARRAYS,
    LevelModel,
    count_iterations,
    make_dense_weights,
    make_tables,
    stores_dense_weights,
)

# Tables with offsets from the start of the level. Other tables count from the start of a chunk.
LEVEL_OFFSETS = ("word_indptr", "feature_indptr", "entry_indptr")
LEVEL_FILE = "level.json"


class MemoryStore:
    """Keep blocks in memory and join them there.

    Parameters
    ----------
    n_jobs : int or None
        Number of workers, as in joblib. About 32 blocks per worker are made, so that a worker that
        has finished finds another block.
    """

    max_children = 2**31

    def __init__(self, n_jobs):
        self.n_blocks = 32 * count_workers(n_jobs)

    def load_level(self, level, layout, weight_dtype):
        """Return a finished level, or None."""

    def load_block(self, block, layout, weight_dtype):
        """Return a finished block, or None."""

    def keep(self, block, arrays):
        """Store the arrays that `join_chunks` returned; return what `join` needs."""
        return arrays

    def join(self, level, blocks, layout):
        """Return the `LevelModel` of all blocks of a level, in the order of their clusters."""
        return LevelModel.from_blocks(blocks, layout)


class FolderStore:
    """Write finished blocks to files, and join them to levels there.

    A block or a level is either complete or absent. Complete ones are not trained again. At most
    one block of weights is in memory. The arrays of the levels that `join` returns are memory maps.

    Parameters
    ----------
    path : path-like
        Folder; created if it does not exist.
    """

    # The same for any number of workers, because a fit may be resumed with another number.
    # A thousand labels take about 100 megabytes.
    n_blocks = 256
    max_children = 2**13

    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(exist_ok=True)
        remove_leftovers(self.path)

    def load_level(self, level, layout, weight_dtype):
        """Return a finished level after checking its files, or None.

        A ValueError is raised unless it has this `LevelLayout` and this dtype of the weights.
        """
        folder = self._level_folder(level)
        if not folder.is_dir():
            return None
        try:
            info = _read_json(folder / LEVEL_FILE)
            level = _map_level(folder, info, map_verified, check_level_content)
            _check_level_belongs(level, layout, weight_dtype)
            return level
        except (TypeError, KeyError, AttributeError, InvalidLevelError) as error:
            raise ValueError(
                f"{folder} is damaged: {error}. Remove the folder and fit again: this level is "
                "trained again, all other levels are kept."
            ) from None

    def load_block(self, block, layout, weight_dtype):
        """Return the file of a finished block after checking it, or None.

        A ValueError is raised unless it fits to the `LevelLayout` of its level.
        """
        file = self._block_file(block)
        if not file.exists():
            return None
        consequence = "its clusters are trained again, all others are kept"
        arrays = read_archive(file, consequence)
        try:
            _check_block(arrays, block, layout, weight_dtype)
        except ValueError as error:
            raise ValueError(
                f"{file} is damaged: {error}. Remove this file and fit again: {consequence}."
            ) from None
        return file

    def keep(self, block, arrays):
        """Write a block; return its file."""
        path = self._block_file(block)
        try:
            replace_file(path, lambda file: np.savez(file, **arrays))
        except OSError as error:
            raise resumable_error(error, self.path) from error
        return path

    def join(self, level, blocks, layout):
        """Write the arrays of a level from the files of its blocks, then remove these files."""
        folder = self._level_folder(level)
        info = {}

        def write(part):
            part.mkdir()
            info.update(_join_files(part, blocks, layout))
            text = json.dumps(info).encode()
            write_synced(part / LEVEL_FILE, lambda file: file.write(text))
            sync_folder(part)

        try:
            # A level is whole and safe on the disk before its blocks are removed.
            replace_path(folder, write)
        except OSError as error:
            raise resumable_error(error, self.path) from error
        for file in blocks:
            file.unlink()
        return _map_level(folder, info, _map_own_file)

    def _level_folder(self, level):
        return self.path / f"level-{level}"

    def _block_file(self, block):
        return self.path / f"level-{block.level}-{block.start}-{block.stop}.npz"


def _read_json(file):
    if not is_regular(file):
        raise InvalidLevelError(f"{file.name} is missing")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidLevelError(f"{file.name} cannot be read: {error}") from None


def _map_own_file(file, crc32):
    # This process has written the file, so the checksum is not verified.
    return np.load(file, mmap_mode="r", allow_pickle=False)


def _check_level_belongs(level, layout, weight_dtype):
    counts = (level.n_iter, level.n_unsolved)
    is_valid = (
        all(np.array_equal(level.arrays[name], getattr(layout, name)) for name in LAYOUT_ARRAYS)
        and level.n_features == layout.n_features
        and level.only_children_inherit is layout.only_children_inherit
        and level.arrays["entry_weights"].dtype == weight_dtype
        and all(type(count) is int and count >= 0 for count in counts)
    )
    if not is_valid:
        raise InvalidLevelError("it belongs to another tree or fit")


def _check_block(arrays, block, layout, weight_dtype):
    counts = [arrays.pop(name, None) for name in ("n_iter", "n_unsolved")]
    if not all(_is_count(n) for n in counts):
        raise InvalidLevelError("its numbers of sweeps are invalid")
    if not arrays.keys() <= set(BLOCK_ARRAYS):
        raise InvalidLevelError("it contains other arrays")
    child_indptr = layout.child_indptr[block.start : block.stop + 1]
    arrays["child_indptr"] = child_indptr - child_indptr[0]
    arrays["child_ids"] = np.arange(child_indptr[-1] - child_indptr[0], dtype=np.int32)
    check_level_structure(arrays, {}, layout.n_features)
    if arrays["entry_weights"].dtype != weight_dtype:
        raise InvalidLevelError("its weights have another dtype")
    arrays["words"] = np.append(arrays["words"], np.uint64(0))
    check_level_content(arrays, make_tables(arrays), layout.n_features)


def _is_count(value):
    is_integer = isinstance(value, np.ndarray) and value.dtype == np.int64 and value.ndim == 0
    return is_integer and value >= 0


def _map_level(folder, info, map_file, check_content=lambda *level: None):
    names = {*info["arrays"], *info["tables"]}
    if not names <= DTYPES.keys():  # for example the path of another file
        raise InvalidLevelError(f"{LEVEL_FILE} lists unknown arrays")
    arrays, tables = (
        {name: map_file(folder / f"{name}.npy", crc32) for name, crc32 in info[kind].items()}
        for kind in ("arrays", "tables")
    )
    names = ("n_features", "n_iter", "n_unsolved", "only_children_inherit")
    check_level_structure(arrays, tables, info["n_features"])
    check_content(arrays, tables, info["n_features"])
    return LevelModel(arrays, tables=tables, **{name: info[name] for name in names})


def _join_files(folder, blocks, layout):
    # Write the arrays and tables of a level. Return their checksums and the counts of the level.
    dtypes, n_chunk_features = _inspect_blocks(blocks)
    stores_dense = stores_dense_weights(np.diff(layout.child_indptr).max(), n_chunk_features)
    with ExitStack() as stack:
        files, counts = _append_blocks(folder, blocks, stores_dense, dtypes, stack)
        for name in LAYOUT_ARRAYS:
            values = getattr(layout, name)
            file = ArrayWriter(folder / f"{name}.npy", values)
            files[name] = stack.enter_context(file)
            file.append(values)
    n_iter, n_unsolved = count_iterations(counts)
    array_names = {*LAYOUT_ARRAYS, *BLOCK_ARRAYS}
    return {
        "arrays": {name: file.crc32 for name, file in files.items() if name in array_names},
        "tables": {name: file.crc32 for name, file in files.items() if name not in array_names},
        "n_features": int(layout.n_features),
        "n_iter": n_iter,
        "n_unsolved": n_unsolved,
        "only_children_inherit": layout.only_children_inherit,
    }


def _append_blocks(folder, blocks, stores_dense, dtypes, stack):
    files, counts, ends = {}, [], dict.fromkeys(LEVEL_OFFSETS, 0)
    for number, file in enumerate(blocks):
        with np.load(file, allow_pickle=False) as block:
            arrays = {name: block[name] for name in block.files}
        counts.append({name: arrays.pop(name) for name in ("n_iter", "n_unsolved")})
        words = np.append(arrays["words"], np.uint64(0))
        arrays |= make_tables({**arrays, "words": words})
        if stores_dense:
            arrays["table"] = make_dense_weights(arrays)
        for name in ends.keys() & arrays.keys():
            arrays[name] = arrays[name][min(number, 1) :] + ends[name]
            ends[name] = arrays[name][-1]
        del arrays["words"]  # `ranked_words` contains them
        arrays["ranked_words"] = arrays["ranked_words"][:-1]
        for name, values in arrays.items():
            if name not in files:
                file = ArrayWriter(folder / f"{name}.npy", values, dtypes.get(name))
                files[name] = stack.enter_context(file)
            files[name].append(values)
    files["ranked_words"].append(np.zeros((1, 2)))
    return files, counts


def _inspect_blocks(blocks):
    # Smallest sufficient dtypes for the whole level, and the number of features of all its chunks.
    dtypes = {name: [] for name in NARROW_ARRAYS}
    n_chunk_features = 0
    for file in blocks:
        with np.load(file, allow_pickle=False) as block:
            for name in NARROW_ARRAYS:
                values = block[name]
                dtypes[name].append(values.dtype)
                n_chunk_features += len(values) if name == "entry_counts" else 0
    return {name: np.result_type(*found) for name, found in dtypes.items()}, n_chunk_features
