"""Stop processes that write models, at random times; run as a script.

Usage: python stop_writers.py FOLDER {save,fit} {interrupt,kill} N. After each signal, there must be
a complete model at the path. After an interrupt, or after the next complete write, nothing else may
remain, except for the checkpoint of an interrupted fit.
"""

import itertools
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from skxmr import XRLinearClassifier, load_model, save_model
from skxmr.datasets import make_extreme_multilabel

SIGNALS = {"interrupt": [signal.SIGINT, signal.SIGTERM], "kill": [signal.SIGKILL]}
X, Y = make_extreme_multilabel(n_samples=200, n_features=300, n_labels=100, random_state=0)
MODELS = [XRLinearClassifier(C=C, random_state=0).fit(X, Y) for C in (1.0, 2.0)]
EXPECTED = [model.predict_topk(X, k=5)[1] for model in MODELS]
MAX_SECONDS = {"save": 0.1, "fit": 0.3}  # several writes


def write(kind, path, number):
    """Write one of the two models."""
    if kind == "save":
        save_model(MODELS[number], path)
    else:
        C = MODELS[number].C
        XRLinearClassifier(C=C, random_state=0, model_dir=path).fit(X, Y)


def start_writer(kind, path, number):
    """Return the process that writes models until a signal arrives."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS["interrupt"])
    process = os.fork()
    if process == 0:
        try:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit())
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS["interrupt"])
            for i in itertools.count(number):
                write(kind, path, i % 2 if kind == "save" else number)
        except (KeyboardInterrupt, SystemExit):
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS["interrupt"])
    return process


def stop(process, number):
    """Send a signal until the process ends, and return its exit status.

    Python ignores an exception that a handler raises inside of a `__del__` method or of a callback
    of a weak reference. This is rare, and then the signal is sent again.
    """
    while True:
        os.kill(process, number)
        for _ in range(500):
            pid, status = os.waitpid(process, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)


def check_model(path):
    """Return the number of the model at the path, which must be complete."""
    scores = load_model(path).predict_topk(X, k=5)[1]
    found = [i for i, expected in enumerate(EXPECTED) if np.array_equal(scores, expected)]
    assert len(found) == 1, "the model differs from both"


def stop_writers(folder, kind, how, n):
    """Stop `n` processes; return the number of times that something was left for the next write."""
    rng = np.random.default_rng(0)
    path = folder / "model"
    save_model(MODELS[0], path)
    n_left = 0
    for trial in range(n):
        number = trial // 5 % 2
        process = start_writer(kind, path, number)
        time.sleep(rng.uniform(0, MAX_SECONDS[kind]))
        status = stop(process, SIGNALS[how][trial % len(SIGNALS[how])])
        assert status == (-signal.SIGKILL if how == "kill" else 0), status
        check_model(path)
        left = set(os.listdir(folder)) - {"model"}
        if how == "interrupt":
            assert left <= ({"model.checkpoint"} if kind == "fit" else set()), left
        n_left += bool(left)
        if trial % 5 == 4:
            write(kind, path, number)
            check_model(path)
            assert os.listdir(folder) == ["model"], os.listdir(folder)
    return n_left


if __name__ == "__main__":
    n_left = stop_writers(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))
    print(f"{sys.argv[4]} times stopped, {n_left} times something left for the next write")
