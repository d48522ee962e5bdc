"""The command line gives the results of the estimator and clear errors."""

import re
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from skxmr import XRLinearClassifier, load_model
from skxmr.cli import main
from skxmr.cli._commands import PARAMETERS
from skxmr.cli._data_files import read_texts, read_training_file
from skxmr.datasets import dump_xmc_file, load_xmc_file
from skxmr.metrics import label_propensities, ndcg_at_k, precision_at_k, psprecision_at_k

TEXTS = """\
apple banana fruit salad\tfood, sweet
green apple pie\tfood,sweet
engine wheel car\tcars
fast car, new engine\tcars,news
election vote parliament\tnews
vote for a new parliament\tnews,
banana bread\tfood
nothing of note\t
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts.tsv").write_text(TEXTS)
    return tmp_path


@pytest.fixture
def xmc_files(xmc_data, folder):
    X, Y = xmc_data
    dump_xmc_file(X[:400], Y[:400], "train.txt")
    dump_xmc_file(X[400:], Y[400:], "test.txt")
    return load_xmc_file("train.txt"), load_xmc_file("test.txt")


@pytest.mark.parametrize("scaled", [False, True])
def test_commands_equal_estimator_on_repository_files(xmc_files, capsys, scaled):
    (X, Y), (X_test, Y_test) = xmc_files
    flag = ["--normalize"] if scaled else []
    options = ["--max-leaf-size", "20", "--C", "0.5", "--random-state", "3", "--verbose", "0"]
    assert main(["train", "train.txt", "model", *flag, *options]) == 0
    assert capsys.readouterr().out == ""
    scale = normalize if scaled else sp.csr_array
    model = XRLinearClassifier(max_leaf_size=20, C=0.5, random_state=3).fit(scale(X), Y)
    assert load_model("model").get_params() == model.get_params()
    ranking = model.predict_topk(scale(X_test), k=3)

    assert main(["predict", "model", "test.txt", "-k", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    pairs = [[pair.split(":") for pair in line.split("\t")] for line in lines]
    assert np.array_equal([[int(label) for label, _ in row] for row in pairs], ranking[0])
    np.testing.assert_allclose([[float(s) for _, s in row] for row in pairs], ranking[1], rtol=1e-5)

    assert main(["evaluate", "model", "test.txt", "-k", "3", "1"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["k", "P@k", "nDCG@k", "PSP@k"]
    propensities = label_propensities(Y)
    for k, line in zip((1, 3), lines, strict=True):
        expected = [
            precision_at_k(Y_test, ranking, k=k),
            ndcg_at_k(Y_test, ranking, k=k),
            psprecision_at_k(Y_test, ranking, k=k, propensities=propensities),
        ]
        assert line.split() == [str(k), *(f"{100 * value:.2f}" for value in expected)]


def test_train_estimate_prints_costs_without_training(xmc_files, folder, capsys):
    files = sorted(folder.iterdir())
    assert main(["train", "train.txt", "model", "--estimate", "--n-trees", "2"]) == 0
    memory, time = capsys.readouterr().out.splitlines()
    (X, Y), _ = xmc_files
    assert memory == f"memory: {XRLinearClassifier(n_trees=2).estimate_memory(X, Y)}"
    assert re.fullmatch(r"time: [\d.]+ s \(processor seconds: .*\)", time)
    assert sorted(folder.iterdir()) == files


def test_train_on_texts_saves_vectorizer_and_label_names(folder, capsys):
    assert main(["train", "texts.tsv", "model", "--random-state", "0"]) == 0
    output = capsys.readouterr()
    assert "level 1 of 1" in output.out
    assert "8 rows" in output.err
    (folder / "new.txt").write_text("parliament votes\na car\tno label known\nbanana bread\n")
    assert main(["predict", "model", "new.txt", "-k", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["news", "cars", "food"]
    assert all(line.count("\t") == 1 for line in lines)
    assert main(["evaluate", "model", "texts.tsv", "-k", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[1] == "87.50"  # one row has no label
    (folder / "strange.tsv").write_text("apple\tfood,unseen\n")
    assert main(["evaluate", "model", "strange.tsv"]) == 0
    assert "ignored 1 labels" in capsys.readouterr().err


def test_train_options_are_estimator_parameters():
    defaults = XRLinearClassifier().get_params()
    assert set(PARAMETERS) <= set(defaults)
    for name, kind in PARAMETERS.items():
        assert defaults[name] is None or isinstance(defaults[name], kind)


def test_train_preset_is_overridden_by_options(xmc_files):
    arguments = ["train", "train.txt", "model", "--verbose", "0", "--preset", "fast"]
    assert main([*arguments, "--weight-threshold", "0.3"]) == 0
    model = load_model("model")
    assert (model.weight_threshold, model.beam_width) == (0.3, 5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["fly"], "fly"),
        (["train", "texts.tsv"], "model"),
        (["train", "texts.tsv", "model", "--C", "much"], "--C"),
        (["train", "texts.tsv", "model", "--C", "-1"], "'C'"),
        (["train", "texts.tsv", "model", "--score-transform", "l9"], "score_transform"),
        (["train", "texts.tsv", "model", "--preset", "worst"], "worst"),
        (["predict", "model", "texts.tsv", "-k", "0"], "positive integer; got 0"),
        (["predict", "model", "texts.tsv", "-k", "x"], "positive integer; got x"),
    ],
)
def test_main_exits_with_2_on_invalid_arguments(folder, capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err
    assert not (folder / "model").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("2 3 4\n0 9:1\n", "line 2"),
        ("good text\tlabel\nno tab here\n", "line 2: the line must be a text, a tab"),
        (b"\xff\xfe\tlabel\n", "line 1: the line must be UTF-8"),
        ("", "must have at least one line"),
        ("text\t,\n", "must have at least one label"),
        (None, "No such file"),
    ],
)
def test_train_names_invalid_file(folder, capsys, content, message):
    if content is not None:
        (folder / "bad").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert main(["train", "bad", "model", "--verbose", "0"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("python -m skxmr train: error: ")
    assert "bad" in error
    assert message in error
    assert not (folder / "model").exists()


@pytest.mark.parametrize(
    ("content", "n_samples", "n_labels"),
    [
        ("12 34\t7\n45 56\t8\n12 56\t7\n", 3, 2),  # texts of numbers
        ("11 22\t3\n1:22 33:4\t5\n", 2, 2),
        ("2\t4\t3\n0,2\t1:0.5\t3:1\n1\t0:2\n", 2, 3),  # a header with tabs
        ("2 4 3\n0,2 1:0.5 3:1\n 0:-2e-1\n", 2, 3),
    ],
)
def test_train_detects_the_format(folder, content, n_samples, n_labels):
    (folder / "data").write_text(content)
    X, Y, _ = read_training_file("data", False)
    assert (X.shape[0], Y.shape[1]) == (n_samples, n_labels)


@pytest.mark.parametrize("line", ["0,2\t1:0.5\t3:1", "0,2 1:0.5 3:1", " 0:1", "3 1:1e-05"])
def test_train_rejects_repository_rows_without_sizes(folder, capsys, line):
    (folder / "rows").write_text(f"{line}\n1\t0:2\t2:1\n")
    assert main(["train", "rows", "model", "--verbose", "0"]) == 1
    message = "rows, line 1: a file in the repository format must start with the line 'n_samples"
    assert message in capsys.readouterr().err


def test_read_texts_keeps_long_texts_and_ignores_blank_lines(folder):
    long = "word " * 40_000
    content = f"a\rb\t x , y,\r\n\n{long}\ty\n  \t\nempty label\t\n\n \n"
    (folder / "data").write_bytes(content.encode())
    rows = read_texts("data", require_labels=True)
    assert rows.texts == ["a\rb", long, "  ", "empty label"]
    assert rows.labels == [["x", "y"], ["y"], [], []]
    (folder / "queries").write_text("one\n\ntwo\n\n\n")
    assert read_texts("queries", require_labels=False).texts == ["one", "", "two"]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text\tlabels\n" + TEXTS, "the first row has the label 'labels', which no other row has"),
        ("Text\tTag\n" + TEXTS, "looks like a header"),
        (TEXTS.replace(", ", ";").replace(",", ";"), "4 of 8 rows have a label with ';'"),
        (TEXTS, None),
        ("a text\tlabels\nanother\tlabels\n", None),
    ],
)
def test_train_warns_about_headers_and_other_separators(folder, capsys, content, message):
    (folder / "data").write_text(content)
    assert main(["train", "data", "model", "--verbose", "0"]) == 0
    error = capsys.readouterr().err
    if message is None:
        assert "warning" not in error
    else:
        assert message in error
        assert error.startswith("python -m skxmr train: warning: data: ")


def test_main_reports_an_interruption_in_one_line(folder, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("skxmr.cli._commands.read_training_file", interrupt)
    assert main(["train", "texts.tsv", "model"]) == 130
    assert capsys.readouterr().err == "python -m skxmr train: interrupted\n"


def test_predict_limits_k_to_the_number_of_labels(folder, capsys):
    assert main(["train", "texts.tsv", "model", "--verbose", "0"]) == 0
    assert main(["predict", "model", "texts.tsv", "-k", str(2**40)]) == 0
    assert all(line.count("\t") == 3 for line in capsys.readouterr().out.splitlines())
    assert main(["evaluate", "model", "texts.tsv", "-k", "1", "100"]) == 0


def test_evaluate_rejects_file_with_other_labels(xmc_files, folder, capsys):
    assert main(["train", "train.txt", "model", "--verbose", "0"]) == 0
    (folder / "other.txt").write_text("1 400 3\n0 1:1\n")
    assert main(["evaluate", "model", "other.txt"]) == 1
    assert "must have 150 labels, as the model; got 3" in capsys.readouterr().err
    assert main(["predict", "nothing", "test.txt"]) == 1
    assert re.search("error: .*nothing.* folder", capsys.readouterr().err)


@pytest.mark.parametrize("model_path", ["texts.tsv", "no/folder", "full"])
def test_train_checks_model_folder_before_training(folder, capsys, monkeypatch, model_path):
    (folder / "full").mkdir()
    (folder / "full" / "thesis.tex").touch()
    monkeypatch.setattr("skxmr.cli._commands.read_training_file", None)
    assert main(["train", "texts.tsv", model_path]) == 1
    assert model_path in capsys.readouterr().err
    assert (folder / "texts.tsv").read_text() == TEXTS


def test_train_help_shows_default_values(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    help_text = capsys.readouterr().out
    expected = {**XRLinearClassifier().get_params(), "branching_factor": 16, "max_leaf_size": 100}
    for name, value in expected.items():
        if name in PARAMETERS:
            option = re.escape(name.replace("_", "-"))
            assert re.search(rf"--{option} VALUE\s+default: {re.escape(str(value))}\n", help_text)


def test_command_runs_as_process(folder):
    assert main(["train", "texts.tsv", "model"]) == 0
    command = [sys.executable, "-m", "skxmr", "predict", "model", "-", "-k", "1"]
    done = subprocess.run(command, capture_output=True, text=True, input="a car\nparliament\n")
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["cars", "news"]
    assert done.returncode == 0
    with pytest.raises(SystemExit) as exit_info:
        main(["predict"])
    assert exit_info.value.code == 2
