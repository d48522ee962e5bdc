"""Resume fits from manipulated checkpoints; run in a child process.

Usage: python -m helpers.fuzz_checkpoints FIRST_SEED N STAGE..., where STAGE is "blocks" or
"levels". Only ValueError and OSError may be raised.
"""

import json
import shutil
import sys
import tempfile
import zlib
from pathlib import Path

import numpy as np

from helpers.fuzz_limits import Limits
from helpers.manipulations import change_field, change_file, change_values
from skxmr import XRLinearClassifier
from skxmr._linear import FolderStore
from skxmr.datasets import make_extreme_multilabel
from skxmr.xr_linear._checkpoint import FitCheckpoint

DATA = make_extreme_multilabel(
    n_samples=100, n_features=150, n_labels=60, n_features_per_sample=10, random_state=0
)


def fuzz(stage, first_seed, n):
    """Return the numbers of fits that refused their checkpoint and that finished."""
    with tempfile.TemporaryDirectory() as temporary:
        original = interrupt_fit(Path(temporary) / "original", stage)
        resume_fit(original, Path(temporary) / "unchanged", lambda checkpoint: None)
        limits = Limits(sum(f.stat().st_size for f in original.rglob("*") if f.is_file()))
        refused = 0
        for seed in range(first_seed, first_seed + n):
            limits.begin(seed)
            rng = np.random.default_rng(seed)
            try:
                resume_fit(
                    original,
                    Path(temporary) / "model",
                    lambda checkpoint, rng=rng: manipulate_checkpoint(checkpoint, rng),
                )
            except (ValueError, OSError):
                refused += 1
            shutil.rmtree(Path(temporary) / "model.checkpoint", ignore_errors=True)
            shutil.rmtree(Path(temporary) / "model", ignore_errors=True)
            limits.end()
    return refused, n - refused


def make_classifier(model_dir):
    """Return a classifier with several levels and trees."""
    return XRLinearClassifier(
        max_leaf_size=8, branching_factor=4, n_trees=2, random_state=0, model_dir=model_dir
    )


def interrupt_fit(model_dir, stage):
    """Interrupt a fit before it joins the blocks of the first tree, or at its end."""

    def stop(*args):
        raise KeyboardInterrupt

    owner, name = (FolderStore, "join") if stage == "blocks" else (FitCheckpoint, "finish")
    replaced = getattr(owner, name)
    setattr(owner, name, stop)
    try:
        make_classifier(model_dir).fit(*DATA)
    except KeyboardInterrupt:
        pass
    finally:
        setattr(owner, name, replaced)
    return Path(f"{model_dir}.checkpoint")


def resume_fit(original, model_dir, change):
    """Fit from a changed copy of a checkpoint, and use the model."""
    checkpoint = Path(f"{model_dir}.checkpoint")
    shutil.copytree(original, checkpoint)
    change(checkpoint)
    X, Y = DATA
    make_classifier(model_dir).fit(X, Y).predict_topk(X, k=5)


def manipulate_checkpoint(checkpoint, rng):
    """Change a file, with correct checksums."""
    files = sorted(file for file in checkpoint.rglob("*") if file.is_file())
    rare = [file for file in files if file.suffix == ".json" or file.name == "trees.npz"]
    files = rare if rng.random() < 0.3 else files
    file = files[rng.integers(len(files))]
    if rng.random() < 0.2:
        others = [other.read_bytes() for other in files]
        file.write_bytes(change_file(file.read_bytes(), others, rng))
    elif file.suffix == ".json":
        values = json.loads(file.read_text())
        change_field(values, rng)
        file.write_text(json.dumps(values))
    elif file.suffix == ".npz":
        with np.load(file) as archive:
            arrays = dict(archive)
        change_arrays(arrays, rng)
        np.savez(file, **arrays)
    else:
        arrays = {"array": np.load(file)}
        change_arrays(arrays, rng)
        if arrays:
            np.save(file, *arrays.values())
    if file.suffix == ".npy" and file.exists():
        correct_checksum(file)


def change_arrays(arrays, rng):
    """Change the values, shape or dtype of an array in a dict, or remove the array."""
    names = list(arrays)
    name = names[rng.integers(len(names))]
    values = arrays[name]
    kind = rng.integers(8)
    if kind == 0:
        del arrays[name]
    elif kind == 1:
        arrays[name] = values.astype(rng.choice(["int8", "int64", "float32", "uint16", "U3"]))
    elif kind == 2 and values.ndim:
        arrays[name] = values[: rng.integers(len(values) + 1)]
    elif kind == 3:
        arrays[name] = np.repeat(np.atleast_1d(values), 2, axis=0)
    elif kind == 4:
        arrays[name] = arrays[names[rng.integers(len(names))]]
    else:
        arrays[name] = change_values(values, rng)


def correct_checksum(file):
    """Write the checksum of an array of a level to the description of the level."""
    try:
        info = json.loads((file.parent / "level.json").read_text())
        content = np.asarray(np.load(file)).tobytes()
    except Exception:  # whatever numpy raises for the content of another file
        return
    kind = "arrays" if file.stem in info["arrays"] else "tables"
    info[kind][file.stem] = zlib.crc32(content)
    (file.parent / "level.json").write_text(json.dumps(info))


if __name__ == "__main__":
    for stage in sys.argv[3:]:
        refused, finished = fuzz(stage, int(sys.argv[1]), int(sys.argv[2]))
        print(f"{refused} refused, {finished} finished")
