"""Calls from many threads give the results of one thread, with and without the GIL."""

import subprocess
import sys

# Each thread alternates between fitting its own model and predicting with a shared model.
PROGRAM = """
import sys
import threading
import numpy as np
from skxmr import XRLinearClassifier
from skxmr.datasets import make_extreme_multilabel

X, Y = make_extreme_multilabel(
    n_samples=200, n_features=300, n_labels=60, n_features_per_sample=10, random_state=0
)
SETTINGS = [
    {},
    {"loss": "hinge", "negatives": "tfn+man", "weight_dtype": "int8"},
    {"loss": "log_loss", "score_transform": "sigmoid", "label_features": "pii"},
    {"n_trees": 2, "beam_width": None, "n_jobs": 2},
]

def fit(number):
    parameters = {"max_leaf_size": 8, "branching_factor": 4, "random_state": 0}
    return XRLinearClassifier(**parameters, **SETTINGS[number % 4]).fit(X, Y)

def read_results(model):
    parts = [*model.predict_topk(X, k=5), *model.predict_topk(X[:1], k=5)]
    scores = model.predict_proba(X)
    parts += [scores.indptr, scores.indices, scores.data]
    return b"".join(part.tobytes() for part in parts)

shared = [fit(number) for number in range(4)]
expected = [read_results(model) for model in shared]
results = {}
barrier = threading.Barrier(N_THREADS)

def run(number):
    barrier.wait()
    for round in range(N_ROUNDS):
        model = fit(number) if round % 2 == 0 else shared[number % 4]
        results[number, round] = read_results(model) == expected[number % 4]

threads = [threading.Thread(target=run, args=(number,)) for number in range(N_THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert len(results) == N_THREADS * N_ROUNDS
assert all(results.values()), results
print(getattr(sys, "_is_gil_enabled", lambda: True)())
"""
IS_FREE_THREADED = "t" in getattr(sys, "abiflags", "")


def test_calls_from_many_threads_give_identical_bytes_and_keep_the_gil_off():
    program = PROGRAM.replace("N_THREADS", "8").replace("N_ROUNDS", "3")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(not IS_FREE_THREADED)
