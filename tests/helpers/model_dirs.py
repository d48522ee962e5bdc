"""Helpers of tests about `model_dir`: fits, their folders, and fits in other processes."""

import subprocess
import sys
import textwrap
from pathlib import Path

from skxmr import XRLinearClassifier

SIZES = {"n_samples": 1500, "n_features": 800, "n_labels": 900}


def make_classifier(model_dir, **params):
    """Return a classifier for data of `SIZES`."""
    return XRLinearClassifier(**{"max_leaf_size": 8, "random_state": 0, **params}).set_params(
        model_dir=model_dir
    )


def read_files(folder):
    """Return {name: bytes} of the files of a folder."""
    return {file.name: file.read_bytes() for file in Path(folder).iterdir()}


def get_checkpoint(model_dir):
    """Return the folder of the unfinished fit."""
    return Path(f"{model_dir}.checkpoint")


def start_fit(model_dir, *, limit=None, **params):
    """Start a fit in a new process; `limit` is the maximum size of a file in bytes."""
    code = f"""
    import sys
    if {limit!r}:
        import resource
        resource.setrlimit(resource.RLIMIT_FSIZE, ({limit!r}, {limit!r}))
    from skxmr import XRLinearClassifier
    from skxmr.datasets import make_extreme_multilabel
    X, Y = make_extreme_multilabel(**{SIZES!r}, random_state=0)
    model = XRLinearClassifier(max_leaf_size=8, model_dir={str(model_dir)!r}, **{params!r})
    model.fit(X, Y)
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stderr=subprocess.PIPE,
        text=True,
    )
