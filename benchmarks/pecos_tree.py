"""A model of libpecos with its defaults, for benchmarks that run libraries in turn."""

import tempfile


def train(X, Y, seed):
    """Return an XR-Linear model of CSR matrices, with the tree of its label features."""
    from pecos.xmc import Indexer, LabelEmbeddingFactory
    from pecos.xmc.xlinear.model import XLinearModel

    features = LabelEmbeddingFactory.create(Y, X, method="pifa", threads=1)
    chain = Indexer.gen(features, seed=seed, threads=1)
    return XLinearModel.train(X, Y.tocsc(), C=chain, threads=1)


def load_variants(model):
    """Yield the model for prediction, with each of two formats of its weights."""
    from pecos.xmc.xlinear.model import XLinearModel

    with tempfile.TemporaryDirectory() as folder:
        model.save(folder)
        for kind in ("BINARY_SEARCH_CHUNKED", "HASH_CHUNKED"):
            yield XLinearModel.load(folder, is_predict_only=True, weight_matrix_type=kind)
