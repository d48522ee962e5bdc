"""One class per library that fits, saves, loads and queries its model.

This code runs in the interpreter of the peer, which may not have skxmr and may be older. Therefore
each class imports its library inside its methods.
"""

import os

import numpy as np
from peer import BEAM, BRANCHING, LEAF, MAX_ITER, THRESHOLD, TOL, C, K, Peer

N_AVERAGED = 100  # number of labels per row and tree of an ensemble of libpecos; skxmr's number
OMIKUJI_BEAM = 10  # the default of its Python function; the C function has no default


class Skxmr(Peer):
    modules = ("skxmr", "joblib")
    packages = ("skxmr", "numpy", "scipy", "scikit-learn")
    equal_settings = {
        "branching_factor": BRANCHING,
        "max_leaf_size": LEAF,
        "C": C,
        "positive_weight": 1.0,
        "relevance_norm": None,
        "path_weight": 1.0,
        "tol": TOL,
        "max_iter": MAX_ITER,
        "weight_threshold": THRESHOLD,
        "beam_width": BEAM,
    }

    @property
    def folder(self):
        return os.path.join(self.path, "model")

    def fit(self, X, Y):
        from inspect import signature

        from skxmr import XRLinearClassifier, preset

        settings = dict(self.settings)
        if "preset" in settings:
            settings = {**preset(settings.pop("preset")), **settings}
        if self.stream and "model_dir" in signature(XRLinearClassifier).parameters:
            settings["model_dir"] = self.folder
            self.fit_writes_model = True
        self.model = XRLinearClassifier(
            **settings, n_jobs=self.threads, random_state=self.seed
        ).fit(X, Y)

    def count_weights(self):
        levels = self.model._model.levels
        return sum(len(level.arrays["entry_weights"]) for level in levels)

    def save(self):
        import joblib

        from skxmr import save_model

        if self.fit_writes_model:
            return
        if self.mapped:
            save_model(self.model, self.folder)
        else:
            joblib.dump(self.model, os.path.join(self.path, "model.joblib"))

    def load(self):
        import joblib

        from skxmr import load_model

        if self.mapped:
            self.model = load_model(self.folder, mmap_mode="r")
        else:
            self.model = joblib.load(os.path.join(self.path, "model.joblib"))
        self.model.set_params(n_jobs=self.threads)

    def predict(self, X):
        return self.model.predict_topk(X, K)

    def to_ranking(self, predictions):
        return predictions[0]


class Pecos(Peer):
    modules = ("pecos.xmc", "pecos.xmc.xlinear.model")
    packages = ("libpecos", "numpy", "scipy", "scikit-learn")
    equal_settings = {
        "nr_splits": BRANCHING,
        "max_leaf_size": LEAF,
        "spherical": True,
        "negative_sampling_scheme": "tfn",
        "solver_type": "L2R_L2LOSS_SVC_DUAL",
        "Cp": C,
        "Cn": C,
        "eps": TOL,
        "max_iter": MAX_ITER,
        "threshold": THRESHOLD,
        "beam_size": BEAM,
        "post_processor": "l3-hinge",
    }
    prediction_settings = frozenset({"beam_size", "post_processor"})

    def read(self, folder):
        self._check_names()
        X, Y = super().read(folder)
        return X, Y, Y.tocsc()

    def _check_names(self):
        """Raise an error for a misspelled setting, which libpecos would ignore."""
        from dataclasses import fields

        from pecos.xmc import MLModel
        from pecos.xmc.base import HierarchicalKMeans
        from pecos.xmc.xlinear.model import XLinearModel

        classes = [cls.TrainParams for cls in (HierarchicalKMeans, XLinearModel, MLModel)]
        known = {field.name for cls in classes for field in fields(cls)}
        known |= {"negative_sampling_scheme", "n_trees", *self.prediction_settings}
        unknown = set(self.settings) - known
        if unknown:
            raise ValueError(f"settings must be parameters of libpecos; got {sorted(unknown)}")

    def fit(self, X, Y, Y_by_label):
        from pecos.xmc import Indexer, LabelEmbeddingFactory
        from pecos.xmc.xlinear.model import XLinearModel

        settings = dict(self.settings)
        n_trees = settings.pop("n_trees", 1)
        # Each function uses the settings that it knows.
        label_features = LabelEmbeddingFactory.create(Y, X, method="pifa", threads=self.threads)
        self.models = []
        for seed in range(self.seed * n_trees, (self.seed + 1) * n_trees):
            chain = Indexer.gen(label_features, seed=seed, threads=self.threads, **settings)
            self.models.append(
                XLinearModel.train(X, Y_by_label, C=chain, threads=self.threads, **settings)
            )

    def count_weights(self):
        return int(sum(level.W.nnz for model in self.models for level in model.model.model_chain))

    def save(self):
        for number, model in enumerate(self.models):
            model.save(os.path.join(self.path, str(number)))

    def load(self):
        from pecos.xmc.xlinear.model import XLinearModel

        folders = [os.path.join(self.path, name) for name in sorted(os.listdir(self.path))]
        self.models = [XLinearModel.load(folder, is_predict_only=True) for folder in folders]

    def predict(self, X):
        from pecos.utils.smat_util import CsrEnsembler

        names = self.prediction_settings.intersection(self.settings)
        settings = {name: self.settings[name] for name in names}
        settings["only_topk"] = K if len(self.models) == 1 else N_AVERAGED
        predictions = [model.predict(X, threads=self.threads, **settings) for model in self.models]
        return predictions[0] if len(predictions) == 1 else CsrEnsembler.average(*predictions)

    def to_ranking(self, predictions):
        P = predictions.tocsr()
        lengths = np.diff(P.indptr)
        rows = np.repeat(np.arange(P.shape[0]), lengths)
        best_first = np.lexsort((-P.data, rows))
        ranks = np.arange(P.nnz) - np.repeat(P.indptr[:-1], lengths)
        is_top = ranks < K
        ids = np.full((P.shape[0], K), -1, dtype=np.int64)
        ids[rows[is_top], ranks[is_top]] = P.indices[best_first][is_top]
        return ids


class Omikuji(Peer):
    modules = ("omikuji",)
    packages = ("omikuji", "numpy", "scipy")
    equal_settings = {
        "n_trees": 1,
        "cluster_k": BRANCHING,
        "cluster_balanced": True,
        "min_branch_size": LEAF,
        "linear_loss_type": 0,  # LossType.HINGE; it is squared
        "linear_c": C,
        "linear_eps": TOL,
        "linear_max_iter": MAX_ITER,
        "linear_weight_threshold": THRESHOLD,
        "beam_size": BEAM,
    }

    def read(self, folder):
        # The public train_on_data parses and trains in one call, but parsing must not be timed.
        from omikuji import _ThreadPoolHandle, ffi, lib

        self.pool = _ThreadPoolHandle(self.threads)
        path = os.path.join(folder, "train.txt").encode()
        data = lib.load_omikuji_data_set(ffi.new("char[]", path), self.pool.ptr)
        if data == ffi.NULL:
            raise RuntimeError("omikuji failed to read the training file")
        return (ffi.gc(data, lib.free_omikuji_data_set),)

    def fit(self, data):
        from omikuji import Model, ffi, lib

        settings = Model.default_hyper_param()
        for name, value in self.settings.items():
            if name != "beam_size":
                setattr(settings, name, value)
        model = lib.train_omikuji_model(data, settings, self.pool.ptr)
        if model == ffi.NULL:
            raise RuntimeError("omikuji failed to train")
        self.model = Model(model, self.pool)

    def save(self):
        self.model.save(self.path)

    def load(self):
        from omikuji import Model

        self.model = Model.load(self.path)
        self.model.init_prediction_thread_pool(self.threads)

    def predict(self, X):
        # There is no batch function, and the Python function spends its time on lists of pairs.
        # Therefore the rows are passed to the C function.
        from omikuji import ffi, lib

        ids = np.zeros((X.shape[0], K), dtype=np.uint32)
        n_found = np.zeros(X.shape[0], dtype=np.int64)
        features = ffi.from_buffer("uint32_t[]", X.indices.astype(np.uint32))
        values = ffi.from_buffer("float[]", X.data)
        labels = ffi.from_buffer("uint32_t[]", ids)
        scores = ffi.new("float[]", K)
        model, pool = self.model._model_ptr, self.model._thread_pool.ptr
        bounds, beam = X.indptr.tolist(), self.settings.get("beam_size", OMIKUJI_BEAM)
        for i in range(X.shape[0]):
            start, length = bounds[i], bounds[i + 1] - bounds[i]
            row = (length, features + start, values + start)
            n_found[i] = lib.omikuji_predict(model, beam, *row, K, labels + i * K, scores, pool)
        return ids, n_found

    def to_ranking(self, predictions):
        ids, n_found = predictions
        return np.where(np.arange(K) < n_found[:, None], ids.astype(np.int64), -1)

    def make_query(self, X, i):
        row = slice(X.indptr[i], X.indptr[i + 1])
        values = X.data[row].tolist()
        return [(feature, values[n]) for n, feature in enumerate(X.indices[row].tolist())]

    def predict_one(self, query):
        return self.model.predict(query, self.settings.get("beam_size", OMIKUJI_BEAM), K)


class Napkinxc(Peer):
    fit_writes_model = True
    modules = ("napkinxc.models",)
    packages = ("napkinxc", "numpy", "scipy")
    equal_settings = {
        "arity": BRANCHING,
        "max_leaves": LEAF,
        "loss": "l2",  # squared hinge
        "liblinear_c": C,
        "liblinear_eps": TOL,
        "liblinear_max_iter": MAX_ITER,
        "weights_threshold": THRESHOLD,
        "tree_search_type": "beam",
        "beam_search_width": BEAM,
    }

    def _create_model(self):
        from napkinxc import models

        # Rows are always normalized, because norm=False crashes version 0.7.2.
        settings = {"model": "PLT", **self.settings}
        make_model = getattr(models, settings.pop("model"))
        return make_model(self.path, **settings, seed=self.seed, threads=self.threads)

    def fit(self, X, Y):
        self.model = self._create_model()
        self.model.fit(X, Y)

    def save(self):
        pass  # fit writes the model

    def load(self):
        self.model = self._create_model()
        self.model.load()

    def predict(self, X):
        return self.model.predict(X, top_k=K)

    def to_ranking(self, predictions):
        ids = np.full((len(predictions), K), -1, dtype=np.int64)
        for i, labels in enumerate(predictions):  # beam search returns all its labels, best first
            ids[i, : min(K, len(labels))] = labels[:K]
        return ids


class Sklearn(Peer):
    """Baseline with one model per label and without a tree."""

    modules = ("joblib", "sklearn.multiclass", "sklearn.svm")
    packages = ("scikit-learn", "numpy", "scipy")
    equal_settings = {"C": C, "tol": TOL}
    rows_per_block = 2048  # the scores of all labels are dense

    def read(self, folder):
        X, Y = super().read(folder)
        # A label without a positive row would have the constant score 0 and rank first.
        self.labels = np.flatnonzero(np.bincount(Y.indices, minlength=Y.shape[1]))
        if len(self.labels) > self.max_labels:
            self.scale = len(self.labels) / self.max_labels
            sample = np.random.RandomState(self.seed).permutation(self.labels)[: self.max_labels]
            self.labels = np.sort(sample)
        # float64, because LinearSVC would convert X for each label.
        return X.astype(np.float64), Y[:, self.labels]

    def fit(self, X, Y):
        import joblib
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.svm import LinearSVC

        svm = LinearSVC(**self.settings, random_state=self.seed)
        model = OneVsRestClassifier(svm, n_jobs=self.threads)
        # Threads are parallel, because liblinear releases the GIL. Processes would not be measured.
        with joblib.parallel_config(backend="threading"):
            self.model = model.fit(X, Y)

    def save(self):
        import joblib

        joblib.dump((self.model, self.labels), os.path.join(self.path, "model.joblib"))

    def load(self):
        import joblib

        self.model, self.labels = joblib.load(os.path.join(self.path, "model.joblib"))

    def predict(self, X):
        blocks = range(0, X.shape[0], self.rows_per_block)
        return np.concatenate([self._predict(X[i : i + self.rows_per_block]) for i in blocks])

    def _predict(self, X):
        scores = self.model.decision_function(X).reshape(X.shape[0], -1)
        k = min(K, scores.shape[1])
        best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        ids = np.full((X.shape[0], K), -1, dtype=np.int64)
        ids[:, :k] = self.labels[np.take_along_axis(best, order, 1)]
        return ids


PEERS = {
    "skxmr": Skxmr,
    "pecos": Pecos,
    "omikuji": Omikuji,
    "napkinxc": Napkinxc,
    "sklearn": Sklearn,
}
