"""The pipeline from texts to named labels."""

from os import PathLike

import numpy as np

from skxmr.pipeline._feature_union import FeatureUnion
from skxmr.pipeline._pipeline import Pipeline
from skxmr.text import TextEmbedder, TfidfVectorizer
from skxmr.xr_linear import PRESET_NAMES, XRLinearClassifier
from skxmr.xr_linear import preset as read_preset

# Weight of the embeddings next to TF-IDF; both have unit length. P@1 with all-MiniLM-L6-v2 and the
# weights 0.25, 0.5, 1 and 2: 90.0, 90.2, 90.1 and 90.1 on WordNet, 69.6, 69.8, 69.6 on Debian
# (November 2026).
EMBEDDING_WEIGHT = 0.5


def make_text_classifier(preset="default", *, embedder=None, **classifier_parameters):
    """Return a pipeline that is fitted on texts and suggests labels.

    Parameters
    ----------
    preset : {"default", "fast", "balanced", "best"}, default="default"
        Parameters of the classifier: its defaults, or those of `skxmr.preset`.
    embedder : str, path, object or None, default=None
        Encoder whose embeddings become features next to TF-IDF: a folder or a name of an encoder
        that `skxmr.transformer.TransformerEmbedder` loads; an object with ``encode(texts)``, such
        as a `SentenceTransformer`; or a transformer of texts, such as a `skxmr.text.TextEmbedder`
        with `cache_dir`, which stores the embeddings on disk. Computing embeddings takes most of
        the time of a fit. None uses only TF-IDF.
    **classifier_parameters : dict
        Further parameters of `XRLinearClassifier`; they override the preset. `n_jobs` is also the
        number of threads of the vectorizer.

    Returns
    -------
    skxmr.pipeline.Pipeline
        Unfitted pipeline with the steps "vectorizer", a `skxmr.text.TfidfVectorizer`, and
        "classifier", an `XRLinearClassifier`. Set parameters of a step with
        `model.set_params(vectorizer__min_df=2)`. With an embedder, the first step is "features", a
        `skxmr.pipeline.FeatureUnion` of "vectorizer" and "embedder", in which the embeddings have
        the weight 0.5: `model.set_params(features__transformer_weights={"embedder": 1.0})`.

    Raises
    ------
    ValueError
        If the preset is unknown.
    TypeError
        If the classifier does not have a parameter, or `embedder` is none of these objects.
    ImportError
        If `embedder` is a path or a name, and torch or transformers is not installed.

    See Also
    --------
    skxmr.pipeline.make_pipeline : Pipelines of other steps.
    skxmr.save_model : Save the fitted pipeline, with its vectorizer and the labels.

    Notes
    -----
    The vectorizer has `sublinear_tf=True` and float32 values, and its `token_pattern` includes
    words of one letter. Mean of precision at 1, 3 and 5 on held-out training rows, in percent, and
    non-zero features per row, for other settings of the vectorizer (default classifier, mean of
    four seeds, November 2026):

    ================================================  ======  =======  ======  ===================
    settings                                          titles  WordNet  Debian  features per row
    ================================================  ======  =======  ======  ===================
    as returned                                       9.5     83.0     50.9    8, 13, 45
    words of two or more letters                      9.5     82.7     50.7    7, 12, 44
    `sublinear_tf=False`                              9.5     82.7     50.5    8, 13, 45
    `min_df=2`                                        8.0     82.9     50.8    6, 12, 44
    `ngram_range=(1, 2), min_df=2`                    7.3     84.1     51.2    9, 21, 95
    `analyzer="char_wb", ngram_range=(3, 5), ...`     14.5    83.1     51.3    129, 168, 602
    ================================================  ======  =======  ======  ===================

    Pairs of words help if texts are long or there are many rows; the fit takes up to three times as
    long. Parts of words help most if words are inflected or joined, as in the Swedish titles. Fits
    take six to twelve times as long, and predictions three to six times:
    `model.set_params(vectorizer__analyzer="char_wb", vectorizer__ngram_range=(3, 5),
    vectorizer__min_df=2, vectorizer__token_pattern=None)`.

    Examples
    --------
    >>> from skxmr import make_text_classifier
    >>> texts = ["solve a sparse linear system", "inverse fourier transform", "sparse product"]
    >>> tags = [["sparse", "solve"], ["fft"], ["sparse", "product"]]
    >>> model = make_text_classifier(random_state=0).fit(texts, tags)
    >>> [[name for name, score in pairs] for pairs in model.suggest(["solve a system"], k=2)]
    [['sparse', 'solve']]
    """
    if preset not in ("default", *PRESET_NAMES):
        allowed = ", ".join(["default", *PRESET_NAMES])
        raise ValueError(f"preset must be one of {allowed}; got {preset!r}.")
    parameters = {} if preset == "default" else read_preset(preset)
    classifier = XRLinearClassifier(**{**parameters, **classifier_parameters})
    vectorizer = TfidfVectorizer(
        sublinear_tf=True,
        token_pattern=r"(?u)\b\w+\b",
        dtype=np.float32,
        n_jobs=classifier.n_jobs,
    )
    if embedder is None:
        return Pipeline([("vectorizer", vectorizer), ("classifier", classifier)])
    features = FeatureUnion(
        [("vectorizer", vectorizer), ("embedder", _make_embedder(embedder))],
        transformer_weights={"embedder": EMBEDDING_WEIGHT},
    )
    return Pipeline([("features", features), ("classifier", classifier)])


def _make_embedder(embedder):
    if isinstance(embedder, (str, PathLike)):
        from skxmr.transformer import TransformerEmbedder  # imports torch

        embedder = TransformerEmbedder(embedder)
    elif hasattr(embedder, "transform") and not hasattr(embedder, "encode"):
        return embedder
    if not hasattr(embedder, "encode") and not hasattr(embedder, "transform"):
        raise TypeError(
            "embedder must be a path or name of an encoder, an object with the method encode, or a "
            f"transformer of texts; got an object of type {type(embedder).__name__}."
        )
    return TextEmbedder(embedder)
