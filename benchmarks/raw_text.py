"""Compare skxmr with libpecos from raw texts: fit, batches and single texts.

Both libraries turn texts into TF-IDF vectors with `sublinear_tf`, train one tree with their
defaults, and return the ten best labels. Each library runs in a process of its own with one thread,
in turn. PECOS splits texts at blanks and keeps capitals. It gets texts whose words are lowercase
and separated by blanks, so that both libraries count the same words; this conversion is not
measured. PECOS is measured with two formats of its weights, and the faster one counts. Labels are
read as matrices, because PECOS does not accept names.

The folder of the data has train.txt and test.txt, a text per line, and Y_train.npz and Y_test.npz.

    python benchmarks/raw_text.py --data FOLDER --pecos ENVIRONMENT/bin/python
"""

import argparse
import os
import re

import numpy as np
import pecos_tree
import scipy.sparse as sp
from turns import add_arguments, measure_cpu, print_table, run_in_turns

K = 10
N_SINGLE = 2000
N_REPEATS = 3


class Skxmr:
    def __init__(self, seed):
        from skxmr import make_text_classifier

        self.model = make_text_classifier(random_state=seed)

    def fit(self, texts, Y):
        self.model.fit(texts, Y)

    def variants(self):
        """Yield functions that return the ids of the ten best labels."""
        yield lambda texts: self.model.predict_topk(texts, k=K)[0]


class Pecos:
    def __init__(self, seed):
        self.seed = seed

    def fit(self, texts, Y):
        from pecos.utils.featurization.text.vectorizers import Tfidf

        self.vectorizer = Tfidf.train(texts, {"sublinear_tf": True, "threads": 1})
        X = self.vectorizer.predict(texts, threads=1)
        self.model = pecos_tree.train(X, Y, self.seed)

    def variants(self):
        for model in pecos_tree.load_variants(self.model):
            yield lambda texts, model=model: self._predict(model, texts)

    def _predict(self, model, texts):
        X = self.vectorizer.predict(texts, threads=1)
        scores = model.predict(X, only_topk=K, threads=1)
        if len(texts) == 1:
            return scores.indices
        ids = np.full((len(texts), K), -1)
        for row, (start, end) in enumerate(zip(scores.indptr[:-1], scores.indptr[1:], strict=True)):
            best = np.argsort(-scores.data[start:end], kind="stable")
            ids[row, : end - start] = scores.indices[start:end][best]
        return ids


def read_texts(folder, name, n_rows):
    """Return the first lines of a file; a line ends with a line feed only."""
    with open(os.path.join(folder, name), newline="\n", encoding="utf-8") as file:
        return [line.rstrip("\n") for line in file][:n_rows]


def join_words(text):
    """Return the words that skxmr counts, separated by blanks."""
    return " ".join(re.findall(r"\b\w+\b", text.lower()))


def run_library(library, folder, seed):
    """Return the measurements of one library in this process."""
    Y, Y_test = (
        sp.csr_matrix(sp.load_npz(os.path.join(folder, f"Y_{part}.npz")), dtype=np.float32)
        for part in ("train", "test")
    )
    texts = read_texts(folder, "train.txt", Y.shape[0])
    questions = read_texts(folder, "test.txt", Y_test.shape[0])
    if library == "pecos":
        texts, questions = (list(map(join_words, part)) for part in (texts, questions))
    peer = {"skxmr": Skxmr, "pecos": Pecos}[library](seed)
    fit, _ = measure_cpu(peer.fit, texts, Y)
    batch, single = [], []
    for predict in peer.variants():
        predict(questions[:10])
        batch.append(min(measure_cpu(predict, questions)[0] for _ in range(N_REPEATS)))
        times = [measure_cpu(predict, [text])[0] for text in questions[:N_SINGLE]]
        single.append(float(np.median(times)))
    first = predict(questions)[:, 0]
    hits = np.asarray(Y_test[np.arange(len(questions)), first])
    return {
        "fit": fit,
        "batch": 1e6 * min(batch) / len(questions),
        "single": 1e6 * min(single),
        "p1": 100 * float(hits.mean()),
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder of the data")
    add_arguments(parser)
    args = parser.parse_args()
    means = run_in_turns(
        __file__,
        ["--data", args.data],
        parser,
        args,
        lambda library, seed: run_library(library, args.data, seed),
    )
    if means is not None:
        columns = {
            "fit": ("fit, s", ".2f"),
            "batch": ("batch, µs per text", ".1f"),
            "single": ("one text, µs", ".1f"),
            "p1": ("P@1, %", ".1f"),
        }
        print_table(means, columns, ["fit", "batch", "single"])


if __name__ == "__main__":
    main()
