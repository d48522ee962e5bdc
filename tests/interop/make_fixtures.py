"""Train small models of other libraries and store them, with their predictions, in `fixtures`.

Run once per library, in an environment that has it: ``python make_fixtures.py pecos`` (libpecos
1.2.8), ``omikuji`` (0.5.2) or ``napkinxc`` (0.7.2). The data are random numbers made here, so the
files contain no data or code of others, and have the license of skxmr.
"""

import argparse
import shutil
from pathlib import Path

import numpy as np
import scipy.sparse as sp

FIXTURES = Path(__file__).parent / "fixtures"
N_LABELS = 17


def make_data(n_samples, seed):
    """Return (X, Y): rows whose features depend on their labels, float32."""
    rng = np.random.default_rng(seed)
    topics = np.random.default_rng(0).random((N_LABELS, 24)) < 0.15
    Y = rng.random((n_samples, N_LABELS)) < 0.12
    Y[np.arange(n_samples), np.arange(n_samples) % N_LABELS] = True
    X = (Y @ topics + (rng.random((n_samples, 24)) < 0.1)) * rng.random((n_samples, 24))
    return sp.csr_matrix(X, dtype=np.float32), sp.csr_matrix(Y, dtype=np.float32)


def save_data(target, name, **arrays):
    """Store arrays, such as rows and the predictions for them, next to the models."""
    np.savez_compressed(target / f"{name}.npz", **arrays)


def make_pecos(target):
    """Store trees of two sizes, one of them with several levels, and a single level."""
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.xlinear.model import XLinearModel

    X, Y = make_data(150, seed=1)
    queries, _ = make_data(12, seed=2)
    scores = {}
    for name, bias, settings in (
        ("tree", 1.0, {"nr_splits": 2, "max_leaf_size": 3}),
        ("clusters", 0.5, {"nr_splits": 4, "max_leaf_size": 6}),
        ("one_level", -1.0, None),
    ):
        chain = None
        if settings is not None:
            features = LabelEmbeddingFactory.create(Y, X, method="pifa")
            chain = Indexer.gen(features, seed=0, **settings)
        folder = target / f"pecos_{name}"
        shutil.rmtree(folder, ignore_errors=True)
        model = XLinearModel.train(
            X, Y, C=chain, bias=bias, pred_kwargs={"beam_size": 3}, threshold=0.2
        )
        model.save(str(folder))
        scores[name] = model.predict(queries, only_topk=N_LABELS).toarray()
    save_data(target, "pecos", queries=queries.toarray(), **scores)
    make_pecos_vectorizers(target)


TEXTS = [
    "a sparse matrix, a Sparse vector.",
    "a sparse  vector of the words",
    "ein B\u00e4r l\u00e4uft\tschnell",
    "the words the words the",
    "",
    "a a a bear",
]


def make_pecos_vectorizers(target):
    """Store vectorizers of words and, to be refused, other ones."""
    from pecos.utils.featurization.text.vectorizers import Vectorizer

    matrices = {}
    for name, config in (
        ("words", {}),
        ("ngrams", {"ngram_range": (1, 2), "sublinear_tf": True, "add_one_idf": True}),
        ("binary", {"binary": True, "use_idf": False, "norm": "l1", "max_feature": 9}),
        ("char", {"analyzer": "char_wb", "max_feature": 9}),
        ("truncated", {"truncate_length": 3}),
        ("two", {"base_vect_configs": [{"max_feature": 3}, {"max_feature": 3}]}),
    ):
        folder = target / f"pecos_vectorizer_{name}"
        shutil.rmtree(folder, ignore_errors=True)
        Vectorizer.train(TEXTS, {"type": "tfidf", "kwargs": config}).save(str(folder))
        texts = [*TEXTS, "the unknown word a sparse"]
        matrices[name] = Vectorizer.load(str(folder)).predict(texts).toarray()
    save_data(target, "pecos_vectorizers", **matrices)


def write_text_file(path, X, Y):
    """Write data in the format of the Extreme Classification Repository."""
    lines = [f"{X.shape[0]} {X.shape[1]} {Y.shape[1]}"]
    for x, y in zip(X, Y, strict=True):
        pairs = zip(x.indices.tolist(), x.data.tolist(), strict=True)
        features = " ".join(f"{feature}:{value!r}" for feature, value in pairs)
        lines.append(",".join(map(str, y.indices)) + " " + features)
    path.write_text("\n".join(lines) + "\n")


def make_omikuji(target):
    """Store trees with leaves of different depths, with both losses, and an ensemble."""
    import omikuji

    X, Y = make_data(150, seed=1)
    # Two labels have no training rows, so they are in no leaf.
    Y = Y.multiply(~np.isin(np.arange(N_LABELS), [3, 8])).tocsr()
    Y.eliminate_zeros()
    queries, _ = make_data(12, seed=2)
    data = target / "data.txt"
    write_text_file(data, X, Y)
    scores = {}
    for name, settings in (
        ("hinge", {"cluster_balanced": False, "cluster_k": 3, "min_branch_size": 4}),
        ("log", {"cluster_balanced": False, "linear_loss_type": omikuji.LossType.LOG}),
        ("one_leaf", {"min_branch_size": 100}),
        ("ensemble", {"n_trees": 2, "collapse_every_n_layers": 1, "linear_weight_threshold": 0.3}),
    ):
        params = omikuji.Model.default_hyper_param()
        for key, value in {"n_trees": 1, "min_branch_size": 3, **settings}.items():
            setattr(params, key, getattr(value, "value", value))
        folder = target / f"omikuji_{name}"
        shutil.rmtree(folder, ignore_errors=True)
        model = omikuji.Model.train_on_data(str(data), params, n_threads=1)
        model.save(str(folder))
        scores[name] = np.zeros(Y.shape, dtype=np.float32)[: queries.shape[0]]
        for row, x in enumerate(queries):
            pairs = list(zip(x.indices.tolist(), x.data.tolist(), strict=True))
            found = model.predict(pairs, beam_size=4, top_k=N_LABELS)
            for label, score in found:
                scores[name][row, label] = score
    data.unlink()
    save_data(target, "omikuji", queries=queries.toarray(), **scores)


def make_napkinxc(target):
    """Store trees with both losses, with leaves of different depths, and an ensemble."""
    from napkinxc.models import PLT

    X, Y = make_data(150, seed=1)
    Y = Y.multiply(~np.isin(np.arange(N_LABELS), [3, 8])).tocsr()
    Y.eliminate_zeros()
    targets = [y.indices.tolist() for y in Y]
    queries, _ = make_data(12, seed=2)
    scores = {}
    for name, settings in (
        ("log", {"max_leaves": 4}),
        ("huffman", {"tree_type": "huffman", "loss": "l2", "weights_threshold": 0.3}),
        ("adagrad", {"optimizer": "adagrad", "max_leaves": 4}),
        ("ensemble", {"ensemble": 2, "max_leaves": 6, "weights_threshold": 0.3}),
    ):
        folder = target / f"napkinxc_{name}"
        shutil.rmtree(folder, ignore_errors=True)
        model = PLT(str(folder), threads=1, seed=0, verbose=False, **settings)
        model.fit(X, targets)
        scores[name] = np.zeros((queries.shape[0], N_LABELS), dtype=np.float32)
        for row, found in enumerate(model.predict_proba(queries, top_k=N_LABELS)):
            for label, score in found:
                scores[name][row, label] = score
        for file in folder.rglob("tree.txt"):
            file.unlink()
    save_data(target, "napkinxc", queries=queries.toarray(), **scores)


MAKERS = {"pecos": make_pecos, "omikuji": make_omikuji, "napkinxc": make_napkinxc}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library", choices=sorted(MAKERS))
    parser.add_argument("target", nargs="?", type=Path, default=FIXTURES)
    arguments = parser.parse_args()
    arguments.target.mkdir(exist_ok=True)
    MAKERS[arguments.library](arguments.target)
