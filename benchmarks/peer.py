"""What a peer is, and the settings that all of them get from compare.py."""

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
    """Load a matrix that the parent wrote."""
    # Not csr_array: the peers test for csr_matrix.
    return sp.csr_matrix(sp.load_npz(os.path.join(folder, name + ".npz")))


class Peer:
    """A library under test.

    Its settings have its own names; what is not named is its default.

    Only `fit`, `predict` and `predict_one` are timed. What is done before and after in `read`,
    `query` and `ranking`, conversions to the peer's own forms above all, is not.
    """

    modules = ()  # imported before anything is measured
    packages = ()  # whose versions are reported
    equal_settings = {}  # like those of all others, in the peer's own names
    scale = 1.0  # all labels to those that were fitted
    fit_writes_model = False  # so that the time of the fit includes it

    def __init__(self, job):
        self.threads = job["threads"]
        self.path = job["model"]
        self.settings = job["settings"]
        self.seed = job["seed"]
        self.max_labels = job.get("max_labels")
        # Of skxmr: whether its model is read from files in place, and written while it trains.
        self.mapped = job.get("mapped", False)
        self.stream = job.get("stream", False)

    def read(self, folder):
        """Return the training data, the arguments of `fit`."""
        return load_matrix(folder, "X_train"), load_matrix(folder, "Y_train")

    def fit(self, X, Y):
        raise NotImplementedError

    def save(self):
        raise NotImplementedError

    def count_weights(self):
        """Return the number of weights of the fitted model, or None where it cannot be told."""
        return None

    def load(self):
        raise NotImplementedError

    def predict(self, X):
        """Find the best K labels of each row, in any form."""
        raise NotImplementedError

    def ranking(self, raw):
        """Turn what `predict` returned into label ids (n, K), best first, -1 for none."""
        return raw

    def query(self, X, i):
        """Return row i in the form that `predict_one` takes."""
        return X[i]

    def predict_one(self, query):
        return self.predict(query)
