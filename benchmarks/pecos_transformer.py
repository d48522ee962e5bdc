"""Train PECOS's XR-Transformer on the rows of `transformer.py`, with one thread.

Runs in an environment with libpecos and transformers 4.38, whose AdamW libpecos imports. Prints
JSON: CPU seconds and peak memory of the fit, and P@k. TF-IDF, texts, tokens and sizes of batches
are those of `transformer.py`; all other settings are the defaults of libpecos.

    python benchmarks/pecos_transformer.py DATA_FOLDER --model ENCODER_FOLDER
"""

import argparse
import json
import resource
import time
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
import torch
from pecos.utils import torch_util
from pecos.xmc.xtransformer import matcher
from pecos.xmc.xtransformer.model import XTransformer
from pecos.xmc.xtransformer.module import MLProblemWithText
from sklearn.feature_extraction.text import TfidfVectorizer
from text_rows import load

KS = (1, 3, 5)
PACKAGES = ("libpecos", "torch", "transformers")


def parse_arguments():
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("folder", help="folder with texts and indicators; see README.md in this folder")
    add("--model", required=True, help="folder of the encoder")
    add("--rows", type=int, default=8000, help="training rows")
    add("--test-rows", type=int, default=2000)
    add("--seed", type=int, default=0)
    add("--learning-rate", type=float, default=1e-4)
    add("--max-length", type=int, default=64, help="tokens per text")
    add("--batch-size", type=int, default=32)
    add("--epochs", type=int, default=1, help="epochs per level")
    add("--min-codes", type=int, default=32, help="clusters of the first level that is trained")
    options = parser.parse_args()
    options.held_out = None
    return options


def make_params(options):
    """Return the training and the prediction parameters of XR-Transformer."""
    values = {
        "nr_splits": 16,
        "max_leaf_size": 100,
        "min_codes": options.min_codes,
        "model_shortcut": options.model,
        "truncate_length": options.max_length,
        "batch_size": options.batch_size,
        "num_train_epochs": options.epochs,
        "learning_rate": options.learning_rate,
        "use_gpu": False,
        "batch_gen_workers": 0,
        "save_steps": 10**6,
        "threads": 1,
        "seed": options.seed,
    }
    return (
        XTransformer.TrainParams.from_dict(values, recursive=True),
        XTransformer.PredParams.from_dict(values, recursive=True),
    )


def measure_precision(Y, P):
    """Return the precision at each of KS, in percent."""
    hits = np.zeros((P.shape[0], max(KS)))
    for row in range(P.shape[0]):
        entries = slice(P.indptr[row], P.indptr[row + 1])
        best = P.indices[entries][np.argsort(-P.data[entries], kind="stable")][: max(KS)]
        hits[row, : len(best)] = np.isin(best, Y[row].indices)
    return {f"P@{k}": 100 * hits[:, :k].mean() for k in KS}


def main():
    """Print the measurements as JSON."""
    options = parse_arguments()
    torch.set_num_threads(1)
    torch_util.set_seed(options.seed)
    # Without workers, libpecos passes 0 threads to this function and divides by it.
    multiply = matcher.clib.sparse_matmul
    matcher.clib.sparse_matmul = lambda *a, **named: multiply(*a, **{**named, "threads": 1})
    texts, Y, test_texts, Y_test = load(options)
    started = time.process_time()
    vectorizer = TfidfVectorizer(sublinear_tf=True, dtype=np.float32)
    X = sp.csr_matrix(vectorizer.fit_transform(texts))
    X.sort_indices()
    train_params, pred_params = make_params(options)
    model = XTransformer.train(
        MLProblemWithText(list(texts), Y.astype(np.float32), X_feat=X),
        train_params=train_params,
        pred_params=pred_params,
        threads=1,
    )
    fit_cpu = time.process_time() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    X_test = sp.csr_matrix(vectorizer.transform(test_texts))
    X_test.sort_indices()
    embeddings = model.encode(
        list(test_texts), batch_size=options.batch_size, use_gpu=False, batch_gen_workers=0
    )
    features = matcher.TransformerMatcher.concat_features(X_test, embeddings, normalize_emb=True)
    P = sp.csr_matrix(model.concat_model.predict(features, only_topk=max(KS), threads=1))
    measured = {"fit_cpu_s": fit_cpu, "peak_mb": peak, **measure_precision(Y_test.tocsr(), P)}
    versions = {package: version(package) for package in PACKAGES}
    print(json.dumps({"options": vars(options), "versions": versions, **measured}, indent=1))


if __name__ == "__main__":
    main()
