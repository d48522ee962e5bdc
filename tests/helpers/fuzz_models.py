"""Load manipulated copies of a model, and use those that load; run in a child process.

Usage: python -m helpers.fuzz_models FIRST_SEED N FOLDER... Only ValueError and OSError may be
raised.
"""

import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

from helpers.fuzz_limits import Limits
from helpers.manipulations import manipulate
from helpers.step_models import rows_by_model
from skxmr import LabelHierarchy, XRLinearClassifier, load_model, save_model
from skxmr.inspection import explain

TEXTS = ["apple pie and the number 7", "a wolf near the old river", "unknown", ""]


def fuzz(folder, first_seed, n):
    """Return the numbers of manipulated models that were refused and that were loaded."""
    refused = loaded = 0
    X = rows_by_model().get(folder.name, TEXTS)
    with tempfile.TemporaryDirectory() as temporary:
        use(load_model(folder), X, np.random.default_rng(0), Path(temporary) / "again")
    limits = Limits(sum(file.stat().st_size for file in folder.iterdir()))
    for seed in range(first_seed, first_seed + n):
        limits.begin(seed)
        rng = np.random.default_rng(seed)
        with tempfile.TemporaryDirectory() as temporary:
            copy = Path(temporary) / "model"
            shutil.copytree(folder, copy)
            manipulate(copy, rng)
            for mmap_mode in (None, "r"):
                try:
                    model = load_model(copy, mmap_mode=mmap_mode)
                    use(model, X, rng, Path(temporary) / "again")
                    loaded += 1
                except (ValueError, OSError):
                    refused += 1
        limits.end()
    return refused, loaded


def use(model, X, rng, path):
    """Call all methods that read the arrays of a model, and save it again."""
    if isinstance(model, LabelHierarchy):
        Y = rng.random((60, 150)) < 0.1
        model = XRLinearClassifier(label_tree=model, random_state=0).fit(rng.random((60, 400)), Y)
    is_linear = isinstance(model, XRLinearClassifier)
    if is_linear:
        X = sp.random_array((40, 400), density=0.1, format="csr", dtype=np.float32, rng=rng)
    if is_linear or (isinstance(model, Pipeline) and isinstance(model[-1], XRLinearClassifier)):
        row, label = X[0] if X is TEXTS else X[:1], getattr(model, "classes_", [0])[0]
        explain(model, row, label)
    for name in ("transform", "predict_topk", "predict_proba", "predict", "suggest"):
        if hasattr(model, name):
            getattr(model, name)(X)
    with suppress(AttributeError):  # some steps have no names
        model.get_feature_names_out()
    if is_linear:
        model.predict_topk(X[:1], k=5)
        Y = rng.random((X.shape[0], len(model.classes_))) < 0.2
        with suppress(ValueError):  # for example because of invalid parameters
            model.update(X, Y, upper_levels=rng.choice(["keep", "retrain"]))
        model.predict_topk(X)
        model.prune(weight_threshold=0.2)
    save_model(model, path)


if __name__ == "__main__":
    for folder in sys.argv[3:]:
        refused, loaded = fuzz(Path(folder), int(sys.argv[1]), int(sys.argv[2]))
        print(f"{refused} refused, {loaded} loaded")
