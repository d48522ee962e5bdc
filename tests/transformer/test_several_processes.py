"""Fine-tuning in two processes on the CPU, compared with one process."""

import os
import pickle
import shutil
import socket
import subprocess
import sys

import numpy as np
import pytest
import transformers
from sklearn.base import clone

from helpers import fit_in_processes
from skxmr import LabelHierarchy
from skxmr.transformer import TransformerMatcher, XTransformerClassifier

pytestmark = pytest.mark.slow(reason="starts processes")


@pytest.fixture(scope="module")
def matcher_without_dropout(tiny_bert, tmp_path_factory):
    """Return an unfitted matcher, whose result does not depend on the masks of dropout.

    The 16 clusters have two levels. 58 rows train in batches of 7, so each process has an odd share
    and the last batch of each epoch has 2 rows.
    """
    folder = tmp_path_factory.mktemp("without_dropout") / "model"
    shutil.copytree(tiny_bert, folder)
    config = transformers.AutoConfig.from_pretrained(folder)
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    config.save_pretrained(folder)
    return TransformerMatcher(
        str(folder),
        hierarchy=LabelHierarchy.from_parents([[0] * 4, np.arange(16) % 4]),
        n_epochs=2,
        batch_size=7,
        gradient_accumulation_steps=2,
        learning_rate=1e-3,
        beam_width=2,
        validation_fraction=0.1,
        device="cpu",
        precision="float32",
        random_state=0,
        verbose=1,
    )


@pytest.fixture(scope="module")
def results(matcher_without_dropout, tiny_bert, topic_texts, tmp_path_factory):
    """Return the results of both processes."""
    folder = tmp_path_factory.mktemp("processes")
    inputs = (*topic_texts, matcher_without_dropout)
    (folder / "inputs.pickle").write_bytes(pickle.dumps(inputs))
    shutil.copytree(tiny_bert, folder / "with_dropout")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    launcher = f"-m torch.distributed.run --nproc-per-node=2 --master-port={port}".split()
    subprocess.run(
        [sys.executable, *launcher, fit_in_processes.__file__, str(folder)],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return [pickle.loads((folder / f"result_{i}.pickle").read_bytes()) for i in range(2)]


def assert_all_equal(result, other):
    assert result["weights"].keys() == other["weights"].keys()
    for name, weights in result["weights"].items():
        np.testing.assert_array_equal(weights, other["weights"][name], err_msg=name)
    for weights, others in zip(result["heads"], other["heads"], strict=True):
        np.testing.assert_array_equal(weights, others)
    np.testing.assert_array_equal(result["E"], other["E"])
    assert result["n_iter"] == other["n_iter"]


@pytest.mark.parametrize("name", ["fit", "dropout", "resumed"])
def test_processes_have_equal_models(results, name):
    assert_all_equal(results[0][name], results[1][name])


def test_two_processes_give_model_of_one_process(results, matcher_without_dropout, topic_texts):
    expected = fit_in_processes.fit(clone(matcher_without_dropout), *topic_texts)
    result = results[0]["fit"]
    assert result["n_iter"] == expected["n_iter"]
    for name, weights in expected["weights"].items():
        np.testing.assert_allclose(result["weights"][name], weights, atol=1e-4, err_msg=name)
    np.testing.assert_allclose(result["E"], expected["E"], atol=1e-4)
    for weights, others in zip(result["heads"], expected["heads"], strict=True):
        np.testing.assert_allclose(weights, others, atol=1e-2)
    # Without the seconds.
    lines, expected_lines = (
        [line.rpartition(",")[0] for line in printed.splitlines()]
        for printed in (result["printed"], expected["printed"])
    )
    assert lines == expected_lines
    assert len(lines) == 2


def test_only_first_process_prints(results):
    assert not results[1]["fit"]["printed"]


def test_each_process_and_epoch_has_its_own_masks_of_dropout(results):
    seeds = results[0]["seeds"] + results[1]["seeds"]
    assert len(seeds) == 8  # 2 processes, 2 levels, 2 epochs
    assert len(set(seeds)) == 8


def test_interrupted_fit_of_processes_resumes_with_identical_result(results):
    assert_all_equal(results[0]["resumed"], results[0]["dropout"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows", "texts must have all rows in each process; got {} rows in process {} and {} rows"),
        ("texts", "must be equal in all processes"),
        ("parameters", "must be equal in all processes"),
        ("random_state", "random_state must not be None if several processes train together"),
        ("checkpoints", "checkpoint_dir must contain the same checkpoint for all processes"),
    ],
)
def test_processes_with_different_arguments_are_refused(results, name, message):
    for process, result in enumerate(results):
        expected = message.format(64 - 8 * process, process, 56 + 8 * process)
        assert expected.removesuffix(" rows") in result["errors"][name]


def test_classifier_is_equal_in_all_processes(results, matcher_without_dropout, topic_texts):
    texts, M = topic_texts
    np.testing.assert_array_equal(results[0]["classifier"], results[1]["classifier"])
    classifier = XTransformerClassifier(
        matcher_without_dropout.model,
        max_leaf_size=4,
        matcher=clone(matcher_without_dropout),
        random_state=0,
    ).fit(texts, M)
    expected = classifier.predict_proba(texts).toarray()
    np.testing.assert_allclose(results[0]["classifier"], expected, atol=1e-2)
