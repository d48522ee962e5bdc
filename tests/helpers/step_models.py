"""Models with a column transformer, scalers, selection or calibration, and their rows."""

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import ShuffleSplit
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import MaxAbsScaler, Normalizer, StandardScaler

from skxmr import XRLinearClassifier
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.pipeline import make_pipeline
from skxmr.text import TfidfVectorizer

TOPICS = ["apple pie", "fast car", "new parliament", "green tree", "sorted data"]
N_ROWS = 60
FRAME = pd.DataFrame(
    {
        "title": [TOPICS[i % 5] for i in range(N_ROWS)],
        "body": [f"number {i} {TOPICS[(3 * i + 1) % 5]}" for i in range(N_ROWS)],
        "price": np.arange(N_ROWS) % 7 + 0.5,
        "size": np.arange(N_ROWS) % 4 - 1.0,
    }
)
TEXTS = FRAME["title"].tolist()
NUMBERS = FRAME[["price", "size"]].to_numpy()
LABELS = [(TOPICS[i % 5], f"label {i % 7}") for i in range(N_ROWS)]


def make_columns(remainder="drop"):
    """Return a column transformer with two text columns, a numeric column and a remainder."""
    body = make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0))
    return ColumnTransformer(
        [
            ("title", TfidfVectorizer(), "title"),
            ("body", body, "body"),
            ("price", StandardScaler(), ["price"]),
        ],
        remainder=remainder,
    )


def make_classifier():
    """Return a classifier with several levels."""
    return XRLinearClassifier(max_leaf_size=2, random_state=0)


def make_models():
    """Return unfitted models by name, each with the rows that it takes."""
    texts = make_pipeline(TfidfVectorizer(), make_classifier())
    columns = make_pipeline(make_columns("passthrough"), make_classifier())
    scaled = make_pipeline(make_columns(StandardScaler()), make_classifier())
    svd = make_pipeline(TfidfVectorizer(), TruncatedSVD(4, random_state=0), Normalizer())
    union = FeatureUnion([("svd", svd), ("words", TfidfVectorizer())])
    frozen = FrozenEstimator(make_pipeline(TfidfVectorizer(), StandardScaler(with_mean=False)))
    frozen.estimator.fit(TEXTS)
    fitted = FrozenEstimator(clone(texts).fit(TEXTS, LABELS))
    split = ShuffleSplit(1, random_state=0)
    return {
        "columns": (columns, FRAME),
        "scaled remainder": (scaled, FRAME),
        "array columns": (
            ColumnTransformer(
                [
                    ("first", StandardScaler(), [0]),
                    ("mask", MaxAbsScaler(), [True, True]),
                    ("slice", "passthrough", slice(0, 2)),
                ]
            ),
            NUMBERS,
        ),
        "selection": (
            make_pipeline(TfidfVectorizer(), SelectKBest(chi2, k=6), MaxAbsScaler()),
            TEXTS,
        ),
        "union": (make_pipeline(union, make_classifier()), TEXTS),
        "frozen": (make_pipeline(frozen, make_classifier()), TEXTS),
        "scaler": (make_pipeline(StandardScaler(), MaxAbsScaler(), make_classifier()), NUMBERS),
        "isotonic": (CalibratedMultilabelClassifierCV(texts, cv=split), TEXTS),
        "calibration of a fitted model": (CalibratedMultilabelClassifierCV(fitted, cv=2), TEXTS),
        "sigmoid": (CalibratedMultilabelClassifierCV(columns, method="sigmoid", cv=2), FRAME),
        "tuned": (TunedThresholdMultilabelClassifierCV(texts, per_label=True, cv=2), TEXTS),
        "tuned calibration": (
            TunedThresholdMultilabelClassifierCV(
                CalibratedMultilabelClassifierCV(texts, cv=2), cv=split
            ),
            TEXTS,
        ),
        "calibration of rows": (
            make_pipeline(
                make_columns(), CalibratedMultilabelClassifierCV(make_classifier(), cv=2)
            ),
            FRAME,
        ),
    }


def rows_by_model():
    """Return the rows of each model of `make_models`, by its name."""
    return {name: rows for name, (_, rows) in make_models().items()}


def fit_model(model, rows):
    """Fit a model of `make_models` and return it."""
    is_classifier = hasattr(model, "predict")
    return model.fit(rows, LABELS if is_classifier else np.arange(N_ROWS) % 5)
