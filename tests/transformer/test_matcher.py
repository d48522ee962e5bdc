"""The fine-tuned matcher on a tiny encoder."""

import pickle
import shutil
import socket
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError

from skxmr import LabelHierarchy
from skxmr.metrics import precision_at_k
from skxmr.transformer import TransformerEmbedder, TransformerMatcher
from skxmr.transformer._encoding import Encoder
from skxmr.transformer._level_training import LevelTraining

HIERARCHY = LabelHierarchy.from_parents([[0] * 4, np.arange(16) % 4])


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def matcher(tiny_bert):
    return TransformerMatcher(
        tiny_bert,
        hierarchy=HIERARCHY,
        n_epochs=2,
        batch_size=8,
        learning_rate=1e-3,
        beam_width=2,
        device="cpu",
        random_state=0,
    )


@pytest.fixture(scope="module")
def fitted(tiny_bert, topic_texts):
    return TransformerMatcher(
        tiny_bert,
        hierarchy=HIERARCHY,
        n_epochs=(1, 2),
        batch_size=8,
        learning_rate=1e-3,
        device="cpu",
        random_state=0,
    ).fit(*topic_texts)


def equal(a, b):
    return (a != b).nnz == 0


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
@pytest.mark.parametrize("hierarchy", [HIERARCHY, None])
def test_it_learns_64_rows_by_heart(matcher, topic_texts, loss, hierarchy):
    texts, M = topic_texts
    matcher.set_params(hierarchy=hierarchy, loss=loss, n_epochs=15, gradient_accumulation_steps=2)
    P = matcher.fit(texts, M).predict_proba(texts)
    assert precision_at_k(M, P, k=1) == 1
    assert matcher.n_iter_ == 15 * 4 * matcher.hierarchy_.n_levels


def test_training_moves_encoder_and_heads_toward_the_targets(tiny_bert, topic_texts):
    # Rows of random vectors apart from a word: only a trained encoder makes that word count.
    texts, M = topic_texts
    options = {"hierarchy": HIERARCHY, "random_state": 0, "batch_size": 8, "learning_rate": 1e-3}
    frozen = TransformerMatcher(tiny_bert, n_epochs=0, **options).fit(texts, M)
    plain = TransformerEmbedder(tiny_bert).fit_transform(texts)
    np.testing.assert_allclose(frozen.transform(texts), plain, atol=1e-6)
    assert frozen.n_iter_ == 0
    trained = TransformerMatcher(tiny_bert, n_epochs=10, **options).fit(texts, M)
    right = M.astype(bool).toarray()
    assert (
        trained.predict_proba(texts).toarray()[right].mean()
        > frozen.predict_proba(texts).toarray()[right].mean() + 0.1
    )


def test_the_beam_agrees_with_dense_scores(fitted, topic_texts):
    texts = topic_texts[0]
    E = fitted.transform(texts)
    dense = np.ones((64, 1))
    for weights, bias, indptr in zip(
        fitted.heads_.weights, fitted.heads_.intercepts, HIERARCHY.child_indptrs, strict=True
    ):
        own = np.exp(-(np.maximum(0, 1 - (E @ weights.T + bias)) ** 3))
        dense = np.repeat(dense, np.diff(indptr), axis=1) * own
    by_column = np.empty_like(dense)
    by_column[:, HIERARCHY.label_order] = dense
    whole = clone(fitted)
    whole.__dict__.update(fitted.__dict__, beam_width=16)
    np.testing.assert_allclose(whole.predict_proba(texts).toarray(), by_column, rtol=1e-3)
    P = fitted.heads_.predict_proba(E, 3)
    assert P.has_sorted_indices
    assert set(np.diff(P.indptr)) == {3}
    rows = np.repeat(np.arange(64), 3)
    np.testing.assert_allclose(P.data, by_column[rows, P.indices], rtol=1e-3)


def test_pickle_needs_no_folder(matcher, tiny_bert, tmp_path, topic_texts):
    texts, M = topic_texts
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    matcher.set_params(model=folder).fit(texts, M)
    shutil.rmtree(folder)
    loaded = pickle.loads(pickle.dumps(matcher))
    assert equal(loaded.predict_proba(texts), matcher.predict_proba(texts))
    np.testing.assert_array_equal(loaded.transform(texts), matcher.transform(texts))


def test_same_seed_same_model_and_the_callers_random_numbers_stay(matcher, topic_texts):
    texts, M = topic_texts
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = matcher.fit(texts, M).predict_proba(texts)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert equal(clone(matcher).fit(texts, M).predict_proba(texts), first)
    other = clone(matcher).set_params(random_state=1).fit(texts, M)
    assert not equal(other.predict_proba(texts), first)


def test_fits_in_threads_are_the_same_as_alone(matcher, topic_texts):
    texts, M = topic_texts
    alone = clone(matcher).fit(texts, M).predict_proba(texts)
    with ThreadPoolExecutor(2) as pool:
        for fitted in pool.map(lambda _: clone(matcher).fit(texts, M), range(2)):
            assert equal(fitted.predict_proba(texts), alone)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("validation_fraction", [0.0, 0.25])
def test_a_fit_goes_on_where_it_was_stopped(
    matcher, tmp_path, topic_texts, monkeypatch, validation_fraction
):
    texts, M = topic_texts
    matcher.set_params(validation_fraction=validation_fraction)
    whole = clone(matcher).fit(texts, M)
    matcher.set_params(checkpoint_dir=tmp_path / "new" / "folder")
    real = LevelTraining._train_epoch
    for n_epochs in (0, 1, 1, 2):  # an epoch of the first level, one of each, the last
        left = [n_epochs]

        def stop_after(training, left=left):
            if left[0] == 0:
                raise Stopped
            left[0] -= 1
            real(training)

        monkeypatch.setattr(LevelTraining, "_train_epoch", stop_after)
        try:
            matcher.fit(texts, M)
        except Stopped:
            continue
    monkeypatch.undo()
    matcher.fit(texts, M)
    assert matcher.n_iter_ == whole.n_iter_
    assert equal(matcher.predict_proba(texts), whole.predict_proba(texts))
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["matcher.pt"]

    def train_again(training):
        raise AssertionError("a finished fit trains no more")

    monkeypatch.setattr(LevelTraining, "_train_epoch", train_again)
    again = clone(matcher).fit(texts, M)
    assert equal(again.predict_proba(texts), whole.predict_proba(texts))


def test_the_checkpoint_of_another_fit_is_refused(matcher, tmp_path, topic_texts):
    texts, M = topic_texts
    matcher.set_params(checkpoint_dir=tmp_path, n_epochs=(0, 1)).fit(texts, M)
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        clone(matcher).set_params(learning_rate=1e-4).fit(texts, M)
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        clone(matcher).fit([*texts[1:], "other"], M)
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        clone(matcher).fit(texts, M[::-1])
    with pytest.raises(ValueError, match="needs a random_state"):
        clone(matcher).set_params(random_state=None).fit(texts, M)
    (tmp_path / "matcher.pt").write_bytes(pickle.dumps({"fingerprint": 1}))
    with pytest.raises(ValueError, match="no checkpoint"):
        matcher.fit(texts, M)


def test_held_out_rows_keep_the_best_state(matcher, topic_texts, monkeypatch, capsys):
    texts, M = topic_texts
    # Steps this large ruin the encoder: the untrained state is the best.
    matcher.set_params(
        validation_fraction=0.25, learning_rate=10.0, n_epochs=(0, 9), patience=2, verbose=1
    ).fit(texts, M)
    assert matcher.n_iter_ == 2 * 6
    plain = TransformerEmbedder(matcher.model).fit_transform(texts)
    np.testing.assert_allclose(matcher.transform(texts), plain, atol=1e-6)
    printed = capsys.readouterr().out
    assert "level 2 of 2: 16 nodes, 2 epochs, 12 steps" in printed
    assert "16 held-out rows" in printed


def test_rows_and_clusters_of_any_kind(matcher, topic_texts):
    texts, M = topic_texts
    M = M.tolil()
    M[5] = 0  # no cluster
    M[6] = 1  # all
    M[:, 3] = 0  # a cluster without a row
    dense = M.toarray()
    matcher.set_params(n_epochs=1, max_steps=[3, 2])
    P = matcher.fit(texts, sp.csc_array(M)).predict_proba(texts)
    assert matcher.n_iter_ == 5
    again = clone(matcher).fit(np.array(texts), dense).predict_proba(texts)
    assert equal(P, again)
    assert P.data.max() <= 1
    assert matcher.predict_proba(["", "unheard of"]).shape == (2, 16)


def test_scikit_learn_conventions(matcher, fitted, topic_texts):
    texts = topic_texts[0]
    assert matcher.get_params()["beam_width"] == 2
    with pytest.raises(NotFittedError):
        matcher.predict_proba(texts)
    assert len(fitted.get_feature_names_out()) == fitted.transform(texts[:1]).shape[1] == 32
    np.testing.assert_array_equal(fitted.classes_, np.arange(16))
    before = set(vars(fitted))
    fitted.predict_proba(texts)
    assert set(vars(fitted)) == before
    assert "TransformerMatcher(" in repr(fitted)


def test_fit_transform_embeds_the_training_rows_no_second_time(matcher, topic_texts, monkeypatch):
    texts, M = topic_texts
    calls = []
    real = Encoder.embed

    def counting(*args, **kwargs):
        calls.append(1)
        return real(*args, **kwargs)

    monkeypatch.setattr(Encoder, "embed", counting)
    E = clone(matcher).fit_transform(texts, M)
    n_calls = len(calls)
    fitted = matcher.fit(texts, M)
    assert len(calls) == 2 * n_calls
    np.testing.assert_array_equal(E, fitted.transform(texts))


def test_data_frames_out_leave_the_scores_as_they_are(fitted, topic_texts):
    pytest.importorskip("pandas")
    texts = topic_texts[0]
    before = fitted.predict_proba(texts)
    framed = pickle.loads(pickle.dumps(fitted)).set_output(transform="pandas")
    assert list(framed.transform(texts).columns) == list(fitted.get_feature_names_out())
    assert equal(framed.predict_proba(texts), before)


@pytest.mark.parametrize("wrong", [{"beam_width": 0}, {"batch_size": 0}], ids=str)
def test_parameters_changed_after_the_fit_are_checked(fitted, topic_texts, wrong):
    twin = pickle.loads(pickle.dumps(fitted)).set_params(**wrong)
    with pytest.raises(InvalidParameterError, match=next(iter(wrong))):
        twin.predict_proba(topic_texts[0])


def test_a_checkpoint_that_cannot_be_written_is_found_before_work(
    matcher, tmp_path, topic_texts, monkeypatch
):
    (tmp_path / "file").write_text("in the way")
    matcher.set_params(checkpoint_dir=tmp_path / "file")
    monkeypatch.setattr(Encoder, "embed", None)
    with pytest.raises(ValueError, match="checkpoint_dir=.*must be a folder"):
        matcher.fit(*topic_texts)


@pytest.mark.parametrize(
    ("wrong", "error", "why"),
    [
        ({"hierarchy": LabelHierarchy.from_parents([[0, 0]])}, ValueError, "over the 16 columns"),
        ({"n_epochs": -1}, InvalidParameterError, "n_epochs"),
        ({"n_epochs": [1, 0.5]}, ValueError, "n_epochs must be made of whole numbers"),
        ({"n_epochs": []}, ValueError, "n_epochs must be made of whole numbers"),
        ({"max_steps": [0]}, ValueError, "max_steps must be made of whole numbers"),
        ({"loss": "hinge"}, InvalidParameterError, "loss"),
        ({"validation_fraction": 1.0}, InvalidParameterError, "validation_fraction"),
        ({"validation_fraction": 0.001}, ValueError, "of 64 rows is none"),
        ({"precision": "float16"}, ValueError, "needs a CUDA device"),
    ],
)
def test_parameters_out_of_range(matcher, topic_texts, wrong, error, why):
    with pytest.raises(error, match=why):
        matcher.set_params(**wrong).fit(*topic_texts)


def test_data_that_does_not_fit(matcher, fitted, topic_texts):
    texts, M = topic_texts
    with pytest.raises(ValueError, match="inconsistent numbers"):
        matcher.fit(texts[1:], M)
    with pytest.raises(ValueError, match=r"texts\[1\] is None"):
        matcher.fit([texts[0], None, *texts[2:]], M)
    with pytest.raises(ValueError, match="indicator of 0 and 1"):
        matcher.fit(texts, M * 2)
    with pytest.raises(ValueError, match="lone str"):
        fitted.predict_proba("a text")


def test_out_of_memory_says_what_to_lower_and_loses_nothing(fitted, topic_texts, monkeypatch):
    texts = topic_texts[0]
    before = fitted.predict_proba(texts)
    twin = pickle.loads(pickle.dumps(fitted))

    def fail(*args):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(LevelTraining, "_losses", fail)
        with pytest.raises(MemoryError, match=r"training: lower batch_size \(now 8\)"):
            twin.fit(*topic_texts)
        patch.setattr(Encoder, "pooled", fail)
        with pytest.raises(MemoryError, match="lower batch_size"):
            twin.predict_proba(texts)
    assert equal(twin.predict_proba(texts), before)


def test_a_loss_that_is_no_number_says_what_to_lower(matcher, topic_texts, monkeypatch):
    real = LevelTraining._losses
    monkeypatch.setattr(LevelTraining, "_losses", lambda *args: real(*args) * np.nan)
    with pytest.raises(FloatingPointError, match="lower learning_rate"):
        matcher.fit(*topic_texts)
