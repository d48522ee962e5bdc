"""Commands on tables of texts: the results of the estimator, reports and clear errors."""

import csv
import io
import json
import subprocess
import sys

import pytest
from sklearn.decomposition import TruncatedSVD

from helpers.text_files import COLUMNS, OPTIONS, ROWS
from skxmr import load_model, make_text_classifier, save_model
from skxmr.cli import main
from skxmr.datasets import load_texts
from skxmr.metrics import ndcg_at_k, precision_at_k, recall_at_k
from skxmr.pipeline import make_pipeline
from skxmr.text import TfidfVectorizer


def test_train_saves_the_model_of_the_estimator(text_model):
    texts, labels = load_texts("texts.csv", **COLUMNS)
    expected = make_text_classifier(random_state=0).fit(texts, labels)
    loaded = load_model("model")
    assert loaded.suggest(texts) == expected.suggest(texts)
    assert loaded.get_params()["classifier__verbose"] == 0


def test_train_reports_what_it_found(text_model):
    report, saved = text_model.splitlines()
    assert report == (
        "texts.csv (csv): 8 rows, 4 labels, 1.2 per row; 1 row without labels is kept as a negative"
    )
    assert saved.startswith("saved model: ")


def test_train_reports_rows_without_text(folder, capsys):
    (folder / "gaps.csv").write_text("a,b\n,x\ntext,y\n , z\n")
    command = ["train", "gaps.csv", "model", "--text", "a", "--labels", "b", "--verbose", "0"]
    assert main(command) == 0
    assert "gaps.csv: 2 rows without a text\n" in capsys.readouterr().err


def test_suggest_prints_scores_and_names(text_model, capsys):
    assert main(["suggest", "model", "a vote", "-k", "1"]) == 0
    score, name = capsys.readouterr().out.split()
    [[(expected, expected_score)]] = load_model("model").suggest(["a vote"], k=1)
    assert (name, score) == (expected, f"{expected_score:.3f}")
    assert main(["suggest", "model", "a vote", "an apple", "--threshold", "0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if line.endswith(":")] == ["a vote:", "an apple:"]
    assert all(float(line.split()[0]) >= 0.5 for line in lines if not line.endswith(":"))


def test_suggest_and_predict_filter_labels(text_model, folder, capsys):
    model = load_model("model")
    texts = load_texts("texts.csv", **COLUMNS)[0]
    allowed, excluded = model.classes_[:3], model.classes_[1:2]
    (folder / "only.txt").write_text("\ufeff" + "\n\n".join(allowed) + "\n", encoding="utf-8")
    (folder / "not.txt").write_text(excluded[0] + "\n", encoding="utf-8")
    options = ["-k", "4", "--only-labels", "only.txt", "--exclude-labels", "not.txt"]
    [expected] = model.suggest(["a vote"], k=4, labels=allowed, exclude=excluded)
    assert main(["suggest", "model", "a vote", *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == [name for name, _ in expected]
    assert main(["predict", "model", "texts.csv", *options]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:]
    suggestions = model.suggest(texts, k=4, labels=allowed, exclude=excluded)
    assert [row[1] for row in rows] == [name for pairs in suggestions for name, _ in pairs]
    (folder / "not.txt").write_text("no label\n")
    assert main(["suggest", "model", "a vote", *options]) == 1
    assert "exclude must contain only labels of classes_" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["suggest", "model", "a vote", "--only-labels", "missing.txt"])
    assert "missing.txt cannot be read" in capsys.readouterr().err


def test_commands_accept_models_with_embeddings(folder, capsys):
    texts, labels = load_texts("texts.csv", **COLUMNS)
    embedder = make_pipeline(TfidfVectorizer(), TruncatedSVD(2, random_state=0))
    model = make_text_classifier(embedder=embedder, random_state=0).fit(texts, labels)
    save_model(model, "model")
    assert main(["suggest", "model", "a vote", "-k", "1"]) == 0
    assert capsys.readouterr().out.split()[1] == model.suggest(["a vote"], k=1)[0][0][0]
    assert main(["info", "model"]) == 0
    assert "labels" in capsys.readouterr().out


def test_predict_prints_csv_with_row_numbers(text_model, folder, capsys):
    (folder / "new.jsonl").write_text(
        '{"title": "a car", "text": null}\n{"title": "vote", "text": "parliament"}\n'
    )
    assert main(["predict", "model", "new.jsonl", "-k", "2"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    expected = load_model("model").suggest(["a car ", "vote parliament"], k=2)
    pairs = [(str(i), name) for i, row in enumerate(expected, start=1) for name, _ in row]
    assert [(row["row"], row["label"]) for row in rows] == pairs
    scores = [score for row in expected for _, score in row]
    assert [float(row["score"]) for row in rows] == pytest.approx(scores, rel=1e-5)


def test_predict_reads_blocks_of_rows(text_model, monkeypatch, capsys):
    assert main(["predict", "model", "texts.csv"]) == 0
    whole = capsys.readouterr().out
    monkeypatch.setattr("skxmr.cli._data.BLOCK_ROWS", 3)
    assert main(["predict", "model", "texts.csv"]) == 0
    assert capsys.readouterr().out == whole


def test_predict_quotes_names(folder, capsys):
    (folder / "a.jsonl").write_text('{"t": "car", "l": ["a, b"]}\n{"t": "pie", "l": ["c"]}\n')
    command = ["train", "a.jsonl", "model", "--text", "t", "--labels", "l", "--verbose", "0"]
    assert main(command) == 0
    capsys.readouterr()
    assert main(["predict", "model", "a.jsonl", "-k", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith('1,"a, b",')


def test_evaluate_equals_metrics(text_model, folder, capsys):
    (folder / "test.csv").write_text(ROWS + "an apple,pie,food;unseen\n")
    assert main(["evaluate", "model", "test.csv", "-k", "2", "1"]) == 0
    output = capsys.readouterr()
    assert "1 of 12 labels of rows are not in the model; they count as not found" in output.err
    header, *lines = output.out.splitlines()
    assert header.split() == ["k", "P@k", "R@k", "nDCG@k", "PSP@k"]
    texts, labels = load_texts("test.csv", **COLUMNS)
    suggestions = load_model("model").suggest(texts, k=2)
    for k, line in zip((1, 2), lines, strict=True):
        metrics = [precision_at_k, recall_at_k, ndcg_at_k]
        expected = [f"{100 * metric(labels, suggestions, k=k):.2f}" for metric in metrics]
        assert line.split()[:4] == [str(k), *expected]


def test_evaluate_accepts_k_above_the_number_of_labels(text_model, capsys):
    assert main(["evaluate", "model", "texts.csv", "-k", "1", "100"]) == 0
    assert main(["predict", "model", "texts.csv", "-k", str(2**40)]) == 0


def test_info_prints_labels_columns_and_parameters(text_model, capsys):
    assert main(["info", "model"]) == 0
    output = capsys.readouterr().out
    assert "labels: 4 (cars, food, news, sweet)\n" in output
    assert "text: title, text\n" in output
    assert "separator: ;\n" in output
    assert "XRLinearClassifier(random_state=0)" in output


def test_commands_take_models_of_save_model(folder, capsys):
    model = make_text_classifier().fit(["a car", "an apple", "a car"], ["cars", "food", "cars"])
    save_model(model, "own")
    assert main(["suggest", "own", "apple", "-k", "1"]) == 0
    assert capsys.readouterr().out.split()[1] == "food"
    with pytest.raises(SystemExit):
        main(["predict", "own", "texts.csv"])
    assert "--text COLUMN must be given" in capsys.readouterr().err
    assert main(["evaluate", "own", "texts.csv", *OPTIONS]) == 0
    assert "PSP@k" not in capsys.readouterr().out


def test_options_change_vectorizer_and_classifier(folder):
    given = ["--analyzer", "char_wb", "--ngram-range", "2", "3", "--min-df", "2", "--n-jobs", "1"]
    given += ["--beam-width", "none", "--score-transform", "l1-hinge,l3-hinge"]
    command = ["train", "texts.csv", "model", *OPTIONS, *given, "--preset", "balanced"]
    assert main([*command, "--n-trees", "2", "--verbose", "0"]) == 0
    params = load_model("model").get_params()
    expected = {"analyzer": "char_wb", "ngram_range": (2, 3), "min_df": 2, "n_jobs": 1}
    assert {name: params[f"vectorizer__{name}"] for name in expected} == expected
    assert params["classifier__beam_width"] is None
    assert params["classifier__score_transform"] == ("l1-hinge", "l3-hinge")
    assert params["classifier__n_trees"] == 2
    assert params["classifier__positive_weight"] == 1.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "COMMAND"),
        (["fly"], "fly"),
        (["train", "texts.csv"], "model"),
        (["train", "texts.csv", "model"], "--text COLUMN must be given"),
        (["train", "texts.csv", "model", "--text", "title"], "--labels COLUMN must be given"),
        (["train", "texts.csv", "model", *OPTIONS, "--C", "much"], "'C'"),
        (["train", "texts.csv", "model", *OPTIONS, "--C", "-1"], "'C'"),
        (["train", "texts.csv", "model", *OPTIONS, "--score-transform", "l9"], "score_transform"),
        (["train", "texts.csv", "model", *OPTIONS, "--preset", "worst"], "worst"),
        (["train", "texts.csv", "model", *OPTIONS, "--min-df", "-1"], "min_df"),
        (["train", "texts.csv", "model", *OPTIONS, "--matcher", "no.module:x"], "cannot import"),
        (["train", "texts.csv", "model", *OPTIONS, "--negatives", "no.npz"], "cannot read no.npz"),
        (["train", "texts.csv", "model", *OPTIONS, "--normalize"], "--normalize"),
        (["train", "texts.txt", "model", *OPTIONS], "--text must not be given"),
        (["train", "texts.txt", "model", "--min-df", "2"], "--min-df must not be set"),
        (["predict", "model", "texts.csv", "-k", "0"], "positive integer; got 0"),
        (["predict", "model", "texts.csv", "-k", "x"], "positive integer; got x"),
        (["predict", "model", "texts.csv", "-k", "1" * 5000], "positive integer"),
        (["suggest", "model"], "text"),
    ],
)
def test_main_exits_with_2_on_invalid_arguments(folder, capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) < 5
    assert not (folder / "model").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("bad.csv", "title,text,topics\na,b\n", "bad.csv, line 2: the row must have 3 fields"),
        ("bad.csv", "title,topics\na,b\n", "bad.csv must have one column 'text'; got the columns"),
        ("bad.csv", "title,text,topics\n", "bad.csv must have at least one row; got none"),
        (
            "bad.csv",
            "title,text,topics\na,b,;\n",
            "bad.csv must have at least one label; all cells",
        ),
        ("bad.csv", None, "bad.csv"),
        ("bad.json", "[\n{}\n]", "bad.json, line 1: the line must be a JSON object; got"),
        ("bad.doc", "", "the format of bad.doc must be given"),
        ("bad", "", "Add --format with one of csv, tsv, jsonl, parquet, xmc"),
    ],
)
def test_train_names_file_line_and_remedy(folder, capsys, name, content, message):
    if content is not None:
        (folder / name).write_text(content)
    assert main(["train", name, "model", *OPTIONS, "--verbose", "0"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("skxmr train: error: ")
    assert message in error
    assert not (folder / "model").exists()


@pytest.mark.filterwarnings("default")
def test_train_warns_about_joined_labels(folder, capsys):
    (folder / "a.csv").write_text("t,l\nred,x;y\nblue,y;z\ngreen,x;z\n")
    command = ["train", "a.csv", "model", "--text", "t", "--labels", "l", "--verbose", "0"]
    assert main(command) == 0
    assert "skxmr train: warning: a.csv: labels look like" in capsys.readouterr().err


@pytest.mark.parametrize("model_path", ["texts.csv", "no/folder", "full"])
def test_train_checks_model_folder_before_training(folder, capsys, monkeypatch, model_path):
    (folder / "full").mkdir()
    (folder / "full" / "thesis.tex").touch()
    monkeypatch.setattr("skxmr.cli._train.load_texts", None)
    content = (folder / "texts.csv").read_bytes()
    assert main(["train", "texts.csv", model_path, *OPTIONS]) == 1
    assert model_path in capsys.readouterr().err
    assert (folder / "texts.csv").read_bytes() == content


def test_commands_reject_data_of_another_kind(text_model, folder, capsys):
    (folder / "rows.txt").write_text("1 2 4\n0 0:1\n")
    assert main(["predict", "model", "rows.txt"]) == 1
    assert "rows.txt must be a table with texts" in capsys.readouterr().err
    assert main(["train", "rows.txt", "rows.model", "--verbose", "0"]) == 0
    assert main(["predict", "rows.model", "texts.csv"]) == 1
    assert "texts.csv must be in the format xmc" in capsys.readouterr().err
    assert main(["suggest", "rows.model", "a text"]) == 1
    assert "rows.model must be a model of texts" in capsys.readouterr().err
    assert main(["evaluate", "model", "texts.csv", "--labels", "none"]) == 1
    assert "must have one column 'none'" in capsys.readouterr().err


def test_evaluate_rejects_a_file_without_labels(text_model, folder, capsys):
    (folder / "empty.csv").write_text("title,text,topics\na,b,\n")
    assert main(["evaluate", "model", "empty.csv"]) == 1
    assert "empty.csv must have at least one row with labels" in capsys.readouterr().err


def test_main_reports_an_interruption_in_one_line(folder, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("skxmr.cli._train.load_texts", interrupt)
    assert main(["train", "texts.csv", "model", *OPTIONS]) == 130
    assert capsys.readouterr().err == "skxmr train: interrupted\n"


def test_command_reads_standard_input_as_process(text_model):
    command = [sys.executable, "-m", "skxmr", "predict", "model", "-", "-k", "1"]
    lines = [json.dumps({"title": text, "text": ""}) for text in ("a car", "parliament")]
    done = subprocess.run(
        [*command, "--format", "jsonl"], capture_output=True, text=True, input="\n".join(lines)
    )
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == ["label", "cars", "news"]
    assert done.returncode == 0
    done = subprocess.run(command, capture_output=True, text=True, input="")
    assert "the format of - must be given" in done.stderr
    assert done.returncode == 1


@pytest.mark.filterwarnings("default")
def test_messages_name_options_of_the_command_line(folder, capsys):
    (folder / "a.csv").write_text("t;l\nred;x\n")
    command = ["model", "--text", "t", "--labels", "l", "--verbose", "0"]
    assert main(["train", "a.csv", *command]) == 1
    assert "set --delimiter to ';'" in capsys.readouterr().err
    (folder / "b.csv").write_text("t,l\nred,x;y\nblue,y;z\ngreen,x;z\n")
    assert main(["train", "b.csv", *command]) == 0
    error = capsys.readouterr().err
    assert "Set --separator to ';'" in error
    assert error.count("warning") == 1


def test_train_advises_on_spreadsheets(folder, capsys):
    assert main(["train", "a.xlsx", "model", *OPTIONS]) == 1
    assert "Save the sheet as CSV in UTF-8." in capsys.readouterr().err


def test_serve_names_a_missing_folder(folder, capsys):
    assert main(["serve", "missing"]) == 1
    assert capsys.readouterr().err == "skxmr serve: error: missing: no such folder.\n"
