"""Where finished blocks of weights wait for their level: in memory, or in files."""

import json
import os
import shutil
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from joblib import effective_n_jobs

from skxmr._core.files import check_archive, sync_folder, to_go_on, write_whole
from skxmr._linear.array_files import ArrayFile, map_checked
from skxmr._linear.level_model import (
    JOINED,
    NARROWED,
    LevelModel,
    count_iterations,
    is_dense,
    make_tables,
)

# Of a table, the offsets from the beginning of the level; all others count from a chunk's own.
RUNNING = ("word_indptr", "feature_indptr", "entry_indptr")


class MemoryStore:
    """Keeps blocks as they are and joins them in memory.

    Parameters
    ----------
    n_jobs : int or None
        As in joblib. About 32 blocks a worker are made, so that one that ends early finds another.
    """

    def __init__(self, n_jobs):
        self.sizes = {"n_blocks": 32 * effective_n_jobs(n_jobs), "max_children": 2**31}

    def level(self, level):
        """Return a level that is finished, or None."""

    def find(self, level, block):
        """Return a block that is finished, or None."""

    def keep(self, level, block, solved):
        """Take what `join_chunks` returned; what comes back is for `join`."""
        return solved

    def join(self, level, blocks, child_indptr, child_ids, n_features):
        """Return the `LevelModel` of all blocks of a level, in the order of their parents."""
        return LevelModel.from_blocks(blocks, child_indptr, child_ids, n_features)


class FolderStore:
    """Writes blocks to files as they are finished, and joins them there, block by block.

    A block or a level is there whole or not at all: it is written under another name, brought to
    the disk, and renamed. What is there is not trained again. No more than a block of weights is in
    memory; the arrays of the levels that `join` returns are maps of their files.

    Parameters
    ----------
    path : path-like
        A folder; made if it is not there.
    """

    # The same for any number of workers: another may go on. A thousand labels in 100 megabytes.
    sizes = {"n_blocks": 256, "max_children": 2**13}

    def __init__(self, path):
        self.path = Path(path)
        self.path.mkdir(exist_ok=True)
        for rest in self.path.glob("*.part"):
            shutil.rmtree(rest) if rest.is_dir() else rest.unlink()

    def level(self, level):
        """Return a level that is finished, checked, or None."""
        folder = self.path / f"level-{level}"
        if not folder.is_dir():
            return None
        made = json.loads((folder / "level.json").read_text(encoding="utf-8"))
        return _map(folder, made, map_checked)

    def find(self, level, block):
        """Return the file of a block that is finished, checked, or None."""
        file = self._file(level, block)
        if not file.exists():
            return None
        check_archive(file, "its clusters are trained anew, all others are kept")
        return file

    def keep(self, level, block, solved):
        """Write a block; return its file."""
        file = self._file(level, block)
        try:
            write_whole(file, lambda opened: np.savez(opened, **solved))
        except OSError as error:
            raise to_go_on(error, self.path) from error
        return file

    def join(self, level, blocks, child_indptr, child_ids, n_features):
        """Write the arrays of a level from the files of its blocks, and remove these."""
        folder = self.path / f"level-{level}"
        part = folder.with_suffix(".part")
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            made = _join(part, blocks, child_indptr, child_ids, n_features)
            write_whole(part / "level.json", lambda file: file.write(json.dumps(made).encode()))
            sync_folder(part)
            os.rename(part, folder)
            sync_folder(self.path)  # before the blocks go
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise to_go_on(error, self.path) from error
        for file in blocks:
            file.unlink()
        return _map(folder, made, lambda file, _: np.load(file, mmap_mode="r"))

    def _file(self, level, block):
        _, start, stop = block
        return self.path / f"level-{level}-{start}-{stop}.npz"


def _map(folder, made, map_file):
    arrays, tables = (
        {name: map_file(folder / f"{name}.npy", crc32) for name, crc32 in made[kind].items()}
        for kind in ("arrays", "tables")
    )
    counts = (made[name] for name in ("n_features", "n_iter", "n_unsolved"))
    return LevelModel(arrays, *counts, tables)


def _join(folder, blocks, child_indptr, child_ids, n_features):
    # Write the arrays and tables of a level, and return what its LevelModel needs beside them.
    widths, n_chunk_features = _widths(blocks)
    dense = is_dense(np.diff(child_indptr).max(), n_chunk_features)
    with ExitStack() as opened:
        files, counts = _join_blocks(folder, blocks, dense, widths, opened)
        for name, values in (("child_indptr", child_indptr), ("child_ids", child_ids)):
            file = ArrayFile(folder / f"{name}.npy", values)
            files[name] = opened.enter_context(file)
            file.append(values)
    n_iter, n_unsolved = count_iterations(counts)
    in_arrays = {"child_indptr", "child_ids", *JOINED}
    return {
        "arrays": {name: file.crc32 for name, file in files.items() if name in in_arrays},
        "tables": {name: file.crc32 for name, file in files.items() if name not in in_arrays},
        "n_features": int(n_features),
        "n_iter": n_iter,
        "n_unsolved": n_unsolved,
    }


def _join_blocks(folder, blocks, dense, widths, opened):
    files, counts, ends = {}, [], dict.fromkeys(RUNNING, 0)
    for number, file in enumerate(blocks):
        with np.load(file) as block:
            part = {name: block[name] for name in block.files}
        counts.append({name: part.pop(name) for name in ("n_iter", "n_unsolved")})
        part |= make_tables({**part, "words": np.append(part["words"], np.uint64(0))}, dense)
        for name in ends.keys() & part.keys():
            part[name] = part[name][min(number, 1) :] + ends[name]
            ends[name] = part[name][-1]
        del part["words"]  # they stand beside their ranks
        part["ranked_words"] = part["ranked_words"][:-1]
        for name, values in part.items():
            if name not in files:
                file = ArrayFile(folder / f"{name}.npy", values, widths.get(name))
                files[name] = opened.enter_context(file)
            files[name].append(values)
    files["ranked_words"].append(np.zeros((1, 2)))
    return files, counts


def _widths(blocks):
    # Whether 8 bits are enough for a whole level, and how many features its chunks have.
    dtypes = {name: [] for name in NARROWED}
    n_chunk_features = 0
    for file in blocks:
        with np.load(file) as block:
            for name in NARROWED:
                values = block[name]
                dtypes[name].append(values.dtype)
                n_chunk_features += len(values) if name == "entry_counts" else 0
    return {name: np.result_type(*found) for name, found in dtypes.items()}, n_chunk_features
