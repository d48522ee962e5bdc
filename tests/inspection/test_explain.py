"""`explain`: contributions sum to the margins, and ranks are those of prediction."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectKBest, chi2
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelBinarizer, MaxAbsScaler, Normalizer, StandardScaler
from sklearn.svm import LinearSVC

from helpers import quick, reference
from helpers.step_models import FRAME, LABELS, NUMBERS, make_classifier, make_columns
from helpers.step_models import TEXTS as TITLES
from skxmr import XRLinearClassifier
from skxmr._core.row_search import RowScores, SparseRow
from skxmr._core.transforms import SHAPES, LevelTransform
from skxmr._linear import search_row
from skxmr.calibration import (
    CalibratedMultilabelClassifierCV,
    TunedThresholdMultilabelClassifierCV,
)
from skxmr.datasets import make_extreme_multilabel
from skxmr.inspection import describe_tree, explain
from skxmr.metrics import topk_scorer

DATA = make_extreme_multilabel(
    n_samples=400, n_features=300, n_labels=120, n_features_per_sample=15, random_state=1
)
MODELS = [
    XRLinearClassifier(*shape, loss=loss, weight_threshold=threshold, random_state=0).fit(*DATA)
    for shape, loss, threshold in [
        ((4, 5), "squared_hinge", 0.1),
        ((16, 40), "log_loss", 0.0),
        ((2, 120), "hinge", 0.0),
    ]
]


@st.composite
def rows(draw):
    """Draw a sparse row with values of any sign and size; no model knows some of the features."""
    features = draw(st.lists(st.integers(0, 299), unique=True, max_size=40))
    values = draw(
        st.lists(
            st.floats(-100, 100, width=32).filter(bool),
            min_size=len(features),
            max_size=len(features),
        )
    )
    row = sp.csr_matrix(
        (np.float32(values), (np.zeros(len(features), dtype=int), features)), shape=(1, 300)
    )
    row.sort_indices()
    return row


@given(st.sampled_from(MODELS), rows(), st.integers(0, 119))
def test_path_step_contributions_sum_to_margin(model, row, label):
    path = explain(model, row, label).path
    assert [step.level for step in path] == list(range(1, model.hierarchy_.n_levels + 1))
    x = row.toarray()[0].astype(np.float64)
    parent = RowScores.root()
    identity = LevelTransform(SHAPES["identity"])
    for step, level in zip(path, model._model.levels, strict=True):
        W, intercepts = reference.dense_weights(level)
        place = step.node
        if step is path[-1]:
            place = int(np.flatnonzero(model.hierarchy_.label_order == label)[0])
        size = np.abs(x) @ np.abs(W[:, place]) + abs(intercepts[place])
        assert step.intercept == intercepts[place]
        assert step.contributions.sum() + step.intercept == pytest.approx(step.margin, abs=1e-9)
        assert step.margin == pytest.approx(x @ W[:, place] + intercepts[place], abs=1e-12 * size)
        assert np.array_equal(step.contributions, step.values * step.weights)
        assert np.array_equal(step.values, x[step.features])
        assert np.array_equal(step.weights, W[step.features, place])
        # All features with a contribution, the largest first.
        assert set(step.features) == set(np.flatnonzero(x * W[:, place]))
        assert np.all(np.diff(np.abs(step.contributions)) <= 0)
        # Prediction computes this margin in float32.
        x_row = SparseRow(row.indices, row.data)
        children = search_row([level], [identity], x_row, parent, [0], False)
        kernel = children.scores[children.ids == step.node][0]
        assert kernel == pytest.approx(step.margin, abs=1e-6 * size * (1 + row.nnz))
        parent = RowScores.from_arrays(np.int32([place]), np.float32([0]), np.float32([0]))


@pytest.mark.parametrize(
    "score",
    quick.first(
        5,
        [
            {},
            {"score_transform": ("l1-hinge", "identity")},
            {"propensity_weight": 0.7},
            {"path_weight": 0.4, "propensity_weight": 0.2},
            {"score_transform": "sigmoid"},
            {"score_transform": "log-l2-hinge"},
            {"score_transform": "identity"},
        ],
    ),
    ids=str,
)
@pytest.mark.parametrize("beam_width", [1, 3, None])
def test_explain_rank_and_score_equal_predict_topk(score, beam_width):
    X, _ = DATA
    model = XRLinearClassifier(4, 5, beam_width=beam_width, random_state=0, **score).fit(*DATA)
    labels, scores = model.predict_topk(X[7], k=120)
    index_of = {int(label): index for index, label in enumerate(labels[0]) if label >= 0}
    assert bool(beam_width) == (len(index_of) < 120)
    for label in range(0, 120, 7):
        explanation = explain(model, X[7], label)
        last = explanation.path[-1]
        kept = [step.kept for step in explanation.path]
        if label in index_of:
            assert explanation.rank == index_of[label] + 1 == last.beam_rank
            assert explanation.score == scores[0, index_of[label]] == np.float32(last.joint_score)
            assert all(kept)
            assert f"rank {explanation.rank}, score" in str(explanation)
        else:
            assert explanation.rank is None
            assert explanation.score == -np.inf
            dropped = kept.index(False)
            assert not any(kept[dropped:])
            assert explanation.path[dropped].beam_rank > beam_width
            assert all(step.beam_rank is None for step in explanation.path[dropped + 1 :])
            assert f"dropped by the beam at level {dropped + 1}" in str(explanation)


def test_path_own_scores_multiply_to_joint_score():
    X, _ = DATA
    model = XRLinearClassifier(4, 5, propensity_weight=0.5, random_state=0).fit(*DATA)
    label = int(model.predict_topk(X[3], k=1)[0][0, 0])
    *clusters, last = explain(model, X[3], label).path
    joint = 1.0
    for step in clusters:
        joint *= step.own_score**model.path_weight_
        assert step.joint_score == pytest.approx(joint, rel=1e-5)
    assert last.lift < 1
    assert last.joint_score == pytest.approx(joint * last.own_score * last.lift, rel=1e-5)
    assert "(propensity weight)" in str(explain(model, X[3], label))


def test_explanation_records_sum_to_margins():
    X, _ = DATA
    explanation = explain(MODELS[0], X[5], 17)
    records = explanation.to_records()
    for step in explanation.path:
        step_records = [each for each in records if each["level"] == step.level]
        assert sum(each["contribution"] for each in step_records) == pytest.approx(step.margin)
        assert [each["name"] for each in step_records] == ["intercept", *step.names]
        assert all(each["node"] == step.node for each in step_records)


def test_explain_ensemble_has_path_per_tree():
    X, Y = DATA
    model = XRLinearClassifier(8, 15, n_trees=3, random_state=0).fit(X, Y)
    labels, scores = model.predict_topk(X[2], k=3)
    explanation = explain(model, X[2], int(labels[0, 2]))
    assert explanation.rank == 3
    assert explanation.score == scores[0, 2]
    assert len(explanation.paths) == 3
    mean = np.mean([path[-1].joint_score if path[-1].kept else 0 for path in explanation.paths])
    assert explanation.score == pytest.approx(mean, rel=1e-5)
    assert "tree 3 of 3" in str(explanation)
    assert "tree 3 of 3" in explanation._repr_html_()


TEXTS = [
    "solve a sparse linear system",
    "sparse matrix product",
    "inverse fourier transform",
    "discrete fourier transform of a signal",
    "wavelet transform of a signal",
    "eigenvalues of a sparse matrix",
]
TOPICS = ["solve", "product", "fourier", "fourier", "wavelet", "eigen"]


def test_explain_pipeline_takes_text():
    model = make_pipeline(TfidfVectorizer(), XRLinearClassifier(max_leaf_size=2, random_state=0))
    model.fit(TEXTS, TOPICS)
    text = "fourier transform <b>"
    explanation = explain(model, text, "fourier")
    assert explanation.label_name == "fourier"
    assert explanation.rank == 1
    assert explanation.n_row_features == 2
    assert all(set(step.names) <= {"fourier", "transform"} for step in explanation.path)
    report = str(explanation)
    assert report.startswith("fourier: rank 1, score")
    assert "label fourier" in report
    assert "fourier" in explanation.path[-1].names
    assert "2 labels" in explanation.path[0].name
    assert str(explain(model, [text], "fourier")) == report
    assert str(explain(model[-1], model[:-1].transform([text]), "fourier")) != report  # x0, x1
    names = model[:-1].get_feature_names_out()
    row = model[:-1].transform([text])
    for x in (row, sp.csr_array(row), row.toarray(), row.toarray()[0]):
        assert str(explain(model[-1], x, "fourier", feature_names=names)) == report
    short = str(explain(model, text, "fourier", n_features=0))
    assert "more feature" in short
    assert len(short) < len(report)


STEPS = {
    "selection": ([TfidfVectorizer(), SelectKBest(chi2, k=4)], {"apple", "pie"}),
    "scalers": ([TfidfVectorizer(), StandardScaler(with_mean=False), MaxAbsScaler()], {"apple"}),
    "svd": ([TfidfVectorizer(), TruncatedSVD(3, random_state=0)], {"truncatedsvd0"}),
    "svd of hashes": (
        [HashingVectorizer(n_features=64), TruncatedSVD(3, random_state=0), Normalizer()],
        {"truncatedsvd0"},
    ),
    "hashes": ([HashingVectorizer(n_features=64)], None),
    "frozen": ([FrozenEstimator(TfidfVectorizer().fit(TITLES))], {"apple", "pie"}),
}


@pytest.mark.parametrize(("steps", "names"), STEPS.values(), ids=STEPS)
def test_explain_names_features_of_steps(steps, names):
    y = np.arange(len(TITLES)) % 5
    model = make_pipeline(*steps, XRLinearClassifier(random_state=0)).fit(TITLES, y)
    explanation = explain(model, TITLES[0], 0)
    rows = TITLES[:1]
    for _, step in model.steps[:-1]:
        rows = step.transform(rows)
    labels, scores = model[-1].predict_topk(rows, k=5)
    assert explanation.score == scores[0, labels[0] == 0][0]
    found = {name for step in explanation.path for name in step.names}
    if names is None:
        assert found
        assert all(name.startswith("x") and name[1:].isdecimal() for name in found)
    else:
        assert found & names
    with_names = explain(
        model, TITLES[0], 0, feature_names=[f"f{i}" for i in range(64)][: model[-1].n_features_in_]
    )
    assert {name[0] for step in with_names.path for name in step.names} == {"f"}


def test_explain_accepts_rows_of_data_frames():
    model = make_pipeline(make_columns("passthrough"), make_classifier()).fit(FRAME, LABELS)
    label = LABELS[7][0]
    expected = explain(model, FRAME[7:8], label)
    assert expected.label_name == label
    assert (
        expected.rank
        == [name for name, _ in model[-1].suggest(model[:-1].transform(FRAME[7:8]), k=20)[0]].index(
            label
        )
        + 1
    )
    for row in (FRAME.iloc[7], FRAME.loc[7, FRAME.columns[::-1]]):
        assert str(explain(model, row, label)) == str(expected)
    names = {name for step in expected.path for name in step.names}
    assert names & {"title__apple", "title__new", "title__parliament"}
    assert names & {"body__truncatedsvd0", "body__truncatedsvd1", "body__truncatedsvd2"}
    assert "price__price" in names
    with pytest.raises(ValueError, match="x must be one row; got 2 rows"):
        explain(model, FRAME[7:9], label)


def test_explain_accepts_mixed_rows_of_arrays():
    columns = ColumnTransformer([("title", TfidfVectorizer(), 0), ("price", StandardScaler(), [2])])
    rows = FRAME.to_numpy(dtype=object)
    model = make_pipeline(columns, make_classifier()).fit(rows, LABELS)
    expected = str(explain(model, rows[3:4], LABELS[3][0]))
    assert str(explain(model, rows[3], LABELS[3][0])) == expected
    assert str(explain(model, rows[3].tolist(), LABELS[3][0])) == expected


def test_explain_column_transformer_without_names_numbers_features():
    columns = ColumnTransformer(
        [("title", HashingVectorizer(n_features=32), "title"), ("price", "passthrough", ["price"])]
    )
    model = make_pipeline(columns, make_classifier()).fit(FRAME, LABELS)
    names = {name for step in explain(model, FRAME[:1], LABELS[0][0]).path for name in step.names}
    assert names <= {f"x{column}" for column in range(33)}


def test_explain_accepts_series_as_row_of_classifier():
    frame = FRAME[["price", "size"]]
    model = make_classifier().fit(frame, LABELS)
    label = LABELS[3][0]
    assert str(explain(model, frame.iloc[3], label)) == str(explain(model, frame[3:4], label))


@pytest.mark.parametrize(
    "cls", [CalibratedMultilabelClassifierCV, TunedThresholdMultilabelClassifierCV]
)
def test_explain_meta_estimator_explains_its_classifier(cls):
    inner = make_pipeline(TfidfVectorizer(), make_classifier())
    model = cls(inner, cv=2).fit(TITLES, LABELS)
    explanation = explain(model, TITLES[0], "apple pie")
    assert explanation.label_name == "apple pie"
    assert explanation.rank == 1
    indicator = model.estimator_
    column = list(model.classes_).index("apple pie")
    labels, scores = indicator[-1].predict_topk(indicator[:-1].transform(TITLES[:1]), k=1)
    assert (explanation.label, explanation.score) == (labels[0, 0], scores[0, 0])
    by_column = explain(indicator, TITLES[0], column)
    for step, other in zip(explanation.path, by_column.path, strict=True):
        assert step.names == other.names
        np.testing.assert_array_equal(step.contributions, other.contributions)
    nested = make_pipeline(
        StandardScaler(), cls(cls(FrozenEstimator(make_classifier().fit(NUMBERS, LABELS)), cv=2))
    )
    nested.fit(NUMBERS, LABELS)
    assert explain(nested, NUMBERS[0], "apple pie").label_name == "apple pie"
    assert "topic" not in str(describe_tree(model))
    assert "apple pie" in str(describe_tree(model))


def test_explain_rejects_meta_estimators_with_several_classifiers():
    model = OneVsRestClassifier(LogisticRegression()).fit(NUMBERS, np.arange(len(TITLES)) % 5)
    with pytest.raises(TypeError, match="estimator must be an XRLinearClassifier, or .* OneVsRest"):
        explain(model, NUMBERS[0], 0)


def test_explain_accepts_label_name_or_column():
    X, _ = DATA
    names = [f"<topic> {label}" for label in range(120)]
    by_name = explain(MODELS[0], X[0], "<topic> 5", label_names=names)
    by_column = explain(MODELS[0], X[0], np.int64(5), label_names=names)
    assert by_name.label == by_column.label == 5
    assert str(by_name) == str(by_column)
    html = by_name._repr_html_()
    assert "&lt;topic&gt; 5" in html
    assert "<topic>" not in html


def test_explain_names_in_series_are_used_by_position():
    pd = pytest.importorskip("pandas")
    X, _ = DATA
    labels = [f"topic {label}" for label in range(120)]
    features = [f"word {feature}" for feature in range(X.shape[1])]
    mixed = {
        "label_names": pd.Series(labels, index=range(119, -1, -1)),
        "feature_names": pd.Series(features, index=range(len(features) - 1, -1, -1)),
    }
    plain = explain(MODELS[0], X[0], "topic 5", label_names=labels, feature_names=features)
    assert str(explain(MODELS[0], X[0], "topic 5", **mixed)) == str(plain)
    assert str(describe_tree(MODELS[0], **mixed)) == str(describe_tree(MODELS[0], labels, features))


def test_explain_search_uses_best_estimator():
    X, Y = DATA
    search = GridSearchCV(
        XRLinearClassifier(max_leaf_size=20, random_state=0),
        {"C": [0.5, 1.0]},
        scoring=topk_scorer("precision"),
        cv=KFold(2),
    ).fit(X, Y)
    assert str(explain(search, X[0], 3)) == str(explain(search.best_estimator_, X[0], 3))


def test_explain_uses_data_frame_columns_as_feature_names():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(DATA[0][:, :40].toarray(), columns=[f"word {i}" for i in range(40)])
    model = XRLinearClassifier(max_leaf_size=20, random_state=0).fit(frame, DATA[1])
    label = int(model.predict_topk(frame[4:5], k=1)[0][0, 0])
    path = explain(model, frame[4:5], label).path
    assert all(name.startswith("word ") for step in path for name in step.names)
    assert sum(len(step.names) for step in path) > 0


@pytest.mark.parametrize("level", [1, -1])
def test_explain_custom_matcher_has_scores_without_features(level):
    X, Y = DATA
    model = XRLinearClassifier(
        4, 8, matcher=KNeighborsClassifier(3), matcher_level=level, beam_width=4, random_state=0
    ).fit(X, Y)
    labels, scores = model.predict_topk(X[9], k=2)
    explanation = explain(model, X[9], int(labels[0, 1]))
    first, *below = explanation.path
    assert first.source == "matcher"
    assert first.margin is None
    assert len(first.contributions) == 0
    assert 0 < first.own_score <= 1
    assert first.joint_score == first.own_score
    assert first.kept
    assert {step.source for step in below} == {"linear"}
    assert explanation.rank == 2
    assert explanation.score == scores[0, 1] == np.float32(below[-1].joint_score)
    assert "from the custom matcher" in str(explanation)
    n_clusters = model.hierarchy_.level_sizes[first.level - 1]
    assert f"of {n_clusters} clusters of the level" in str(explanation)
    # Labels that no nearest neighbor has are not scored.
    P = model.predict_proba(X[9]).toarray()[0]
    unscored = [explain(model, X[9], int(label)) for label in np.flatnonzero(P == 0)[::10]]
    assert all(each.rank is None for each in unscored)
    if level == -1:
        assert any(each.path[0].sibling_rank is None for each in unscored)
        assert any("no score" in str(each) for each in unscored)


@pytest.mark.parametrize("ranker", [LogisticRegression(C=10), LinearSVC()], ids=["proba", "margin"])
def test_explain_custom_ranker_has_scores_without_features(ranker):
    X, Y = DATA
    model = XRLinearClassifier(4, 30, ranker=ranker, beam_width=2, random_state=0).fit(X, Y)
    labels, scores = model.predict_topk(X[9], k=2)
    explanation = explain(model, X[9], int(labels[0, 1]))
    *clusters, last = explanation.path
    assert {step.source for step in clusters} == {"linear"}
    assert last.source == "ranker"
    assert last.margin is None
    assert last.joint_score == pytest.approx(clusters[-1].joint_score * last.own_score, rel=1e-5)
    assert explanation.score == scores[0, 1] == np.float32(last.joint_score)
    assert "from the custom ranker" in str(explanation)


def test_explain_label_without_rows_reports_never_trained(xmc_data):
    X, Y = xmc_data
    model = XRLinearClassifier(max_leaf_size=20, beam_width=None, random_state=0).fit(X, Y)
    assert "never trained" in str(explain(model, X[50], 77))


def test_explain_rejects_invalid_arguments():
    X, _ = DATA
    model = MODELS[0]
    with pytest.raises(ValueError, match="one of the 120 values of classes_; got 120"):
        explain(model, X[0], 120)
    with pytest.raises(ValueError, match="label must be .* got 'a'. .* label_names"):
        explain(model, X[0], "a")
    with pytest.raises(TypeError, match="label_names must be .* got LabelBinarizer"):
        explain(model, X[0], "a", label_names=LabelBinarizer())
    with pytest.raises(ValueError, match="label must be one of label_names .* got 'a'"):
        explain(model, X[0], "a", label_names=["b"] * 120)
    with pytest.raises(ValueError, match=r"label must be unique; got 'b', .* columns \[0, 1"):
        explain(model, X[0], "b", label_names=["b"] * 120)
    with pytest.raises(ValueError, match="label_names must have one name for each of the 120"):
        explain(model, X[0], "b", label_names=["b"])
    with pytest.raises(ValueError, match="feature_names must have one name for each of the 300"):
        explain(model, X[0], 0, feature_names=["b"])
    with pytest.raises(ValueError, match="x must be one row; got 2"):
        explain(model, X[:2], 0)
    with pytest.raises(ValueError, match="n_features must be a non-negative integer; got -1"):
        explain(model, X[0], 0, n_features=-1)
    with pytest.raises(TypeError, match="estimator must be an XRLinearClassifier"):
        explain(LinearSVC().fit([[0], [1]], [0, 1]), [0], 0)
    with pytest.raises(ValueError, match="not fitted"):
        explain(XRLinearClassifier(), X[0], 0)


def test_explanation_prints_a_label_outside_the_votes_of_an_ensemble():
    X, Y = make_extreme_multilabel(n_samples=300, n_labels=400, random_state=0)
    model = XRLinearClassifier(n_trees=2, beam_width=None, random_state=0).fit(X, Y)
    explanations = [explain(model, X[0], label) for label in range(0, 400, 20)]
    unranked = [str(e) for e in explanations if e.rank is None]
    assert unranked
    assert all("not among the labels of the highest scores of any tree" in e for e in unranked)
