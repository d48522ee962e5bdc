"""Texts to labels: features, tree, fine-tuning and linear models in one estimator."""

import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("torch")
pytest.importorskip("transformers")

from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import normalize

from skxmr import HierarchicalLabelTree, LabelHierarchy, XRLinearClassifier
from skxmr.metrics import precision_at_k
from skxmr.transformer import TransformerEmbedder, TransformerMatcher, XTransformerClassifier
from skxmr.transformer._joint_features import join_features

FEW = {"n_epochs": 1, "max_length": 32}


@pytest.fixture(scope="module")
def topics(topic_texts):
    """200 texts of one or two of 16 topics."""
    texts, M = topic_texts
    first, second = np.random.default_rng(0).integers(len(texts), size=(2, 136))
    both = [f"{texts[i]} {texts[j]}" for i, j in zip(first, second, strict=True)]
    Y = sp.vstack([M, M[first].maximum(M[second])], format="csr").astype(np.int8)
    return [*texts, *both], Y


def frozen(model, **kwargs):
    embedder = TransformerEmbedder(model if isinstance(model, str) else ".", max_length=32)
    return XTransformerClassifier(
        model, max_leaf_size=4, matcher=embedder, random_state=0, **kwargs
    )


def tuned(model, **kwargs):
    """A matcher of few steps: what is tested is how its parts are put together."""
    matcher = TransformerMatcher(model if isinstance(model, str) else ".", **FEW)
    return XTransformerClassifier(model, max_leaf_size=4, matcher=matcher, random_state=0, **kwargs)


def same(a, b):
    a, b = (x.toarray() if sp.issparse(x) else x for x in (a, b))
    np.testing.assert_array_equal(a, b)


def test_features_are_tfidf_and_embeddings_of_given_lengths(tiny_bert, topics):
    texts, Y = topics
    model = frozen(tiny_bert, embedding_weight=0.5).fit(texts, Y)
    X = model.transform(texts)
    n_words = len(model.vectorizer_.vocabulary_)
    assert X.dtype == np.float32
    assert X.has_sorted_indices
    E = TransformerEmbedder(tiny_bert, max_length=32).fit(texts).transform(texts)
    words = X[:, :n_words].toarray()
    np.testing.assert_allclose(words, model.vectorizer_.transform(texts).toarray(), atol=1e-6)
    np.testing.assert_allclose(X[:, n_words:].toarray(), 0.5 * normalize(E), atol=1e-6)


@pytest.mark.parametrize("dense", [False, True])
def test_join_features_is_hstack_of_unit_rows(dense):
    rng = np.random.default_rng(0)
    X = sp.random_array((9000, 7), density=0.2, rng=rng, dtype=np.float64).tocsr()
    E = rng.normal(size=(9000, 3)).astype(np.float32)
    E[5] = 0
    expected = sp.hstack([normalize(X), 2 * normalize(E)]).toarray()
    joined = join_features(X.toarray() if dense else X, E, 2)
    np.testing.assert_allclose(joined.toarray(), expected, atol=1e-6)
    assert joined.has_sorted_indices
    assert joined.dtype == np.float32


def test_join_features_adds_duplicates_up_before_it_scales():
    X = sp.csr_matrix((np.ones(3), [0, 0, 1], [0, 3]), shape=(1, 2))
    joined = join_features(X, np.ones((1, 1), dtype=np.float32), 1)
    np.testing.assert_allclose(joined.toarray(), [[2 / 5**0.5, 1 / 5**0.5, 1]], rtol=1e-6)
    assert X.nnz == 3


def test_is_the_linear_classifier_on_these_features(tiny_bert, topics):
    texts, Y = topics
    model = frozen(tiny_bert, classifier=XRLinearClassifier(C=2.0, random_state=1))
    model.fit(texts, Y)
    linear = XRLinearClassifier(max_leaf_size=4, C=2.0, random_state=1).fit(
        model.transform(texts), Y
    )
    same(model.predict_proba(texts), linear.predict_proba(model.transform(texts)))
    same(model.decision_function(texts), model.predict_proba(texts))
    same(model.predict(texts), linear.predict(model.transform(texts)))
    same(model.score_candidates(texts, Y), linear.score_candidates(model.transform(texts), Y))
    for mine, its in zip(
        model.predict_topk(texts, k=3),
        linear.predict_topk(model.transform(texts), k=3),
        strict=True,
    ):
        same(mine, its)
    assert model.hierarchy_ == linear.hierarchy_
    assert model.n_iter_ == linear.n_iter_
    assert model.score(texts, Y) == linear.score(model.transform(texts), Y)


def test_trees_of_an_estimator_given_differ(tiny_bert, topics):
    texts, Y = topics
    linear = XRLinearClassifier(n_trees=2, label_tree=HierarchicalLabelTree(4, 4))
    model = frozen(tiny_bert, classifier=linear).fit(texts, Y)
    first, second = model.classifier_._model.models
    assert first.hierarchy != second.hierarchy
    same(clone(model).fit(texts, Y).predict_proba(texts), model.predict_proba(texts))


@pytest.mark.parametrize("matcher", ["frozen", "tuned"])
def test_answers_in_the_form_of_the_targets(tiny_bert, topics, matcher):
    texts, Y = topics
    make = frozen if matcher == "frozen" else tuned
    sparse = make(tiny_bert).fit(texts, Y)
    dense = make(tiny_bert).fit(np.array(texts), Y.toarray())
    assert sp.issparse(sparse.predict(texts))
    assert isinstance(dense.predict(texts), np.ndarray)
    same(sparse.predict(texts), dense.predict(texts))
    names = np.array([f"topic {i}" for i in Y.toarray().argmax(axis=1)])
    classes = make(tiny_bert).fit(texts, names)
    assert set(classes.predict(texts)) <= set(names)
    np.testing.assert_allclose(classes.predict_proba(texts).sum(axis=1), 1, rtol=1e-5)
    assert classes.score(texts, names) > 0.9


@pytest.mark.parametrize("cluster_scores", ["linear", "transformer", "mean"])
def test_fine_tuned_finds_the_labels(tiny_bert, topics, cluster_scores):
    texts, Y = topics
    model = tuned(tiny_bert, cluster_scores=cluster_scores).fit(texts, Y)
    ranking = model.predict_topk(texts, k=1)
    assert precision_at_k(Y, ranking, k=1) > 0.9
    again = clone(model).fit(texts, Y)
    same(model.predict_proba(texts), again.predict_proba(texts))


def test_transformer_alone_scores_the_clusters(tiny_bert, topics):
    texts, Y = topics
    model = tuned(tiny_bert, cluster_scores="transformer").fit(texts, Y)
    P = model.encoders_[0].heads_.predict_proba(model.encoders_[0].transform(texts), None)
    leaf = model.hierarchy_.leaf_of_label
    best = P.toarray().argmax(axis=1)
    narrow = model.classifier_.set_params(beam_width=1).predict_topk(model.transform(texts), k=1)
    same(leaf[narrow[0][:, 0]], best)


def test_mean_is_that_of_encoders_and_linear_models(tiny_bert, topics):
    texts, Y = topics
    model = tuned([tiny_bert] * 2, cluster_scores="mean").fit(texts, Y)
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


def test_several_encoders_stand_side_by_side(tiny_bert, topics):
    texts, Y = topics
    one = frozen(tiny_bert).fit(texts, Y)
    two = frozen([tiny_bert, Path(tiny_bert)]).fit(texts, Y)
    E = one.transform(texts)[:, -32:].toarray()
    both = two.transform(texts)[:, -64:].toarray()
    np.testing.assert_allclose(both, np.hstack([E, E]) / np.sqrt(2), atol=1e-6)


def test_level_and_one_cluster(tiny_bert, topics):
    texts, Y = topics
    tree = HierarchicalLabelTree(branching_factor=2, max_leaf_size=4, random_state=0)
    model = XTransformerClassifier(
        tiny_bert,
        matcher=TransformerMatcher(tiny_bert, **FEW),
        matcher_level=1,
        cluster_scores="transformer",
        classifier=XRLinearClassifier(label_tree=tree),
        random_state=0,
    ).fit(texts, Y)
    assert model.encoders_[0].hierarchy.level_sizes == (2,)
    assert model.hierarchy_.n_levels > 2
    assert precision_at_k(Y, model.predict_topk(texts, k=1), k=1) > 0.9
    # All labels in one leaf: the encoder learns the labels, and there is nothing to match.
    flat = tuned(tiny_bert).set_params(max_leaf_size=100, cluster_scores="mean").fit(texts, Y)
    assert flat.encoders_[0].hierarchy.level_sizes == (16,)
    assert flat.hierarchy_.level_sizes == (16,)


def test_a_hierarchy_of_the_user_is_kept(tiny_bert, topics):
    texts, Y = topics
    hierarchy = LabelHierarchy.from_memberships(np.arange(16) % 5)
    for cluster_scores in ("linear", "mean"):
        model = tuned(
            tiny_bert,
            classifier=XRLinearClassifier(label_tree=hierarchy),
            cluster_scores=cluster_scores,
        ).set_params(max_leaf_size=None)
        model.fit(texts, Y)
        assert model.hierarchy_ == hierarchy
        assert model.encoders_[0].hierarchy.level_sizes == (5,)


def test_prediction_parameters_act_on_the_fitted(tiny_bert, topics):
    texts, Y = topics
    model = frozen(tiny_bert, classifier=XRLinearClassifier(beam_width=1)).fit(texts, Y)
    narrow = model.predict_proba(texts)
    wide = model.set_params(classifier__beam_width=None).predict_proba(texts)
    assert wide.nnz == len(texts) * 16 > narrow.nnz
    assert model.classifier_.beam_width == 1
    weighted = clone(model).set_params(embedding_weight=3.0)
    assert weighted.fit(texts, Y).set_params(embedding_weight=1.0) is weighted
    E = weighted.transform(texts)[:, -32:]
    np.testing.assert_allclose(sp.linalg.norm(E, axis=1), 3, rtol=1e-5)


@pytest.mark.parametrize("matcher", ["frozen", "tuned"])
def test_pickle_needs_no_folder(tiny_bert, topics, tmp_path, matcher):
    texts, Y = topics
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    make = frozen if matcher == "frozen" else tuned
    model = make(str(folder), **({} if matcher == "frozen" else {"cluster_scores": "mean"}))
    model.fit(texts, Y)
    before = model.predict_proba(texts)
    saved = pickle.dumps(model)
    shutil.rmtree(folder)
    same(pickle.loads(saved).predict_proba(texts), before)


def test_grid_search_reaches_weight_and_cost(tiny_bert, topics):
    texts, Y = topics
    model = frozen(tiny_bert, classifier=XRLinearClassifier())
    grid = {"embedding_weight": [0.5, 2.0], "classifier__C": [0.1, 1.0]}

    def mean_score(estimator, texts, Y):
        return estimator.predict_proba(texts).multiply(Y).mean()

    search = GridSearchCV(model, grid, cv=2, scoring=mean_score).fit(texts, Y)
    assert len(set(search.cv_results_["mean_test_score"])) == 4
    assert search.predict(texts).shape == Y.shape


def test_weights(tiny_bert, topics):
    texts, Y = topics
    weights = np.ones(len(texts))
    weights[100:] = 0
    relevance = Y * 2.0
    model = tuned(tiny_bert).fit(texts, Y, sample_weight=weights, relevance=relevance)
    less = tuned(tiny_bert).fit(texts[:100], Y[:100], np.ones(100), relevance[:100])
    same(model.predict_proba(texts), less.predict_proba(texts))


def test_one_weight_for_all_rows(tiny_bert, topics):
    texts, Y = topics
    linear = {"classifier": XRLinearClassifier(random_state=0)}
    one = frozen(tiny_bert, **linear).fit(texts, Y, sample_weight=2.0)
    each = frozen(tiny_bert, **linear).fit(texts, Y, sample_weight=np.full(len(texts), 2.0))
    same(one.predict_proba(texts), each.predict_proba(texts))


@pytest.mark.parametrize("matcher", ["frozen", "tuned"])
def test_a_class_of_rows_of_no_weight_keeps_its_column(tiny_bert, topic_texts, matcher):
    # As for the linear classifier; a hierarchy given is over all classes.
    texts, M = topic_texts
    classes = np.array([f"c{topic:02}" for topic in M.indices])
    weights = (M.indices != 3).astype(float)
    linear = XRLinearClassifier(label_tree=LabelHierarchy.from_memberships(np.arange(16) % 4))
    make = frozen if matcher == "frozen" else tuned
    model = make(tiny_bert, classifier=linear).set_params(max_leaf_size=None)
    model.fit(texts, classes, sample_weight=weights)
    np.testing.assert_array_equal(model.classes_, np.unique(classes))
    assert "c03" not in model.predict(texts)
    kept = weights > 0
    np.testing.assert_array_equal(model.predict(np.array(texts)[kept]), classes[kept])


def test_own_vectorizer_and_empty_texts(tiny_bert, topics):
    texts, Y = topics
    texts = ["", *texts[1:]]
    vectorizer = CountVectorizer(binary=True)
    model = frozen(tiny_bert, vectorizer=vectorizer).fit(texts, Y)
    assert not hasattr(vectorizer, "vocabulary_")
    X = model.transform(texts)[:, :-32]
    assert X[0].nnz == 0
    np.testing.assert_allclose(sp.linalg.norm(X[1:], axis=1), 1, rtol=1e-5)
    assert (model.predict_topk([""], k=3)[0] >= 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embedding_weight": 0}, "embedding_weight"),
        ({"model": []}, "model must"),
        ({"matcher": "thawed"}, "matcher"),
        ({"matcher_level": 1}, "matcher_level=1"),
        ({"cluster_scores": "mean"}, "(?s)cluster_scores='mean'.*trains none"),
        ({"max_leaf_size": 0}, "max_leaf_size"),
        ({"classifier": XRLinearClassifier(C=-1)}, "'C'"),
        ({"classifier": XRLinearClassifier(negatives="none")}, "negatives"),
        ({"classifier": XRLinearClassifier(score_transform=["l9"])}, "score_transform"),
    ],
)
def test_bad_parameters_are_refused_before_work(tiny_bert, topics, change, message, monkeypatch):
    texts, Y = topics
    model = frozen(tiny_bert).fit(texts, Y)
    before = model.predict_proba(texts)
    model.set_params(**change)
    with monkeypatch.context() as patch:
        patch.setattr(TfidfVectorizer, "fit_transform", None)
        with pytest.raises(ValueError, match=message):
            model.fit(texts, Y)
    if "classifier" not in change:
        same(model.predict_proba(texts), before)


@pytest.mark.parametrize(
    ("change", "given", "message"),
    [
        ({"classifier": XRLinearClassifier(n_trees=2)}, {}, "n_trees=2"),
        ({}, {"sample_weight": np.ones(200)}, "sample_weight"),
    ],
)
def test_what_cannot_stand_beside_cluster_scores(tiny_bert, topics, change, given, message):
    model = tuned(tiny_bert, cluster_scores="transformer", **change)
    with pytest.raises(ValueError, match=message):
        model.fit(*topics, **given)


def test_bad_data(tiny_bert, topics, monkeypatch):
    texts, Y = topics
    model = frozen(tiny_bert)
    with monkeypatch.context() as patch:
        patch.setattr(TfidfVectorizer, "fit_transform", None)
        wants_sparse = frozen(tiny_bert, classifier=XRLinearClassifier(sparse_output=True))
        with pytest.raises(ValueError, match="sparse_output=True"):
            wants_sparse.fit(texts, np.arange(len(texts)) % 5)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.fit(texts[:-1], Y)
    with pytest.raises(ValueError, match=r"texts\[1\]"):
        model.fit([texts[0], None, *texts[2:]], Y)
    with pytest.raises(ValueError, match="lone str"):
        model.fit(texts, Y).predict("one text")
    with pytest.raises(ValueError, match="0 and 1"):
        model.fit(texts, Y * 2)
    with pytest.raises(ValueError, match="list or set of labels for each row"):
        model.fit(texts[:2], [["wolf"], ["otter", "lute"]])
    with pytest.raises(ValueError, match="model"):
        frozen(str(Path(tiny_bert).parent)).fit(texts, Y)


@pytest.mark.parametrize(
    "estimator", [TransformerEmbedder, TransformerMatcher, XTransformerClassifier]
)
def test_every_parameter_is_explained(estimator):
    guide = Path(__file__).parents[2] / "doc" / "guide"
    if not guide.exists():
        pytest.skip("no source checkout around the tests")
    pages = [guide / name for name in ("transformer.md", "fine_tuning.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in pages)
    code = " ".join(re.findall(r"`([^`\n]+)`", text))
    constraints = estimator._parameter_constraints
    assert not [name for name in constraints if not re.search(rf"\b{name}\b", code)]
