"""Load manipulated copies of a model, and predict with those that load; run in a child process.

Usage: python fuzz_models.py FOLDER FIRST_SEED N. Each seed changes an array or a field of the
header at random, with correct checksums. Only ValueError and OSError may be raised.
"""

import json
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from skxmr import LabelHierarchy, XRLinearClassifier, load_model
from skxmr._core.array_folder import HEADER, header_checksum


def fuzz(folder, first_seed, n):
    """Return the numbers of manipulated models that were refused and that were loaded."""
    refused = loaded = 0
    for seed in range(first_seed, first_seed + n):
        rng = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary) / "model"
            shutil.copytree(folder, copy)
            manipulate(copy, rng)
            for mmap_mode in (None, "r"):
                try:
                    model = load_model(copy, mmap_mode=mmap_mode)
                    use(model, rng)
                    loaded += 1
                except (ValueError, OSError):
                    refused += 1
    return refused, loaded


def manipulate(folder, rng):
    """Change an array or a field of the header, and correct the checksums."""
    header = json.loads((folder / HEADER).read_text())
    del header["checksum"]
    if rng.random() < 0.7:
        name = rng.choice(sorted(header["arrays"]))
        entry = header["arrays"][name]
        content = bytearray((folder / name).read_bytes())
        values = np.frombuffer(content, entry["dtype"], offset=entry["offset"]).copy()
        if len(values):
            place = rng.integers(len(values))
            kind = rng.integers(4)
            if kind == 0:
                values[place] = values[rng.integers(len(values))]
            elif kind == 1:
                np.random.RandomState(rng.integers(2**31)).shuffle(values)
            else:  # flip bits of a value
                size = values.dtype.itemsize
                start = entry["offset"] + place * size + rng.integers(size)
                content[entry["offset"] :] = values.tobytes()
                content[start] ^= int(rng.integers(1, 256))
                values = np.frombuffer(bytes(content), entry["dtype"], offset=entry["offset"])
            content[entry["offset"] :] = values.tobytes()
        (folder / name).write_bytes(content)
        entry["crc32"] = f"{zlib.crc32(bytes(content)):08x}"
    else:
        change_field(header, rng)
    header["checksum"] = header_checksum(header)
    (folder / HEADER).write_text(json.dumps(header))


def change_field(header, rng):
    """Change, remove or exchange a random value inside a header."""
    places = []

    def visit(value):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in list(items):
            places.append((value, key))
            if isinstance(item, (dict, list)):
                visit(item)

    visit(header)
    container, key = places[rng.integers(len(places))]
    other, other_key = places[rng.integers(len(places))]
    values = [None, -1, 0, 1, 2**31, 2**63, 1.5, "", "a", [], {}, True, other[other_key]]
    if rng.random() < 0.1:
        del container[key]
    else:
        value = values[rng.integers(len(values))]
        container[key] = json.loads(json.dumps(value))


def use(model, rng):
    """Call all methods that read the arrays of a model."""
    if isinstance(model, LabelHierarchy):
        Y = rng.random((60, 150)) < 0.1
        model = XRLinearClassifier(label_tree=model, random_state=0).fit(rng.random((60, 400)), Y)
    X = sp.random_array((40, 400), density=0.1, format="csr", dtype=np.float32, rng=rng)
    model.predict_topk(X, k=5)
    model.predict_topk(X[:1], k=5)
    model.predict_proba(X)


if __name__ == "__main__":
    refused, loaded = fuzz(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    print(f"{refused} refused, {loaded} loaded")
