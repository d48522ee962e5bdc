"""Compare ways to rank labels from embeddings: quality, CPU seconds of the fit, and of a row.

Lines: `XRLinearClassifier()` on the embeddings, on TF-IDF, and on both; a linear head in torch,
trained with the logistic loss of all labels; the labels of the nearest training rows, found by
hnswlib; and `OneVsRestClassifier(LogisticRegression())` for a part of the labels. Everything runs
in one thread. torch and hnswlib are needed only for their lines.

    python benchmarks/embeddings.py                  # generated rows, as in dense_rows.py
    python benchmarks/embeddings.py --data DIR --embeddings train.npy test.npy
"""

import argparse
import os
import time
from pathlib import Path

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import scipy.sparse as sp
from dense_rows import make_data

from skxmr import XRLinearClassifier
from skxmr.metrics import precision_at_k, recall_at_k
from skxmr.pipeline import MixedMatrix

K = 10
EMBEDDING_WEIGHT = 0.5
HEAD_EPOCHS, HEAD_BATCH, HEAD_STEP = 20, 256, 5e-3
NEIGHBORS = 20
ONE_VS_REST_LABELS = 200


def rank_with_skxmr(X, Y, X_test):
    """Fit a classifier with its defaults."""
    model = XRLinearClassifier(random_state=0).fit(X, Y)
    return lambda: model.predict_topk(X_test, k=K)[0]


def rank_with_head(X, Y, X_test):
    """Train a linear layer with Adam on the binary cross-entropy of all labels."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    head = torch.nn.Linear(X.shape[1], Y.shape[1])
    # Rows of unit length: larger inputs make the steps of Adam larger.
    scale = float(np.sqrt(X.shape[1]))
    optimizer = torch.optim.Adam(head.parameters(), lr=HEAD_STEP)
    loss = torch.nn.BCEWithLogitsLoss(reduction="sum")
    rng = np.random.default_rng(0)
    for _ in range(HEAD_EPOCHS):
        order = rng.permutation(len(X))
        for start in range(0, len(X), HEAD_BATCH):
            rows = order[start : start + HEAD_BATCH]
            targets = torch.from_numpy(Y[rows].toarray().astype(np.float32))
            optimizer.zero_grad()
            (loss(head(torch.from_numpy(scale * X[rows])), targets) / len(rows)).backward()
            optimizer.step()

    def predict():
        with torch.inference_mode():
            blocks = [
                head(torch.from_numpy(scale * X_test[start : start + HEAD_BATCH])).topk(K).indices
                for start in range(0, len(X_test), HEAD_BATCH)
            ]
        return torch.cat(blocks).numpy()

    return predict


def rank_with_neighbors(X, Y, X_test):
    """Sum the cosines of the nearest training rows that have a label."""
    import hnswlib

    index = hnswlib.Index(space="cosine", dim=X.shape[1])
    index.init_index(len(X), random_seed=0)
    index.add_items(X, num_threads=1)
    index.set_ef(4 * NEIGHBORS)

    def predict():
        rows, distances = index.knn_query(X_test, k=NEIGHBORS, num_threads=1)
        indptr = np.arange(0, rows.size + 1, NEIGHBORS)
        shape = len(X_test), len(X)
        similarities = sp.csr_array((1 - distances.ravel(), rows.ravel(), indptr), shape=shape)
        return best_columns(similarities @ Y)

    return predict


def best_columns(scores):
    """Return the K best columns of each row of a CSR matrix, best first; -1 if there are fewer."""
    best = np.full((scores.shape[0], K), -1)
    for row in range(scores.shape[0]):
        entries = slice(scores.indptr[row], scores.indptr[row + 1])
        order = np.argsort(-scores.data[entries])[:K]
        best[row, : len(order)] = scores.indices[entries][order]
    return best


def measure_one_vs_rest(X, Y):
    """Print the CPU seconds of scikit-learn for some labels, and for all in proportion."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    frequent = np.argsort(-np.bincount(Y.indices, minlength=Y.shape[1]))
    labels = frequent[:: max(1, len(frequent) // ONE_VS_REST_LABELS)][:ONE_VS_REST_LABELS]
    labels = labels[np.bincount(Y.indices, minlength=Y.shape[1])[labels] > 0]
    started = time.process_time()
    OneVsRestClassifier(LogisticRegression()).fit(X, Y.tocsc()[:, labels])
    seconds = time.process_time() - started
    total = seconds * Y.shape[1] / len(labels)
    print(f"OneVsRestClassifier: {seconds:.1f} s for {len(labels)} labels, {total:,.0f} s for all")


def load(args):
    """Return rows by name, and the targets; each value has a training and a test part."""
    if args.data is None:
        X, Y, X_test, Y_test = make_data(args.rows, args.features, args.labels)
        return {"embeddings": (X, X_test)}, (sp.csr_array(Y), sp.csr_array(Y_test))

    def read(name):
        return [
            sp.csr_array(sp.load_npz(Path(args.data) / f"{name}_{part}.npz").astype(np.float32))
            for part in ("train", "test")
        ]

    embeddings, words = [np.load(path) for path in args.embeddings], read("X")
    targets = [Y[: len(E)] for Y, E in zip(read("Y"), embeddings, strict=True)]
    words = [W[: len(E)] for W, E in zip(words, embeddings, strict=True)]
    both = [
        MixedMatrix(W, np.float32(EMBEDDING_WEIGHT) * E)
        for W, E in zip(words, embeddings, strict=True)
    ]
    return {"embeddings": embeddings, "TF-IDF": words, "both": both}, targets


def main():
    """Measure all lines and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder with X_, Y_train.npz and X_, Y_test.npz")
    parser.add_argument("--embeddings", nargs=2, help="arrays of the training and the test texts")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=384)
    parser.add_argument("--labels", type=int, default=5_000)
    parser.add_argument(
        "--skip", nargs="*", default=[], choices=("head", "neighbors", "one-vs-rest")
    )
    args = parser.parse_args()
    features, (Y, Y_test) = load(args)
    lines = {f"skxmr, {name}": (rank_with_skxmr, name) for name in features}
    if "head" not in args.skip:
        lines["linear head in torch, embeddings"] = rank_with_head, "embeddings"
    if "neighbors" not in args.skip:
        lines["neighbors by hnswlib, embeddings"] = rank_with_neighbors, "embeddings"
    print(f"{Y.shape[0]:,} training rows, {Y_test.shape[0]:,} test rows, {Y.shape[1]:,} labels")
    print("| method | P@1 | P@5 | R@10 | fit, CPU s | a row, µs |\n|---|--:|--:|--:|--:|--:|")
    for name, (rank, kind) in lines.items():
        X, X_test = features[kind]
        started = time.process_time()
        predict = rank(X, Y, X_test)
        fit = time.process_time() - started
        started = time.process_time()
        best = predict()
        row = 1e6 * (time.process_time() - started) / len(best)
        # The metrics need scores; any decreasing ones.
        best = best, np.broadcast_to(np.arange(K, 0.0, -1), best.shape)
        p1, p5 = (100 * precision_at_k(Y_test, best, k=k) for k in (1, 5))
        recall = 100 * recall_at_k(Y_test, best, k=K)
        print(
            f"| {name} | {p1:.1f} | {p5:.1f} | {recall:.1f} | {fit:.1f} | {row:.1f} |", flush=True
        )
    if "one-vs-rest" not in args.skip:
        measure_one_vs_rest(features["embeddings"][0], Y)


if __name__ == "__main__":
    main()
