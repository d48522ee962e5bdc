"""Base class of the compared libraries, and the settings that compare.py uses for all of them."""

import os

import scipy.sparse as sp

BRANCHING = 16
LEAF = 100
C = 1.0
TOL = 0.1
MAX_ITER = 100
THRESHOLD = 0.1
BEAM = 10
K = 10
SEED = 0
SETTINGS = {
    "branching": BRANCHING,
    "leaf": LEAF,
    "C": C,
    "tol": TOL,
    "max_iter": MAX_ITER,
    "threshold": THRESHOLD,
    "beam": BEAM,
    "k": K,
    "seed": SEED,
}


def load_matrix(folder, name):
    """Load a matrix that the parent process wrote."""
    # The peers require csr_matrix and reject csr_array.
    return sp.csr_matrix(sp.load_npz(os.path.join(folder, name + ".npz")))


class Peer:
    """A compared library.

    Settings have the names of the library. All other settings have their defaults.

    Only `fit`, `predict` and `predict_one` are timed. `read`, `make_query` and `to_ranking` are not
    timed. They convert data from and to the formats of the library.
    """

    modules = ()  # modules that are imported before measurements
    packages = ()  # packages whose versions are reported
    equal_settings = {}  # the settings of compare.py, with the names of the library
    scale = 1.0  # number of all labels divided by the number of fitted labels
    fit_writes_model = False  # whether the time of the fit includes writing the model

    def __init__(self, job):
        self.threads = job["threads"]
        self.path = job["model"]
        self.settings = job["settings"]
        self.seed = job["seed"]
        self.max_labels = job.get("max_labels")
        # Only for skxmr: whether the model is memory-mapped, and whether fit writes it.
        self.mapped = job.get("mapped", False)
        self.stream = job.get("stream", False)

    def read(self, folder):
        """Read the training data; return the arguments of `fit`."""
        return load_matrix(folder, "X_train"), load_matrix(folder, "Y_train")

    def fit(self, X, Y):
        raise NotImplementedError

    def save(self):
        raise NotImplementedError

    def count_weights(self):
        """Return the number of weights of the fitted model, or None if it is unknown."""
        return None

    def load(self):
        raise NotImplementedError

    def predict(self, X):
        """Return the K best labels per row, in the format of the library."""
        raise NotImplementedError

    def to_ranking(self, predictions):
        """Convert the result of `predict` to label ids (n, K), best first, padded with -1."""
        return predictions

    def make_query(self, X, i):
        """Return row i in the format that `predict_one` accepts."""
        return X[i]

    def predict_one(self, query):
        return self.predict(query)
