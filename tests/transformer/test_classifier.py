"""XTransformerClassifier: texts to labels with frozen and fine-tuned encoders."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

pytest.importorskip("torch")
pytest.importorskip("transformers")

from scipy.sparse.linalg import norm
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import normalize

from skxmr import (
    HierarchicalLabelTree,
    LabelHierarchy,
    XRLinearClassifier,
    load_model,
    save_model,
)
from skxmr.metrics import precision_at_k
from skxmr.text import TfidfVectorizer
from skxmr.transformer import TransformerEmbedder, TransformerMatcher, XTransformerClassifier
from skxmr.transformer._text_features import join_features

SHORT_TRAINING = {"n_epochs": 1, "max_length": 32}


@pytest.fixture(scope="module")
def topics(topic_texts):
    """Return 200 texts with one or two of 16 topics each, and the indicator of the topics."""
    texts, M = topic_texts
    first, second = np.random.default_rng(0).integers(len(texts), size=(2, 136))
    joined = [f"{texts[i]} {texts[j]}" for i, j in zip(first, second, strict=True)]
    Y = sp.vstack([M, M[first].maximum(M[second])], format="csr").astype(np.int8)
    return [*texts, *joined], Y


def make_frozen(model, **kwargs):
    """Return an unfitted classifier with a frozen encoder."""
    embedder = TransformerEmbedder(model if isinstance(model, str) else ".", max_length=32)
    return XTransformerClassifier(
        model, max_leaf_size=4, matcher=embedder, random_state=0, **kwargs
    )


def make_tuned(model, **kwargs):
    """Return an unfitted classifier with a short fine-tuning."""
    matcher = TransformerMatcher(model if isinstance(model, str) else ".", **SHORT_TRAINING)
    return XTransformerClassifier(model, max_leaf_size=4, matcher=matcher, random_state=0, **kwargs)


def assert_equal(a, b):
    a, b = (x.toarray() if sp.issparse(x) else x for x in (a, b))
    np.testing.assert_array_equal(a, b)


def test_transform_returns_tfidf_and_embeddings_of_given_lengths(tiny_bert, topics):
    texts, Y = topics
    model = make_frozen(tiny_bert, embedding_weight=0.5).fit(texts, Y)
    X = model.transform(texts)
    n_words = len(model.vectorizer_.vocabulary_)
    assert X.dtype == np.float32
    assert X.has_sorted_indices
    E = TransformerEmbedder(tiny_bert, max_length=32).fit(texts).transform(texts)
    words = X[:, :n_words].toarray()
    np.testing.assert_allclose(words, model.vectorizer_.transform(texts).toarray(), atol=1e-6)
    np.testing.assert_allclose(X[:, n_words:].toarray(), 0.5 * normalize(E), atol=1e-6)


@pytest.mark.parametrize("dense", [False, True])
def test_join_features_equals_hstack_of_unit_rows(dense):
    rng = np.random.default_rng(0)
    X = sp.random_array((9000, 7), density=0.2, rng=rng, dtype=np.float64).tocsr()
    E = rng.normal(size=(9000, 3)).astype(np.float32)
    E[5] = 0
    expected = sp.hstack([normalize(X), 2 * normalize(E)]).toarray()
    joined = join_features(X.toarray() if dense else X, [E], 2)
    np.testing.assert_allclose(joined.toarray(), expected, atol=1e-6)
    assert joined.has_sorted_indices
    assert joined.dtype == np.float32


def test_join_features_sums_duplicates_before_scaling():
    X = sp.csr_matrix((np.ones(3), [0, 0, 1], [0, 3]), shape=(1, 2))
    joined = join_features(X, [np.ones((1, 1), dtype=np.float32)], 1)
    np.testing.assert_allclose(joined.toarray(), [[2 / 5**0.5, 1 / 5**0.5, 1]], rtol=1e-6)
    assert X.nnz == 3


def test_predictions_equal_those_of_linear_classifier_on_features(tiny_bert, topics):
    texts, Y = topics
    model = make_frozen(tiny_bert, classifier=XRLinearClassifier(C=2.0, random_state=1))
    model.fit(texts, Y)
    linear = XRLinearClassifier(max_leaf_size=4, C=2.0, random_state=1).fit(
        model.transform(texts), Y
    )
    assert_equal(model.predict_proba(texts), linear.predict_proba(model.transform(texts)))
    assert_equal(model.decision_function(texts), model.predict_proba(texts))
    assert_equal(model.predict(texts), linear.predict(model.transform(texts)))
    assert_equal(
        model.score_candidates(texts, Y), linear.score_candidates(model.transform(texts), Y)
    )
    for ranking, expected in zip(
        model.predict_topk(texts, k=3),
        linear.predict_topk(model.transform(texts), k=3),
        strict=True,
    ):
        assert_equal(ranking, expected)
    assert model.hierarchy_ == linear.hierarchy_
    assert model.n_iter_ == linear.n_iter_
    assert model.score(texts, Y) == linear.score(model.transform(texts), Y)


def test_trees_of_given_estimator_differ(tiny_bert, topics):
    texts, Y = topics
    linear = XRLinearClassifier(n_trees=2, label_tree=HierarchicalLabelTree(4, 4))
    model = make_frozen(tiny_bert, classifier=linear).fit(texts, Y)
    first, second = model.classifier_._model.models
    assert first.hierarchy != second.hierarchy
    assert_equal(clone(model).fit(texts, Y).predict_proba(texts), model.predict_proba(texts))


@pytest.mark.parametrize("matcher", ["frozen", "tuned"])
def test_predictions_have_format_of_targets(tiny_bert, topics, matcher):
    texts, Y = topics
    make = make_frozen if matcher == "frozen" else make_tuned
    sparse = make(tiny_bert).fit(texts, Y)
    dense = make(tiny_bert).fit(np.array(texts), Y.toarray())
    assert sp.issparse(sparse.predict(texts))
    assert isinstance(dense.predict(texts), np.ndarray)
    assert_equal(sparse.predict(texts), dense.predict(texts))
    names = np.array([f"topic {i}" for i in Y.toarray().argmax(axis=1)])
    classes = make(tiny_bert).fit(texts, names)
    assert set(classes.predict(texts)) <= set(names)
    np.testing.assert_allclose(classes.predict_proba(texts).sum(axis=1), 1, rtol=1e-5)
    assert classes.score(texts, names) > 0.9


@pytest.mark.parametrize("cluster_scores", ["linear", "transformer", "mean"])
def test_fine_tuned_classifier_learns_labels_and_is_reproducible(tiny_bert, topics, cluster_scores):
    texts, Y = topics
    model = make_tuned(tiny_bert, cluster_scores=cluster_scores).fit(texts, Y)
    ranking = model.predict_topk(texts, k=1)
    assert precision_at_k(Y, ranking, k=1) > 0.9
    again = clone(model).fit(texts, Y)
    assert_equal(model.predict_proba(texts), again.predict_proba(texts))


def test_cluster_scores_transformer_uses_scores_of_encoder(tiny_bert, topics):
    texts, Y = topics
    model = make_tuned(tiny_bert, cluster_scores="transformer").fit(texts, Y)
    P = model.encoders_[0].heads_.predict_proba(model.encoders_[0].transform(texts), None)
    leaf = model.hierarchy_.leaf_of_label
    best = P.toarray().argmax(axis=1)
    narrow = model.classifier_.set_params(beam_width=1).predict_topk(model.transform(texts), k=1)
    assert_equal(leaf[narrow[0][:, 0]], best)


def test_cluster_scores_mean_averages_encoders_and_linear_models(tiny_bert, topics):
    texts, Y = topics
    model = make_tuned([tiny_bert] * 2, cluster_scores="mean").fit(texts, Y)
    X = model.transform(texts)
    scorer = model.classifier_.matcher
    first, second = (
        e.heads_.predict_proba(e.transform(texts), scorer.beam_width).toarray()
        for e in model.encoders_
    )
    linear = scorer.linear.predict_proba(X).toarray()
    np.testing.assert_allclose(
        scorer.predict_proba(X).toarray(),
        ((first + second) / 2 + linear)[:, scorer.columns] / 2,
        atol=1e-5,
    )


def test_embeddings_of_several_encoders_are_concatenated(tiny_bert, topics):
    texts, Y = topics
    one = make_frozen(tiny_bert).fit(texts, Y)
    two = make_frozen([tiny_bert, Path(tiny_bert)]).fit(texts, Y)
    E = one.transform(texts)[:, -32:].toarray()
    concatenated = two.transform(texts)[:, -64:].toarray()
    np.testing.assert_allclose(concatenated, np.hstack([E, E]) / np.sqrt(2), atol=1e-6)


def test_matcher_level_selects_clusters_and_single_cluster_uses_labels(tiny_bert, topics):
    texts, Y = topics
    tree = HierarchicalLabelTree(branching_factor=2, max_leaf_size=4, random_state=0)
    model = XTransformerClassifier(
        tiny_bert,
        matcher=TransformerMatcher(tiny_bert, **SHORT_TRAINING),
        matcher_level=1,
        cluster_scores="transformer",
        classifier=XRLinearClassifier(label_tree=tree),
        random_state=0,
    ).fit(texts, Y)
    assert model.encoders_[0].hierarchy.level_sizes == (2,)
    assert model.hierarchy_.n_levels > 2
    assert precision_at_k(Y, model.predict_topk(texts, k=1), k=1) > 0.9
    # If all labels are in one cluster, the encoder learns the labels and no cluster is scored.
    flat = make_tuned(tiny_bert).set_params(max_leaf_size=100, cluster_scores="mean").fit(texts, Y)
    assert flat.encoders_[0].hierarchy.level_sizes == (16,)
    assert flat.hierarchy_.level_sizes == (16,)


def test_given_hierarchy_is_used(tiny_bert, topics):
    texts, Y = topics
    hierarchy = LabelHierarchy.from_memberships(np.arange(16) % 5)
    for cluster_scores in ("linear", "mean"):
        model = make_tuned(
            tiny_bert,
            classifier=XRLinearClassifier(label_tree=hierarchy),
            cluster_scores=cluster_scores,
        ).set_params(max_leaf_size=None)
        model.fit(texts, Y)
        assert model.hierarchy_ == hierarchy
        assert model.encoders_[0].hierarchy.level_sizes == (5,)


def test_prediction_parameters_can_change_after_fit(tiny_bert, topics):
    texts, Y = topics
    model = make_frozen(tiny_bert, classifier=XRLinearClassifier(beam_width=1)).fit(texts, Y)
    narrow = model.predict_proba(texts)
    wide = model.set_params(classifier__beam_width=None).predict_proba(texts)
    assert wide.nnz == len(texts) * 16 > narrow.nnz
    assert model.classifier_.beam_width == 1
    weighted = clone(model).set_params(embedding_weight=3.0)
    assert weighted.fit(texts, Y).set_params(embedding_weight=1.0) is weighted
    E = weighted.transform(texts)[:, -32:]
    np.testing.assert_allclose(sp.linalg.norm(E, axis=1), 3, rtol=1e-5)


@pytest.mark.parametrize("matcher", ["frozen", "tuned"])
def test_pickle_loads_without_encoder_folder(tiny_bert, topics, tmp_path, matcher):
    texts, Y = topics
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    make = make_frozen if matcher == "frozen" else make_tuned
    model = make(str(folder), **({} if matcher == "frozen" else {"cluster_scores": "mean"}))
    model.fit(texts, Y)
    before = model.predict_proba(texts)
    saved = pickle.dumps(model)
    shutil.rmtree(folder)
    assert_equal(pickle.loads(saved).predict_proba(texts), before)


def test_grid_search_sets_embedding_weight_and_classifier_parameters(tiny_bert, topics):
    texts, Y = topics
    model = make_frozen(tiny_bert, classifier=XRLinearClassifier())
    grid = {"embedding_weight": [0.5, 2.0], "classifier__C": [0.1, 1.0]}

    def mean_score(estimator, texts, Y):
        return estimator.predict_proba(texts).multiply(Y).mean()

    search = GridSearchCV(model, grid, cv=2, scoring=mean_score).fit(texts, Y)
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    assert search.predict(texts).shape == Y.shape


def test_rows_with_zero_weight_are_ignored(tiny_bert, topics):
    texts, Y = topics
    weights = np.ones(len(texts))
    weights[100:] = 0
    relevance = Y * 2.0
    model = make_tuned(tiny_bert).fit(texts, Y, sample_weight=weights, relevance=relevance)
    fewer_rows = make_tuned(tiny_bert).fit(texts[:100], Y[:100], np.ones(100), relevance[:100])
    assert_equal(model.predict_proba(texts), fewer_rows.predict_proba(texts))


def test_scalar_sample_weight_applies_to_all_rows(tiny_bert, topics):
    texts, Y = topics
    linear = {"classifier": XRLinearClassifier(random_state=0)}
    scalar = make_frozen(tiny_bert, **linear).fit(texts, Y, sample_weight=2.0)
    array = make_frozen(tiny_bert, **linear).fit(texts, Y, sample_weight=np.full(len(texts), 2.0))
    assert_equal(scalar.predict_proba(texts), array.predict_proba(texts))


@pytest.mark.parametrize("matcher", ["frozen", "tuned"])
def test_class_whose_rows_have_zero_weight_keeps_its_column(tiny_bert, topic_texts, matcher):
    # The given hierarchy is over all classes, also over the one without a weighted row.
    texts, M = topic_texts
    classes = np.array([f"c{topic:02}" for topic in M.indices])
    weights = (M.indices != 3).astype(float)
    linear = XRLinearClassifier(label_tree=LabelHierarchy.from_memberships(np.arange(16) % 4))
    make = make_frozen if matcher == "frozen" else make_tuned
    model = make(tiny_bert, classifier=linear).set_params(max_leaf_size=None)
    model.fit(texts, classes, sample_weight=weights)
    np.testing.assert_array_equal(model.classes_, np.unique(classes))
    assert "c03" not in model.predict(texts)
    has_weight = weights > 0
    predicted = model.predict(np.array(texts)[has_weight])
    np.testing.assert_array_equal(predicted, classes[has_weight])


def test_custom_vectorizer_is_cloned_and_empty_texts_are_allowed(tiny_bert, topics):
    texts, Y = topics
    texts = ["", *texts[1:]]
    vectorizer = CountVectorizer(binary=True)
    model = make_frozen(tiny_bert, vectorizer=vectorizer).fit(texts, Y)
    assert not hasattr(vectorizer, "vocabulary_")
    X = model.transform(texts)[:, :-32]
    assert X[0].nnz == 0
    np.testing.assert_allclose(sp.linalg.norm(X[1:], axis=1), 1, rtol=1e-5)
    assert (model.predict_topk([""], k=3)[0] >= 0).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"embedding_weight": 0}, "embedding_weight"),
        ({"model": []}, "model must"),
        ({"matcher": "thawed"}, "matcher"),
        ({"matcher_level": 1}, "matcher_level must be -1 .* got 1"),
        ({"cluster_scores": "mean"}, "(?s)cluster_scores='mean'.*a frozen encoder"),
        ({"max_leaf_size": 0}, "max_leaf_size"),
        ({"classifier": XRLinearClassifier(C=-1)}, "'C'"),
        ({"classifier": XRLinearClassifier(negatives="none")}, "negatives"),
        ({"classifier": XRLinearClassifier(score_transform=["l9"])}, "score_transform"),
    ],
)
def test_invalid_parameter_is_refused_before_training(
    tiny_bert, topics, parameters, message, monkeypatch
):
    texts, Y = topics
    model = make_frozen(tiny_bert).fit(texts, Y)
    before = model.predict_proba(texts)
    model.set_params(**parameters)
    with monkeypatch.context() as patch:
        patch.setattr(TfidfVectorizer, "fit_transform", None)
        with pytest.raises(ValueError, match=message):
            model.fit(texts, Y)
    if "classifier" not in parameters:
        assert_equal(model.predict_proba(texts), before)


@pytest.mark.parametrize(
    ("parameters", "fit_parameters", "message"),
    [
        ({"classifier": XRLinearClassifier(n_trees=2)}, {}, "n_trees=2"),
        ({}, {"sample_weight": np.ones(200)}, "sample_weight"),
    ],
)
def test_cluster_scores_refuses_conflicting_options(
    tiny_bert, topics, parameters, fit_parameters, message
):
    model = make_tuned(tiny_bert, cluster_scores="transformer", **parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(*topics, **fit_parameters)


def test_invalid_data_is_refused(tiny_bert, topics, monkeypatch):
    texts, Y = topics
    model = make_frozen(tiny_bert)
    with monkeypatch.context() as patch:
        patch.setattr(TfidfVectorizer, "fit_transform", None)
        sparse_only = make_frozen(tiny_bert, classifier=XRLinearClassifier(sparse_output=True))
        with pytest.raises(ValueError, match="sparse_output=True"):
            sparse_only.fit(texts, np.arange(len(texts)) % 5)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.fit(texts[:-1], Y)
    with pytest.raises(ValueError, match=r"texts\[1\]"):
        model.fit([texts[0], None, *texts[2:]], Y)
    with pytest.raises(ValueError, match="single str"):
        model.fit(texts, Y).predict("one text")
    with pytest.raises(ValueError, match="y must be .*2"):
        model.fit(texts, Y * 2)
    with pytest.raises(ValueError, match="no blanks around them; got ' lute' in row 1"):
        model.fit(texts[:2], [["wolf"], ["otter", " lute"]])
    with pytest.raises(ValueError, match="model"):
        make_frozen(str(Path(tiny_bert).parent)).fit(texts, Y)


def test_names_of_labels_are_accepted(tiny_bert, topics):
    texts, Y = topics
    names = np.array([f"topic {column:02d}" for column in range(Y.shape[1])], dtype=object)
    labels = [names[row.indices].tolist() for row in Y]
    reference = make_frozen(tiny_bert).fit(texts, Y)
    model = make_frozen(tiny_bert).fit(texts, labels)
    assert model.classes_.tolist() == names.tolist()
    expected = [tuple(names[row.indices]) for row in sp.csr_array(reference.predict(texts))]
    assert model.predict(texts).tolist() == expected
    assert model.score(texts, labels) == reference.score(texts, Y)
    assert model.suggest(texts[:1], k=1)[0][0][0] in labels[0]


def test_y_without_labels_is_refused_before_training(tiny_bert, topics):
    texts, Y = topics
    weights = np.r_[np.zeros(100), np.ones(len(texts) - 100)]
    for model in (make_frozen(tiny_bert), make_tuned(tiny_bert)):
        with pytest.raises(ValueError, match="y must have at least one label; got only zeros"):
            model.fit(texts, Y * 0)
        with pytest.raises(ValueError, match="y without the rows whose sample_weight is 0 must"):
            model.fit(texts, Y.multiply(weights[:, None] == 0), sample_weight=weights)


def test_joined_labels_are_reported_once(tiny_bert, topic_texts):
    texts = topic_texts[0][:20]
    with pytest.warns(UserWarning, match="joined by ';'") as warned:
        make_frozen(tiny_bert).fit(texts, ["a;b", "b;c", "a", "c"] * 5)
    assert len(warned) == 1


@pytest.mark.parametrize("container", ["sparse", "boolean"])
def test_pandas_targets_equal_arrays(tiny_bert, topics, container):
    pd = pytest.importorskip("pandas")
    texts, Y = topics
    frame = pd.DataFrame.sparse.from_spmatrix(Y)
    frame = frame if container == "sparse" else pd.DataFrame(Y.toarray()).astype("boolean")
    model = make_frozen(tiny_bert).fit(texts, frame)
    expected = make_frozen(tiny_bert).fit(texts, Y)
    assert_equal(model.predict_topk(texts)[0], expected.predict_topk(texts)[0])
    assert_equal(model.predict(texts), expected.predict(texts))
    assert sp.issparse(model.predict(texts)) == (container == "sparse")
    assert model.score(texts, frame) == expected.score(texts, Y) > 0
    with pytest.raises(ValueError, match="y must have 16 columns, .*; got 15"):
        model.score(texts, Y[:, :15])


def make_frame_classifier(model):
    """Return a classifier of data frames that uses the text and two numeric columns."""
    vectorizer = make_column_transformer(
        (TfidfVectorizer(), "text"), ("passthrough", ["size"]), ("passthrough", ["flag"])
    )
    return make_frozen(model, vectorizer=vectorizer, text_column="text")


@pytest.fixture(scope="module")
def products(topics):
    """Return 200 rows with a text, a number and a sparse flag; only these determine the class."""
    size = np.random.default_rng(0).choice([-1.0, 1.0], 200)
    flag = pd.arrays.SparseArray(np.arange(200) % 2, dtype=np.int8)
    frame = pd.DataFrame({"text": topics[0], "size": size, "flag": flag})
    return frame, 2 * (size > 0) + np.asarray(flag)


def test_vectorizer_can_add_numeric_columns_of_data_frame(tiny_bert, products, tmp_path):
    frame, y = products
    model = make_frame_classifier(tiny_bert).fit(frame[:150], y[:150])
    assert model.score(frame[150:], y[150:]) == 1
    assert model.suggest(frame[:2], k=1)[0][0][0] == y[0]
    X = model.transform(frame)
    np.testing.assert_allclose(norm(X[:, :-32], axis=1), 1, rtol=1e-6)
    encoder = TransformerEmbedder(tiny_bert, max_length=32)
    E = encoder.fit_transform(list(frame["text"]))
    np.testing.assert_allclose(X[:, -32:].toarray(), 0.5 * E, atol=1e-6)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert_equal(loaded.predict_proba(frame), model.predict_proba(frame))


def test_default_vectorizer_uses_only_texts_of_data_frame(tiny_bert, topics, products):
    texts, Y = topics
    frame = products[0]
    model = make_frozen(tiny_bert, text_column="text").fit(frame, Y)
    expected = make_frozen(tiny_bert).fit(texts, Y)
    assert_equal(model.predict_proba(frame), expected.predict_proba(texts))
    assert_equal(model.set_params(text_column=None).transform(frame), expected.transform(texts))


def test_rows_of_data_frame_with_weight_0_are_ignored(tiny_bert, products):
    frame, y = products
    weights = np.arange(200) % 3
    model = make_frame_classifier(tiny_bert).fit(frame, y, sample_weight=weights)
    kept = make_frame_classifier(tiny_bert)
    kept.fit(frame[weights > 0], y[weights > 0], sample_weight=weights[weights > 0])
    assert_equal(model.predict_proba(frame), kept.predict_proba(frame))


@pytest.mark.parametrize("drop", [False, True])
def test_rows_without_text_column_are_refused(tiny_bert, products, drop):
    frame, y = products
    rows = frame.drop(columns="text") if drop else list(frame["text"])
    with pytest.raises(ValueError, match="texts must be a data frame with the column 'text'"):
        make_frame_classifier(tiny_bert).fit(rows, y)
