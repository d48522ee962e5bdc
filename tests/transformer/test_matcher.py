"""TransformerMatcher: fine-tuning of a tiny encoder."""

import copy
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
from skxmr.transformer._device import (
    choose_device,
    choose_dtype,
    has_fast_bfloat16,
    has_fused_adamw,
)
from skxmr.transformer._encoder import Encoder
from skxmr.transformer._level_training import LevelTrainer

# 4 clusters with 4 children each; the 16 children are the columns of M.
HIERARCHY = LabelHierarchy.from_parents([[0] * 4, np.arange(16) % 4])


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError("a test used the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def unfitted_matcher(tiny_bert):
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
def fitted_matcher(tiny_bert, topic_texts):
    return TransformerMatcher(
        tiny_bert,
        hierarchy=HIERARCHY,
        n_epochs=(1, 2),
        batch_size=8,
        learning_rate=1e-3,
        device="cpu",
        random_state=0,
    ).fit(*topic_texts)


def are_equal(a, b):
    return (a != b).nnz == 0


@pytest.mark.parametrize("loss", ["squared_hinge", "log_loss"])
@pytest.mark.parametrize("hierarchy", [HIERARCHY, None])
def test_fit_learns_all_training_rows(unfitted_matcher, topic_texts, loss, hierarchy):
    texts, M = topic_texts
    matcher = unfitted_matcher.set_params(
        hierarchy=hierarchy, loss=loss, n_epochs=15, gradient_accumulation_steps=2
    ).fit(texts, M)
    assert precision_at_k(M, matcher.predict_proba(texts), k=1) == 1
    assert matcher.n_iter_ == 15 * 4 * matcher.hierarchy_.n_levels


def test_training_improves_scores_of_positive_clusters(tiny_bert, topic_texts):
    # All words but one per text are random, so the encoder has to learn which word matters.
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


def test_beam_search_returns_scores_of_all_clusters_and_best(fitted_matcher, topic_texts):
    texts = topic_texts[0]
    E = fitted_matcher.transform(texts)
    dense = np.ones((64, 1))
    for weights, bias, indptr in zip(
        fitted_matcher.heads_.weights,
        fitted_matcher.heads_.intercepts,
        HIERARCHY.child_indptrs,
        strict=True,
    ):
        own_scores = np.exp(-(np.maximum(0, 1 - (E @ weights.T + bias)) ** 3))
        dense = np.repeat(dense, np.diff(indptr), axis=1) * own_scores
    by_column = np.empty_like(dense)
    by_column[:, HIERARCHY.label_order] = dense
    wide = clone(fitted_matcher)
    wide.__dict__.update(fitted_matcher.__dict__, beam_width=16)
    np.testing.assert_allclose(wide.predict_proba(texts).toarray(), by_column, rtol=1e-3)
    P = fitted_matcher.heads_.predict_proba(E, 3)
    assert P.has_sorted_indices
    assert set(np.diff(P.indptr)) == {3}
    rows = np.repeat(np.arange(64), 3)
    np.testing.assert_allclose(P.data, by_column[rows, P.indices], rtol=1e-3)


def test_pickle_loads_without_encoder_folder(unfitted_matcher, tiny_bert, tmp_path, topic_texts):
    texts, M = topic_texts
    folder = shutil.copytree(tiny_bert, tmp_path / "model")
    matcher = unfitted_matcher.set_params(model=folder).fit(texts, M)
    shutil.rmtree(folder)
    loaded = pickle.loads(pickle.dumps(matcher))
    assert are_equal(loaded.predict_proba(texts), matcher.predict_proba(texts))
    np.testing.assert_array_equal(loaded.transform(texts), matcher.transform(texts))


def test_saved_encoder_folder_is_model_of_next_fit(unfitted_matcher, tmp_path, topic_texts):
    texts, M = topic_texts
    matcher = unfitted_matcher.fit(texts, M)
    matcher.encoder_.model.save_pretrained(tmp_path)
    matcher.encoder_.tokenizer.save_pretrained(tmp_path)
    resumed = clone(matcher).set_params(model=tmp_path, n_epochs=0).fit(texts, M)
    np.testing.assert_allclose(resumed.transform(texts), matcher.transform(texts), atol=1e-6)


def test_fit_is_reproducible_and_restores_random_state_of_torch(unfitted_matcher, topic_texts):
    texts, M = topic_texts
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = unfitted_matcher.fit(texts, M).predict_proba(texts)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    assert are_equal(clone(unfitted_matcher).fit(texts, M).predict_proba(texts), first)
    other = clone(unfitted_matcher).set_params(random_state=1).fit(texts, M)
    assert not are_equal(other.predict_proba(texts), first)


def test_fit_in_threads_gives_same_model(unfitted_matcher, topic_texts):
    texts, M = topic_texts
    alone = clone(unfitted_matcher).fit(texts, M).predict_proba(texts)
    with ThreadPoolExecutor(2) as pool:
        for matcher in pool.map(lambda _: clone(unfitted_matcher).fit(texts, M), range(2)):
            assert are_equal(matcher.predict_proba(texts), alone)


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("validation_fraction", [0.0, 0.25])
def test_interrupted_fit_resumes_with_identical_result(
    unfitted_matcher, tmp_path, topic_texts, monkeypatch, validation_fraction
):
    texts, M = topic_texts
    unfitted_matcher.set_params(validation_fraction=validation_fraction)
    uninterrupted = clone(unfitted_matcher).fit(texts, M)
    unfitted_matcher.set_params(checkpoint_dir=tmp_path / "new" / "folder")
    train_epoch = LevelTrainer._train_epoch
    for n_epochs in (0, 1, 1, 2):  # epochs before each interruption; 4 in all
        n_left = [n_epochs]

        def interrupt_after(trainer, n_left=n_left):
            if n_left[0] == 0:
                raise Interrupted
            n_left[0] -= 1
            train_epoch(trainer)

        monkeypatch.setattr(LevelTrainer, "_train_epoch", interrupt_after)
        try:
            unfitted_matcher.fit(texts, M)
        except Interrupted:
            continue
    monkeypatch.undo()
    matcher = unfitted_matcher.fit(texts, M)
    assert matcher.n_iter_ == uninterrupted.n_iter_
    assert are_equal(matcher.predict_proba(texts), uninterrupted.predict_proba(texts))
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["matcher.pt"]

    def train_again(trainer):
        raise AssertionError("a finished fit must not train again")

    monkeypatch.setattr(LevelTrainer, "_train_epoch", train_again)
    again = clone(matcher).fit(texts, M)
    assert are_equal(again.predict_proba(texts), uninterrupted.predict_proba(texts))


def test_checkpoint_of_another_fit_is_refused(unfitted_matcher, tmp_path, topic_texts):
    texts, M = topic_texts
    unfitted_matcher.set_params(checkpoint_dir=tmp_path, n_epochs=(0, 1)).fit(texts, M)
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        clone(unfitted_matcher).set_params(learning_rate=1e-4).fit(texts, M)
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        clone(unfitted_matcher).fit([*texts[1:], "other"], M)
    with pytest.raises(ValueError, match="checkpoint of another fit"):
        clone(unfitted_matcher).fit(texts, M[::-1])
    with pytest.raises(ValueError, match="random_state must not be None"):
        clone(unfitted_matcher).set_params(random_state=None).fit(texts, M)
    (tmp_path / "matcher.pt").write_bytes(pickle.dumps({"fingerprint": 1}))
    with pytest.raises(ValueError, match="is not a checkpoint"):
        unfitted_matcher.fit(texts, M)


def test_validation_rows_restore_best_state(unfitted_matcher, topic_texts, monkeypatch, capsys):
    texts, M = topic_texts
    # This learning rate destroys the encoder, so the best state is the one before training.
    matcher = unfitted_matcher.set_params(
        validation_fraction=0.25, learning_rate=10.0, n_epochs=(0, 9), patience=2, verbose=1
    ).fit(texts, M)
    assert matcher.n_iter_ == 2 * 6
    plain = TransformerEmbedder(matcher.model).fit_transform(texts)
    np.testing.assert_allclose(matcher.transform(texts), plain, atol=1e-6)
    printed = capsys.readouterr().out
    assert "level 2 of 2: 16 nodes, 2 epochs, 12 steps" in printed
    assert "16 validation rows" in printed


def test_fit_accepts_rows_and_clusters_without_positives(unfitted_matcher, topic_texts):
    texts, M = topic_texts
    M = M.tolil()
    M[5] = 0  # row without a cluster
    M[6] = 1  # row with all clusters
    M[:, 3] = 0  # cluster without a row
    dense = M.toarray()
    matcher = unfitted_matcher.set_params(n_epochs=1, max_steps=[3, 2]).fit(texts, sp.csc_array(M))
    P = matcher.predict_proba(texts)
    assert matcher.n_iter_ == 5
    again = clone(matcher).fit(np.array(texts), dense).predict_proba(texts)
    assert are_equal(P, again)
    assert P.data.max() <= 1
    assert matcher.predict_proba(["", "unknown words"]).shape == (2, 16)


def test_matcher_follows_scikit_learn_conventions(unfitted_matcher, fitted_matcher, topic_texts):
    texts = topic_texts[0]
    assert unfitted_matcher.get_params()["beam_width"] == 2
    with pytest.raises(NotFittedError):
        unfitted_matcher.predict_proba(texts)
    assert (
        len(fitted_matcher.get_feature_names_out())
        == fitted_matcher.transform(texts[:1]).shape[1]
        == 32
    )
    np.testing.assert_array_equal(fitted_matcher.classes_, np.arange(16))
    before = set(vars(fitted_matcher))
    fitted_matcher.predict_proba(texts)
    assert set(vars(fitted_matcher)) == before
    assert "TransformerMatcher(" in repr(fitted_matcher)


@pytest.mark.parametrize(("precision", "expected"), [("bfloat16", "eager"), ("float32", "sdpa")])
def test_attention_of_transformers_is_used_to_train_in_bfloat16_on_cpu(
    unfitted_matcher, topic_texts, monkeypatch, precision, expected
):
    used = []
    take_step = LevelTrainer._take_step

    def record(self, batches):
        used.append(self.encoder.model.config._attn_implementation)
        return take_step(self, batches)

    monkeypatch.setattr(LevelTrainer, "_take_step", record)
    matcher = unfitted_matcher.set_params(precision=precision, device="cpu").fit(*topic_texts)
    if not hasattr(matcher.encoder_.model, "set_attn_implementation"):
        pytest.skip("This version of transformers cannot change the attention of a model.")
    assert set(used) == {expected}
    assert matcher.encoder_.model.config._attn_implementation == "sdpa"


def test_fit_transform_does_not_embed_training_rows_again(
    unfitted_matcher, topic_texts, monkeypatch
):
    texts, M = topic_texts
    calls = []
    embed = Encoder.embed

    def count_calls(*args, **kwargs):
        calls.append(1)
        return embed(*args, **kwargs)

    monkeypatch.setattr(Encoder, "embed", count_calls)
    E = clone(unfitted_matcher).fit_transform(texts, M)
    n_calls = len(calls)
    matcher = unfitted_matcher.fit(texts, M)
    assert len(calls) == 2 * n_calls
    # A fit on a CPU with instructions for bfloat16 uses them; `transform` does not.
    np.testing.assert_allclose(E, matcher.transform(texts), atol=0.01)
    precise = clone(unfitted_matcher).set_params(precision="float32")
    E = precise.fit_transform(texts, M)
    np.testing.assert_array_equal(E, precise.transform(texts))


def test_set_output_changes_transform_but_not_predict_proba(fitted_matcher, topic_texts):
    pytest.importorskip("pandas")
    texts = topic_texts[0]
    before = fitted_matcher.predict_proba(texts)
    framed = pickle.loads(pickle.dumps(fitted_matcher)).set_output(transform="pandas")
    assert list(framed.transform(texts).columns) == list(fitted_matcher.get_feature_names_out())
    assert are_equal(framed.predict_proba(texts), before)


def test_fused_optimizer_trains_as_unfused_one(unfitted_matcher, topic_texts, monkeypatch):
    texts, M = topic_texts
    unfitted_matcher.set_params(precision="float32")
    fused = clone(unfitted_matcher).fit(texts, M).transform(texts)
    monkeypatch.setattr("skxmr.transformer._level_training.has_fused_adamw", lambda device: False)
    np.testing.assert_allclose(unfitted_matcher.fit(texts, M).transform(texts), fused, atol=1e-3)


def test_has_fused_adamw_is_false_if_torch_refuses(monkeypatch):
    assert has_fused_adamw(torch.device("cpu"))

    def refuse(*args, **kwargs):
        raise RuntimeError("fused=True requires a supported device")

    monkeypatch.setattr(torch.optim, "AdamW", refuse)
    assert not has_fused_adamw(torch.device("cpu"))


@pytest.mark.parametrize("is_fused", [False, True])
def test_steps_that_overflow_are_skipped_and_fit_resumes(
    unfitted_matcher, topic_texts, tmp_path, monkeypatch, is_fused
):
    # float16 needs a GPU, but its loss scaling also works on the CPU.
    texts, M = topic_texts
    module = "skxmr.transformer._level_training"
    monkeypatch.setattr(f"{module}.has_fused_adamw", lambda device: is_fused)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127)
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device, enabled: copy.deepcopy(scaler))
    sum_losses = LevelTrainer._sum_losses
    monkeypatch.setattr(LevelTrainer, "_sum_losses", lambda *args: 2.0**20 * sum_losses(*args))
    matcher = unfitted_matcher.set_params(
        n_epochs=(0, 2), batch_size=64, precision="float32", checkpoint_dir=tmp_path
    )
    frozen = clone(matcher).set_params(n_epochs=0, checkpoint_dir=None).fit(texts, M)
    train_epoch = LevelTrainer._train_epoch

    def interrupt(trainer):
        if trainer.epoch:
            raise Interrupted
        train_epoch(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(LevelTrainer, "_train_epoch", interrupt)
        with pytest.raises(Interrupted):
            matcher.fit(texts, M)
    # All steps overflow.
    np.testing.assert_array_equal(matcher.fit(texts, M).transform(texts), frozen.transform(texts))


@pytest.mark.parametrize(
    ("precision", "training", "expected"),
    [
        ("auto", True, torch.bfloat16),
        ("auto", False, None),
        ("float32", True, None),
        ("bfloat16", False, torch.bfloat16),
    ],
)
def test_precision_auto_is_bfloat16_only_in_fits_on_cpu(monkeypatch, precision, training, expected):
    device = torch.device("cpu")
    monkeypatch.setattr("skxmr.transformer._device.has_fast_bfloat16", lambda: True)
    assert choose_dtype(precision, device, training=training) is expected
    monkeypatch.setattr("skxmr.transformer._device.has_fast_bfloat16", lambda: False)
    without = None if precision == "auto" else expected
    assert choose_dtype(precision, device, training=training) is without


@pytest.mark.parametrize(
    ("local_rank", "device", "expected"),
    [
        ("1", "auto", "cuda:1"),
        ("1", "cuda:0", "cuda:0"),
        ("3", "auto", "cuda"),  # the launcher shows only some of the devices
        (None, "auto", "cuda"),
    ],
)
def test_choose_device_gives_each_process_its_gpu(monkeypatch, local_rank, device, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "empty", lambda *args, device: torch.zeros(1))
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    if local_rank is not None:
        monkeypatch.setenv("LOCAL_RANK", local_rank)
    assert choose_device(device) == torch.device(expected)


def test_has_fast_bfloat16_needs_instructions_and_mkldnn(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    for has_instructions in (False, True):
        capabilities = {"avx512_bf16": has_instructions}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda c=capabilities: c, raising=False)
        assert has_fast_bfloat16() is has_instructions
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not has_fast_bfloat16()


def test_training_in_bfloat16_gives_float32_embeddings(unfitted_matcher, topic_texts, monkeypatch):
    texts, M = topic_texts
    monkeypatch.setattr("skxmr.transformer._device.has_fast_bfloat16", lambda: True)
    matcher = unfitted_matcher.set_params(n_epochs=15).fit(texts, M)
    assert precision_at_k(M, matcher.predict_proba(texts), k=1) == 1
    singly = np.vstack([matcher.transform([text]) for text in texts])
    np.testing.assert_allclose(singly, matcher.transform(texts), atol=1e-5)
    trained_in_float32 = clone(matcher).set_params(precision="float32").fit(texts, M)
    assert not are_equal(matcher.predict_proba(texts), trained_in_float32.predict_proba(texts))


@pytest.mark.parametrize("parameters", [{"beam_width": 0}, {"batch_size": 0}], ids=str)
def test_parameter_changed_after_fit_is_validated(fitted_matcher, topic_texts, parameters):
    twin = pickle.loads(pickle.dumps(fitted_matcher)).set_params(**parameters)
    with pytest.raises(InvalidParameterError, match=next(iter(parameters))):
        twin.predict_proba(topic_texts[0])


def test_checkpoint_dir_that_cannot_be_created_is_refused_before_training(
    unfitted_matcher, tmp_path, topic_texts, monkeypatch
):
    (tmp_path / "file").write_text("not a folder")
    unfitted_matcher.set_params(checkpoint_dir=tmp_path / "file")
    monkeypatch.setattr(Encoder, "embed", None)
    with pytest.raises(ValueError, match="checkpoint_dir must be a folder"):
        unfitted_matcher.fit(*topic_texts)


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"hierarchy": LabelHierarchy.from_parents([[0, 0]])}, ValueError, "over the 16 columns"),
        ({"n_epochs": -1}, InvalidParameterError, "n_epochs"),
        ({"n_epochs": [1, 0.5]}, ValueError, "n_epochs must be an integer or"),
        ({"n_epochs": []}, ValueError, "n_epochs must be an integer or"),
        ({"max_steps": [0]}, ValueError, "max_steps must be an integer or"),
        ({"loss": "hinge"}, InvalidParameterError, "loss"),
        ({"validation_fraction": 1.0}, InvalidParameterError, "validation_fraction"),
        ({"validation_fraction": 0.001}, ValueError, "validation_fraction must be 0 or"),
        ({"precision": "float16"}, ValueError, "needs a CUDA device"),
    ],
)
def test_invalid_parameter_is_refused(unfitted_matcher, topic_texts, parameters, error, message):
    with pytest.raises(error, match=message):
        unfitted_matcher.set_params(**parameters).fit(*topic_texts)


def test_invalid_data_is_refused(unfitted_matcher, fitted_matcher, topic_texts):
    texts, M = topic_texts
    with pytest.raises(ValueError, match="inconsistent numbers"):
        unfitted_matcher.fit(texts[1:], M)
    with pytest.raises(ValueError, match=r"texts\[1\] = None"):
        unfitted_matcher.fit([texts[0], None, *texts[2:]], M)
    with pytest.raises(ValueError, match="M must be .*2"):
        unfitted_matcher.fit(texts, M * 2)
    with pytest.raises(ValueError, match="M must have at least one label; got only zeros"):
        unfitted_matcher.fit(texts, M * 0)
    with pytest.raises(ValueError, match="single str"):
        fitted_matcher.predict_proba("a text")


def test_out_of_memory_error_keeps_previous_fit(fitted_matcher, topic_texts, monkeypatch):
    texts = topic_texts[0]
    before = fitted_matcher.predict_proba(texts)
    twin = pickle.loads(pickle.dumps(fitted_matcher))

    def fail(*args):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(LevelTrainer, "_sum_losses", fail)
        with pytest.raises(MemoryError, match=r"training. Lower batch_size \(now 8\)"):
            twin.fit(*topic_texts)
        patch.setattr(Encoder, "encode", fail)
        with pytest.raises(MemoryError, match="Lower batch_size"):
            twin.predict_proba(texts)
    assert are_equal(twin.predict_proba(texts), before)


def test_nan_loss_error_names_learning_rate(unfitted_matcher, topic_texts, monkeypatch):
    sum_losses = LevelTrainer._sum_losses
    monkeypatch.setattr(LevelTrainer, "_sum_losses", lambda *args: sum_losses(*args) * np.nan)
    with pytest.raises(FloatingPointError, match="Lower learning_rate"):
        unfitted_matcher.fit(*topic_texts)


def test_defaults_train_one_epoch_on_last_level(tiny_bert, topic_texts, capsys):
    matcher = TransformerMatcher(
        tiny_bert, hierarchy=HIERARCHY, device="cpu", random_state=0, verbose=1
    ).fit(*topic_texts)
    assert matcher.n_iter_ == 2
    assert "level 2 of 2: 16 nodes, 1 epochs, 2 steps" in capsys.readouterr().out
    assert matcher.set_params(hierarchy=None).fit(*topic_texts).n_iter_ == 2
