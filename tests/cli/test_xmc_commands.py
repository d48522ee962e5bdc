"""Commands on files of the Extreme Classification Repository give the results of the estimator."""

import csv
import io
import re
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr import XRLinearClassifier, load_model
from skxmr.cli import main
from skxmr.datasets import dump_xmc_file, load_xmc_file
from skxmr.metrics import label_propensities, ndcg_at_k, precision_at_k, psprecision_at_k


@pytest.fixture
def xmc_files(xmc_data, folder):
    X, Y = xmc_data
    dump_xmc_file(X[:400], Y[:400], "train.txt")
    dump_xmc_file(X[400:], Y[400:], "test.txt.gz")
    return load_xmc_file("train.txt"), load_xmc_file("test.txt.gz")


@pytest.mark.parametrize("scaled", [False, True])
def test_commands_equal_estimator(xmc_files, capsys, scaled):
    (X, Y), (X_test, Y_test) = xmc_files
    flag = ["--normalize"] if scaled else []
    options = ["--max-leaf-size", "20", "--C", "0.5", "--random-state", "3", "--verbose", "0"]
    assert main(["train", "train.txt", "model", *flag, *options]) == 0
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("train.txt (xmc): 400 rows, 150 labels, ")
    scale = normalize if scaled else sp.csr_array
    model = XRLinearClassifier(max_leaf_size=20, C=0.5, random_state=3).fit(scale(X), Y)
    loaded = load_model("model")
    assert (loaded[-1] if scaled else loaded).get_params() == model.get_params()
    ranking = model.predict_topk(scale(X_test), k=3)

    assert main(["predict", "model", "test.txt.gz", "-k", "3"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [int(row["label"]) for row in rows] == ranking[0].ravel().tolist()
    scores = [float(row["score"]) for row in rows]
    np.testing.assert_allclose(scores, ranking[1].ravel(), rtol=1e-5)

    assert main(["evaluate", "model", "test.txt.gz", "-k", "3", "1"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["k", "P@k", "R@k", "nDCG@k", "PSP@k"]
    propensities = label_propensities(Y)
    for k, line in zip((1, 3), lines, strict=True):
        expected = [
            precision_at_k(Y_test, ranking, k=k),
            ndcg_at_k(Y_test, ranking, k=k),
            psprecision_at_k(Y_test, ranking, k=k, propensities=propensities),
        ]
        found = line.split()
        assert [found[0], found[1], *found[3:]] == [str(k), *(f"{100 * v:.2f}" for v in expected)]


def test_train_estimate_prints_costs_without_training(xmc_files, folder, capsys):
    files = sorted(folder.iterdir())
    assert main(["train", "train.txt", "model", "--estimate", "--n-trees", "2"]) == 0
    memory, time = capsys.readouterr().out.splitlines()
    (X, Y), _ = xmc_files
    assert memory == f"memory: {XRLinearClassifier(n_trees=2).estimate_memory(X, Y)}"
    assert re.fullmatch(r"time: [\d.]+ s \(processor seconds: .*\)", time)
    assert sorted(folder.iterdir()) == files


def test_train_preset_is_overridden_by_options(xmc_files):
    arguments = ["train", "train.txt", "model", "--verbose", "0", "--preset", "fast"]
    assert main([*arguments, "--weight-threshold", "0.3"]) == 0
    model = load_model("model")
    assert (model.weight_threshold, model.beam_width) == (0.3, 5)


def test_train_reads_matrices_and_objects(xmc_files, monkeypatch):
    (X, Y), _ = xmc_files
    np.save("features.npy", (Y.T @ X).toarray())
    monkeypatch.syspath_prepend(".")
    with open("trees.py", "w") as file:
        file.write("from skxmr import HierarchicalLabelTree\ntree = HierarchicalLabelTree(4)\n")
    options = ["--label-features", "features.npy", "--label-tree", "trees:tree", "--verbose", "0"]
    assert main(["train", "train.txt", "model", *options]) == 0
    model = load_model("model")
    assert model.label_features.shape == (150, X.shape[1])
    assert model.label_tree.branching_factor == 4


def test_train_refuses_what_cannot_be_saved_before_reading(folder, capsys):
    (folder / "rankers.py").write_text(
        "from sklearn.linear_model import LogisticRegression\nranker = LogisticRegression()\n"
    )
    sys.path.insert(0, str(folder))
    try:
        with pytest.raises(SystemExit):
            main(["train", "missing.txt", "model", "--ranker", "rankers:ranker"])
    finally:
        sys.path.remove(str(folder))
    error = capsys.readouterr().err
    assert "model.params.ranker must be" in error
    assert "LogisticRegression" in error


def test_train_names_invalid_rows(folder, capsys):
    (folder / "bad.txt").write_text("2 3 4\n0 9:1\n")
    assert main(["train", "bad.txt", "model", "--verbose", "0"]) == 1
    assert "skxmr train: error: bad.txt, line 2: feature must be" in capsys.readouterr().err


def test_evaluate_rejects_file_with_other_labels(xmc_files, folder, capsys):
    assert main(["train", "train.txt", "model", "--verbose", "0"]) == 0
    (folder / "other.txt").write_text("1 400 3\n0 1:1\n")
    assert main(["evaluate", "model", "other.txt"]) == 1
    assert "must have 150 labels, as the model; got 3" in capsys.readouterr().err
    assert main(["predict", "nothing", "test.txt.gz"]) == 1
    assert re.search("error: .*nothing.* folder", capsys.readouterr().err)


def test_train_has_an_option_for_every_parameter_with_its_default(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    help_text = " ".join(capsys.readouterr().out.split())
    expected = {**XRLinearClassifier().get_params(), "branching_factor": 16, "max_leaf_size": 100}
    expected["verbose"] = 1
    for name, value in expected.items():
        default = str(value).lower() if value is None else value
        option = re.escape(name.replace("_", "-"))
        pattern = rf"--{option} [^()]*(\([^()]*\)[^()]*)?\(default: {re.escape(str(default))}\)"
        assert re.search(pattern, help_text), name
