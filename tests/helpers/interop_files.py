"""Fixtures as paths, and changes of files that readers must survive."""

import runpy
from pathlib import Path

import numpy as np
import pytest

FIXTURES = Path(__file__).parents[1] / "interop" / "fixtures"


def change_bytes(file, rng):
    """Change, remove, insert or repeat some bytes of a file at random."""
    content = bytearray(file.read_bytes())
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(len(content) + 1))
        kind = rng.integers(5)
        if kind == 0:
            content[at : at + 1] = bytes([rng.integers(256)])
        elif kind == 1:
            del content[at : at + int(rng.integers(1, 9))]
        elif kind == 2:
            content[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 3:
            content[at:at] = content[: int(rng.integers(1, 60))]
        else:
            del content[at:]
    file.write_bytes(bytes(content))


def each_file(folder):
    """Return all files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def load_arrays(name, folder=FIXTURES):
    """Return the arrays that `make_fixtures.py` stored next to the models."""
    with np.load(folder / name) as arrays:
        return dict(arrays)


def make_fixtures(library, folder):
    """Train models with a library, if it is installed, and store them in a folder."""
    pytest.importorskip(library)
    script = runpy.run_path(str(FIXTURES.parent / "make_fixtures.py"))
    script["MAKERS"][library](folder)
