"""Manipulated model folders with correct checksums: an error or a model, never a crash."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skxmr
from helpers import fuzz_models
from skxmr import XRLinearClassifier, load_model, save_model

ROOT = Path(skxmr.__file__).parents[1]
MODELS = {
    "default": {},
    "int8 trees": {"weight_dtype": "int8", "n_trees": 2, "max_leaf_size": 40},
    "uneven": {"max_leaf_size": 1, "weight_dtype": "float16"},
    "hierarchy": {},
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "n", [25, pytest.param(500, marks=pytest.mark.slow(reason="the same with more seeds"))]
)
def test_manipulated_models_never_crash(xmc_data, tmp_path, name, n):
    model = XRLinearClassifier(4, random_state=0).set_params(**MODELS[name]).fit(*xmc_data)
    save_model(model.hierarchy_ if name == "hierarchy" else model, tmp_path / "model")
    first_seed = 0 if n < 100 else 1000
    command = [sys.executable, fuzz_models.__file__, tmp_path / "model", str(first_seed), str(n)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=500)
    assert done.returncode == 0, done.stderr[-2000:]
    refused, loaded = (int(word) for word in done.stdout.split() if word.isdecimal())
    assert refused + loaded == 2 * n
    assert refused > n / 4


def test_links_and_pipes_are_not_followed(xmc_data, tmp_path):
    save_model(XRLinearClassifier(random_state=0).fit(*xmc_data), tmp_path / "model")
    for name in ("header.json", sorted(path.name for path in (tmp_path / "model").iterdir())[0]):
        path = tmp_path / "model" / name
        path.rename(tmp_path / name)
        path.symlink_to(tmp_path / name)
        with pytest.raises(ValueError, match=name):
            load_model(tmp_path / "model")
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(ValueError, match=name):
            load_model(tmp_path / "model")
        path.unlink()
        (tmp_path / name).rename(path)
    load_model(tmp_path / "model")
