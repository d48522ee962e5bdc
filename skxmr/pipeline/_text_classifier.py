"""The pipeline from texts to named labels."""

import numpy as np

from skxmr.pipeline._pipeline import Pipeline
from skxmr.text import TfidfVectorizer
from skxmr.xr_linear import PRESET_NAMES, XRLinearClassifier
from skxmr.xr_linear import preset as read_preset


def make_text_classifier(preset="default", **classifier_parameters):
    """Return a pipeline that is fitted on texts and suggests labels.

    Parameters
    ----------
    preset : {"default", "fast", "balanced", "best"}, default="default"
        Parameters of the classifier: its defaults, or those of `skxmr.preset`.
    **classifier_parameters : dict
        Further parameters of `XRLinearClassifier`; they override the preset. `n_jobs` is also the
        number of threads of the vectorizer.

    Returns
    -------
    skxmr.pipeline.Pipeline
        Unfitted pipeline with the steps "vectorizer", a `skxmr.text.TfidfVectorizer`, and
        "classifier", an `XRLinearClassifier`. Set parameters of a step with
        `model.set_params(vectorizer__min_df=2)`.

    Raises
    ------
    ValueError
        If the preset is unknown.
    TypeError
        If the classifier does not have a parameter.

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
    return Pipeline([("vectorizer", vectorizer), ("classifier", classifier)])
