"""Compare the linear model with frozen and fine-tuned encoders on the texts of one data set.

See README.md in this folder for the lines.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from text_rows import load
from worker import get_peak_memory

from skxmr import XRLinearClassifier
from skxmr.metrics import label_propensities, precision_at_k, psprecision_at_k
from skxmr.transformer import TransformerEmbedder, TransformerMatcher, XTransformerClassifier

LINES = ("linear", "embeddings", "frozen", "fine-tuned", "fine-tuned-mean")
KS = (1, 3, 5)


def make_model(line, options):
    """Return the unfitted model of a line of the table."""
    linear = XRLinearClassifier(random_state=options.seed)
    encoder_params = {
        "max_length": options.max_length,
        "batch_size": options.batch_size,
        "precision": options.precision,
    }
    embedder = TransformerEmbedder(options.model, **encoder_params)
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
            **encoder_params,
        )
    return XTransformerClassifier(
        options.model,
        matcher=matcher,
        cluster_scores="mean" if line == "fine-tuned-mean" else "linear",
        embedding_weight=options.embedding_weight,
        classifier=linear,
        random_state=options.seed,
    )


def predict_topk(model, texts):
    """Return the ranking; a Pipeline of scikit-learn has no predict_topk."""
    if hasattr(model, "predict_topk"):
        return model.predict_topk(texts, k=max(KS))
    return model[-1].predict_topk(model[:-1].transform(texts), k=max(KS))


def measure(line, options, texts, Y, test_texts, Y_test):
    """Fit and evaluate one line."""
    model = make_model(line, options)
    wall, cpu = time.perf_counter(), time.process_time()
    model.fit(list(texts), Y)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = get_peak_memory()
    predict_cpu, predict_wall = time.process_time(), time.perf_counter()
    ranking = predict_topk(model, list(test_texts))
    predict_cpu = time.process_time() - predict_cpu
    predict_wall = time.perf_counter() - predict_wall
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
        "peak_mb": peak,
        "predict_cpu_us": 1e6 * predict_cpu / len(test_texts),
        "predict_wall_us": 1e6 * predict_wall / len(test_texts),
    }


def print_table(results):
    """Print the results as a Markdown table."""
    precisions = [f"{name}@{k}" for name in ("P", "PSP") for k in KS]
    titles = [*precisions, "fit, CPU s", "fit, wall s", "peak, MB", "row, CPU us"]
    print("| line | " + " | ".join(titles) + " |")
    print("|---|" + "--:|" * len(titles))
    for result in results:
        cells = [f"{result[name]:.2f}" for name in precisions]
        cells += [f"{result[key]:.1f}" for key in ("fit_cpu_s", "fit_wall_s")]
        cells += ["-" if result["peak_mb"] is None else f"{result['peak_mb']:.0f}"]
        cells += [f"{result['predict_cpu_us']:.0f}"]
        print(f"| {result['line']} | " + " | ".join(cells) + " |")


def main():
    """Measure all lines, print the table and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("folder", help="folder with train.txt, test.txt, Y_train.npz and Y_test.npz")
    add("--model", required=True, help="folder or name of an encoder")
    add("--rows", type=int, help="number of random training rows (default: all)")
    add("--test-rows", type=int, help="number of random test rows (default: all)")
    add("--held-out", type=int, help="evaluate on this number of training rows")
    add("--lines", nargs="+", choices=LINES, default=list(LINES), help="lines to measure")
    add("--epochs", type=int, nargs="+", default=[0, 1], help="epochs per level of clusters")
    add("--learning-rate", type=float, default=2e-4)
    add("--embedding-weight", type=float, default=0.5)
    add("--max-length", type=int, default=64, help="maximum number of tokens per text")
    add("--batch-size", type=int, default=32)
    add(
        "--precision",
        default="auto",
        help="floating-point type of the encoder",
    )
    add("--seed", type=int, default=0)
    add("--output", default="transformer.json")
    options = parser.parse_args()
    data = load(options)
    print(f"{len(data[0])} training rows, {len(data[2])} test rows, {data[1].shape[1]} labels")
    results = []
    for line in options.lines:
        results.append(measure(line, options, *data))
        print_table(results[-1:])
        environment = {
            "options": vars(options),
            "machine": platform.processor(),
            "cpus": os.cpu_count(),
        }
        Path(options.output).write_text(json.dumps({**environment, "results": results}, indent=1))
    print()
    print_table(results)


if __name__ == "__main__":
    main()
