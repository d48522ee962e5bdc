"""Compare the linear model with frozen and with fine-tuned encoders, on the texts of one data set.

README.md, beside this file, says what the lines are.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

from skxmr import XRLinearClassifier
from skxmr.metrics import label_propensities, precision_at_k, psprecision_at_k
from skxmr.transformer import TransformerEmbedder, TransformerMatcher, XTransformerClassifier

LINES = ("linear", "embeddings", "frozen", "fine-tuned", "fine-tuned-mean")
KS = (1, 3, 5)


def read(folder, part):
    """Return the texts and the indicator of train or test."""
    texts = (Path(folder) / f"{part}.txt").read_text(encoding="utf-8").split("\n")
    Y = sp.csr_matrix(sp.load_npz(Path(folder) / f"Y_{part}.npz"))
    if len(texts) == Y.shape[0] + 1 and not texts[-1]:
        texts.pop()
    if len(texts) != Y.shape[0]:
        raise ValueError(f"{part}.txt has {len(texts)} lines, Y_{part}.npz {Y.shape[0]} rows")
    return np.array(texts, dtype=object), Y


def some(texts, Y, n, rng):
    """Take n rows at random, all if None."""
    if n is None or n >= len(texts):
        return texts, Y
    rows = np.sort(rng.choice(len(texts), n, replace=False))
    return texts[rows], Y[rows]


def load(options):
    """Return the texts and indicators to train and to test on."""
    rng = np.random.default_rng(options.seed)
    texts, Y = some(*read(options.folder, "train"), options.rows, rng)
    if not options.held_out:
        return texts, Y, *some(*read(options.folder, "test"), options.test_rows, rng)
    shuffled = rng.permutation(len(texts))
    test, train = np.sort(shuffled[: options.held_out]), np.sort(shuffled[options.held_out :])
    return texts[train], Y[train], texts[test], Y[test]


def make(line, options):
    """Return the unfitted model of a line."""
    linear = XRLinearClassifier(random_state=options.seed)
    reading = {
        "max_length": options.max_length,
        "batch_size": options.batch_size,
        "precision": options.precision,
    }
    embedder = TransformerEmbedder(options.model, **reading)
    if line == "linear":
        return make_pipeline(TfidfVectorizer(sublinear_tf=True, dtype=np.float32), linear)
    if line == "embeddings":
        return make_pipeline(embedder, linear)
    matcher = embedder
    if line != "frozen":
        matcher = TransformerMatcher(
            options.model,
            n_epochs=tuple(options.epochs),
            learning_rate=options.learning_rate,
            verbose=1,
            **reading,
        )
    return XTransformerClassifier(
        options.model,
        matcher=matcher,
        cluster_scores="mean" if line == "fine-tuned-mean" else "linear",
        embedding_weight=options.embedding_weight,
        classifier=linear,
        random_state=options.seed,
    )


def topk(model, texts):
    """Ask for the ranking: a Pipeline has no predict_topk of its own."""
    if hasattr(model, "predict_topk"):
        return model.predict_topk(texts, k=max(KS))
    return model[-1].predict_topk(model[:-1].transform(texts), k=max(KS))


def measure(line, options, texts, Y, test_texts, Y_test):
    """Fit and score one line."""
    model = make(line, options)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(list(texts), Y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    began = time.process_time(), time.perf_counter()
    ranking = topk(model, list(test_texts))
    took = [time.process_time() - began[0], time.perf_counter() - began[1]]
    propensities = label_propensities(Y)
    return {
        "line": line,
        **{f"P@{k}": 100 * precision_at_k(Y_test, ranking, k=k) for k in KS},
        **{
            f"PSP@{k}": 100 * psprecision_at_k(Y_test, ranking, k=k, propensities=propensities)
            for k in KS
        },
        "fit_cpu_s": cpu,
        "fit_wall_s": wall,
        "predict_cpu_us": 1e6 * took[0] / len(test_texts),
        "predict_wall_us": 1e6 * took[1] / len(test_texts),
    }


def show(results):
    """Print the table."""
    titles = [f"{name}@{k}" for name in ("P", "PSP") for k in KS]
    print("| line | " + " | ".join(titles) + " | fit, CPU s | fit, wall s | row, CPU us |")
    print("|---|" + "--:|" * 9)
    for result in results:
        cells = [f"{result[title]:.2f}" for title in titles]
        cells += [f"{result[key]:.1f}" for key in ("fit_cpu_s", "fit_wall_s")]
        print(f"| {result['line']} | " + " | ".join(cells) + f" | {result['predict_cpu_us']:.0f} |")


def main():
    """Run the lines, print the table and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("folder", help="with train.txt, test.txt, Y_train.npz and Y_test.npz")
    add("--model", required=True, help="folder or name of an encoder")
    add("--rows", type=int, help="training rows at random (all)")
    add("--test-rows", type=int, help="test rows at random (all)")
    add("--held-out", type=int, help="judge by so many of the training rows, not by test rows")
    add("--lines", nargs="+", choices=LINES, default=list(LINES), help="what to fit")
    add("--epochs", type=int, nargs="+", default=[1], help="of each level of clusters")
    add("--learning-rate", type=float, default=5e-5)
    add("--embedding-weight", type=float, default=0.5)
    add("--max-length", type=int, default=64, help="tokens of a text")
    add("--batch-size", type=int, default=32)
    add("--precision", default="auto", help="of the encoder; bfloat16 on a CPU that has it")
    add("--seed", type=int, default=0)
    add("--output", default="transformer.json")
    options = parser.parse_args()
    data = load(options)
    print(f"{len(data[0])} rows to train, {len(data[2])} to test, {data[1].shape[1]} labels")
    results = []
    for line in options.lines:
        results.append(measure(line, options, *data))
        show(results[-1:])
        about = {"options": vars(options), "machine": platform.processor(), "cpus": os.cpu_count()}
        Path(options.output).write_text(json.dumps({**about, "results": results}, indent=1))
    print()
    show(results)


if __name__ == "__main__":
    main()
