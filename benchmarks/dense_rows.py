"""Compare skxmr with libpecos on dense rows, such as embeddings: fit, batches, single rows, memory.

Each label has a center, a random direction. A row is the sum of the centers of its three labels and
noise, scaled to unit length. Both libraries train one tree with their defaults and return the ten
best labels, each in a process of its own with one thread, in turn. PECOS gets the rows as CSR and
as an array, and the faster one counts. "single sparse row" is a row with as many nonzero values, as
CSR, in the same model.

    python benchmarks/dense_rows.py --rows 20000 --features 384 --labels 5000 --pecos ENV/bin/python
"""

import argparse
import itertools

import numpy as np
import pecos_tree
import scipy.sparse as sp
from turns import add_arguments, measure_cpu, print_table, run_in_turns

K = 10
LABELS_PER_ROW = 3
N_TEST = 2000
N_SINGLE = 500
N_REPEATS = 3
NOISE = 3.0


def make_data(n_rows, n_features, n_labels, seed=0):
    """Return dense training and test rows, and their indicators."""
    rng = np.random.default_rng(seed)
    centers = rng.standard_normal((n_labels, n_features), dtype=np.float32)
    parts = []
    for n in (n_rows, N_TEST):
        # Labels have frequencies that decrease as 1 / (rank + 10).
        weights = 1 / (np.arange(n_labels) + 10.0)
        labels = rng.choice(n_labels, (n, LABELS_PER_ROW), p=weights / weights.sum())
        X = np.empty((n, n_features), dtype=np.float32)
        for start in range(0, n, 10_000):
            block = labels[start : start + 10_000]
            rows = centers[block].sum(axis=1)
            rows += NOISE * rng.standard_normal(rows.shape, dtype=np.float32)
            X[start : start + 10_000] = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        indptr = np.arange(0, labels.size + 1, LABELS_PER_ROW)
        Y = sp.csr_matrix(
            (np.ones(labels.size, dtype=np.float32), labels.ravel(), indptr), shape=(n, n_labels)
        )
        Y.sum_duplicates()
        Y.data[:] = 1
        parts += [X, Y]
    return parts


class Skxmr:
    def __init__(self, seed):
        from skxmr import XRLinearClassifier

        self.model = XRLinearClassifier(random_state=seed)

    def fit(self, X, Y):
        self.model.fit(X, Y)

    def variants(self):
        yield lambda X: self.model.predict_topk(X, k=K)[0]


class Pecos:
    def __init__(self, seed):
        self.seed = seed

    def fit(self, X, Y):
        self.model = pecos_tree.train(sp.csr_matrix(X), Y, self.seed)

    def variants(self):
        for model in pecos_tree.load_variants(self.model):
            for convert in (sp.csr_matrix, np.ascontiguousarray):
                yield lambda X, m=model, c=convert: m.predict(c(X), only_topk=K, threads=1)


def reset_peak():
    """Let the peak memory of this process start again (Linux)."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def measure_memory():
    """Return the peak and the current memory of this process in bytes (Linux)."""
    with open("/proc/self/status") as file:
        sizes = dict(line.split(":") for line in file)
    return [1024 * int(sizes[name].split()[0]) for name in ("VmHWM", "VmRSS")]


def run_library(library, sizes, seed):
    """Return the measurements of one library in this process."""
    X, Y, X_test, Y_test = make_data(*sizes)
    peer = {"skxmr": Skxmr, "pecos": Pecos}[library](seed)
    peer.fit(X[:500], Y[:500])  # imports
    reset_peak()
    _, before = measure_memory()
    fit, _ = measure_cpu(peer.fit, X, Y)
    peak, after = measure_memory()
    result = {
        "fit": fit,
        "memory": (peak - before) / X.nbytes,
        "model": (after - before) / X.nbytes,
    }
    batch, single = [], []
    for predict in peer.variants():
        predict(X_test[:10])
        batch.append(min(measure_cpu(predict, X_test)[0] for _ in range(N_REPEATS)))
        times = [measure_cpu(predict, X_test[i : i + 1])[0] for i in range(N_SINGLE)]
        single.append(float(np.median(times)))
    if library == "skxmr":
        S = sp.csr_matrix(X_test[:N_SINGLE])
        rows = [S[i] for i in range(N_SINGLE)]
        result["sparse"] = 1e6 * float(np.median([measure_cpu(predict, x)[0] for x in rows]))
        first = predict(X_test)[:, 0]
        result["p1"] = 100 * float(np.asarray(Y_test[np.arange(N_TEST), first]).mean())
    else:
        best = predict(X_test)
        first = [
            best.indices[a + np.argmax(best.data[a:b])] for a, b in itertools.pairwise(best.indptr)
        ]
        result["p1"] = 100 * float(np.asarray(Y_test[np.arange(N_TEST), first]).mean())
    return {**result, "batch": 1e6 * min(batch) / N_TEST, "single": 1e6 * min(single)}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=384)
    parser.add_argument("--labels", type=int, default=5_000)
    add_arguments(parser)
    args = parser.parse_args()
    sizes = args.rows, args.features, args.labels
    options = ["--rows", "--features", "--labels"]
    arguments = [text for pair in zip(options, map(str, sizes), strict=True) for text in pair]
    means = run_in_turns(
        __file__, arguments, parser, args, lambda library, seed: run_library(library, sizes, seed)
    )
    if means is not None:
        columns = {
            "fit": ("fit, s", ".2f"),
            "memory": ("memory of the fit, sizes of X", ".2f"),
            "model": ("of this, kept", ".2f"),
            "batch": ("batch, µs per row", ".1f"),
            "single": ("single row, µs", ".1f"),
            "sparse": ("single sparse row, µs", ".1f"),
            "p1": ("P@1, %", ".1f"),
        }
        print_table(means, columns, ["fit", "batch", "single"])


if __name__ == "__main__":
    main()
