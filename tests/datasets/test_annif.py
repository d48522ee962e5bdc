"""Corpora and vocabularies of Annif."""

import bz2
import csv
import gzip
import io
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skxmr import make_text_classifier
from skxmr.datasets import load_annif_corpus, load_annif_vocabulary

URI = "http://example.org/thesaurus/subj"
ROWS = [
    ("Lake, boats", [f"{URI}1", f"{URI}2"]),
    ('a "quoted" é', []),
    ("", [f"{URI}2"]),
]


def make_tsv(rows, line_end="\n"):
    lines = (text + "\t" + " ".join(f"<{uri}>" for uri in uris) for text, uris in rows)
    return "".join(line + line_end for line in lines).encode()


def make_csv(rows):
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(["document_id", "title", "text", "subject_uris"])
    for text, uris in rows:
        writer.writerow(["d", "a title", text, " ".join(f"<{uri}>" for uri in uris)])
    return file.getvalue().encode()


def make_json(rows):
    records = (
        {"document_id": "d", "text": text, "subjects": [{"uri": uri, "label": "x"} for uri in uris]}
        for text, uris in rows
    )
    return "".join(json.dumps(record) + "\n" for record in records).encode()


CONTENTS = {
    "a.tsv": make_tsv(ROWS),
    "a.tsv.gz": gzip.compress(make_tsv(ROWS)),
    "a.txt": b"\xef\xbb\xbf" + make_tsv(ROWS, "\r\n"),
    "a": make_tsv(ROWS).replace(b"<", b"").replace(b">", b""),
    "a.gz": gzip.compress(b"\n" + make_tsv(ROWS)),
    "a.CSV": b"\xef\xbb\xbf" + make_csv(ROWS),
    "a.csv.bz2": bz2.compress(make_csv(ROWS)),
    "a.jsonl": make_json(ROWS),
    "a.json.gz": gzip.compress(make_json(ROWS)),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_load_annif_corpus_reads_every_file_format(tmp_path, name):
    (tmp_path / name).write_bytes(CONTENTS[name])
    expected = ([text for text, _ in ROWS], [uris for _, uris in ROWS])
    assert load_annif_corpus(tmp_path / name) == expected
    assert load_annif_corpus(str(tmp_path / name)) == expected


TEXT_OF_ONE_LINE = st.text(st.characters(codec="utf-8", exclude_characters="\t\n\r\ufeff"))


@given(
    st.lists(
        st.tuples(
            TEXT_OF_ONE_LINE.filter(str.strip),
            st.lists(st.sampled_from([f"{URI}{i}" for i in range(5)]), unique=True),
        )
    )
)
def test_load_annif_corpus_gives_equal_results_for_all_formats(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("corpus")
    for name, make in [("a.tsv", make_tsv), ("a.csv", make_csv), ("a.jsonl", make_json)]:
        (folder / name).write_bytes(make(rows))
        assert list(zip(*load_annif_corpus(folder / name), strict=True)) == rows


def test_load_annif_corpus_removes_duplicates_and_reads_labels(tmp_path):
    (tmp_path / "a.tsv").write_text(f"a\t<{URI}2>\t<{URI}1>  {URI}2\n")
    assert load_annif_corpus(tmp_path / "a.tsv").labels == [[f"{URI}2", f"{URI}1"]]
    records = [
        {"text": "a", "subjects": [{"label": " lakes "}, {"uri": f"<{URI}1>", "label": "boats"}]},
        {"metadata": {"title": "A title", "note": None, "abstract": "and more"}},
        {"text": None, "metadata": {}, "subjects": None},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    texts, labels = load_annif_corpus(tmp_path / "a.jsonl")
    assert texts == ["a", "A title and more", ""]
    assert labels == [["lakes", f"{URI}1"], [], []]


@pytest.fixture
def corpus_folder(tmp_path):
    folder = tmp_path / "corpus"
    folder.mkdir()
    files = {
        "c.txt": b"\xef\xbb\xbfthird\ntext",
        "a.txt": b"first",
        "b.b.txt": b"second",
        "d.txt": b"no subjects",
        "a.key": b"from the wrong file",
        "a.tsv": f"\ufeff<{URI}1>\tlakes\tmore\r\n\n<{URI}2>\n  \t<{URI}3>\tx".encode(),
        "b.b.key": "boats\nl\u00e4kes  \tmore\nboats\n".encode(),
        "c.tsv": b"",
        "e.json": make_json([("a text", [f"{URI}9"])]).replace(b", ", b",\n"),
        "0.json": b'{"text": "other"}',
        "x.tsv": b"ignored",
        "x.md": b"ignored",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def test_load_annif_corpus_reads_folders(corpus_folder):
    texts, labels = load_annif_corpus(corpus_folder)
    assert texts == ["first", "second", "third\ntext", "no subjects", "other", "a text"]
    assert labels == [
        [f"{URI}1", f"{URI}2", f"{URI}3"],
        ["boats", "läkes"],
        [],
        [],
        [],
        [f"{URI}9"],
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_load_annif_corpus_skips_pipes_and_folders(corpus_folder):
    expected = load_annif_corpus(corpus_folder)
    os.mkfifo(corpus_folder / "p.txt")
    os.mkfifo(corpus_folder / "d.tsv")
    (corpus_folder / "f.txt").mkdir()
    assert load_annif_corpus(corpus_folder) == expected


def test_load_annif_corpus_fits_a_classifier(tmp_path):
    (tmp_path / "a.tsv").write_bytes(make_tsv(ROWS * 5))
    model = make_text_classifier(random_state=0).fit(*load_annif_corpus(tmp_path / "a.tsv"))
    assert list(model.classes_) == [f"{URI}1", f"{URI}2"]
    (tmp_path / "v.tsv").write_text(f"<{URI}1>\tlakes\n")
    vocabulary = load_annif_vocabulary(tmp_path / "v.tsv")
    [suggestions] = model.suggest(["boats"], k=2)
    assert {vocabulary.get(uri, uri) for uri, _ in suggestions} == {"lakes", f"{URI}2"}


INVALID_CORPORA = [
    ("a.tsv", b"x\t<u:1>\nno tab\n", "line 2: the line must be a text, a tab and URIs; got 'no t"),
    ("a.tsv", b"x\tlakes\n", "line 1: subject must be a URI such as <http:...>; got 'lakes'"),
    ("a.tsv", b"x\t<>\n", "line 1: subject must be a URI .*; got '<>'"),
    ("a.tsv", b"x\t\n\xff\t\n", "line 2: the line must be UTF-8; got the byte 0xff"),
    ("a.tsv", "x\t\n".encode("utf-16"), "must be in UTF-8; got UTF-16"),
    ("a.tsv.gz", b"x\t\n", "compressed data must be valid"),
    ("a.csv", b"text,subjects\nx,y\n", "must have one column 'subject_uris'; got the columns 'te"),
    ("a.csv", b"text,subject_uris\nx,<u:1>\nx,y\n", "line 3: subject must be a URI .*; got 'y'"),
    ("a.csv", b"text,subject_uris\nx\n", "line 2: the row must have 2 fields"),
    ("a.csv", b"", "must have a header line"),
    ("a.jsonl", b"{}\n", "line 1: .* a field 'text', or a field 'metadata' with an object; got"),
    ("a.jsonl", b'{"text": 1}\n', "line 1: 'text' must be a string or null; got 1"),
    ("a.jsonl", b'{"metadata": []}\n', "a field 'metadata' with an object; got the fields 'meta"),
    ("a.jsonl", b'{"metadata": {"a": [1]}}\n', r"line 1: 'a' must be a string or null; got \[1\]"),
    ("a.jsonl", b'{"text": "", "subjects": {}}\n', "line 1: 'subjects' must be a list; got {}"),
    ("a.jsonl", b'{"text": "", "subjects": ["a"]}\n', "each of 'subjects' must be an .* got 'a'"),
    ("a.jsonl", b'{"text": "", "subjects": [{"uri": 1}]}\n', "each of 'subjects' must be an obj"),
    ("a.jsonl", b'{"text": "", "subjects": [{"label": " "}]}\n', "each of 'subjects' must be an"),
    ("a.jsonl", b'{"text": "", "subjects": [{"uri": "x"}]}\n', "line 1: subject must be a URI"),
    ("a.jsonl", b'{"text": ' + b"[" * 100_000, "line 1: "),
    ("a.jsonl", b"[]\n", r"line 1: the line must be a JSON object; got \[\]"),
]


@pytest.mark.parametrize(
    ("name", "content", "message"), INVALID_CORPORA, ids=[case[2] for case in INVALID_CORPORA]
)
def test_load_annif_corpus_names_file_and_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_annif_corpus(tmp_path / name)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.txt", b"a\n\xe9", r"d.txt, line 2: the line must be UTF-8; got the byte 0xe9"),
        ("a.tsv", b"<x>\ty", r"a.tsv, line 1: subject must be a URI"),
        ("c.tsv", b"a\n\xe9", r"c.tsv, line 2: the line must be UTF-8"),
        ("0.json", b"", r"0.json: the file must be a JSON object; got '': Expecting value"),
        ("0.json", b"[1]", r"0.json: the file must be a JSON object; got \[1\]"),
        ("0.json", b'{"text": [' + b"[" * 100_000, r"0.json: the "),
        ("0.json", b'{"document_id": "1"}', r"0.json: the object must have a field 'text'"),
    ],
)
def test_load_annif_corpus_names_file_in_folder(corpus_folder, name, content, message):
    (corpus_folder / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_annif_corpus(corpus_folder)


def test_load_annif_functions_reject_other_paths(tmp_path):
    with pytest.raises(ValueError, match=r"path must be a folder with .txt or .json files; got '/"):
        load_annif_corpus(tmp_path)
    with pytest.raises(
        ValueError, match=r"path must be a folder or a name that ends in .csv, .tsv"
    ):
        load_annif_corpus("corpus.xlsx")
    for load in (load_annif_corpus, load_annif_vocabulary):
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "missing.tsv")
        for path in (None, 1, io.BytesIO()):
            with pytest.raises(TypeError, match="path must be a str or a path; got "):
                load(path)
    with pytest.raises(ValueError, match=r"ends in .csv, .tsv, .tab or .txt; got '.*jsonl'\.$"):
        load_annif_vocabulary("subjects.jsonl")
    with pytest.raises(ValueError, match=r"got 'yso.rdf.gz'. To convert a SKOS file, load it with"):
        load_annif_vocabulary("yso.rdf.gz")


@pytest.mark.parametrize("name", ["v.tsv", "v.tab.gz", "v", "v.txt"])
def test_load_annif_vocabulary_reads_tsv(tmp_path, name):
    content = f"\ufeff<{URI}1>\tlakes \r\n\n{URI}2\tl\u00e4kes\t42.42\n<{URI}3>\n<{URI}1>\tseas\n"
    compress = gzip.compress if name.endswith(".gz") else bytes
    (tmp_path / name).write_bytes(compress(content.encode()))
    result = load_annif_vocabulary(tmp_path / name)
    assert result == {f"{URI}1": "seas", f"{URI}2": "läkes"}
    assert list(result) == [f"{URI}1", f"{URI}2"]
    with pytest.raises(ValueError, match="language must be None for .*; got 'en'"):
        load_annif_vocabulary(tmp_path / name, language="en")


def test_load_annif_vocabulary_reads_csv(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text(
        f'uri,notation,label_en,label_fi\n<{URI}1>,,"lakes, seas",j\u00e4rvi\n{URI}2,4,,vene\n',
        encoding="utf-8",
    )
    assert load_annif_vocabulary(path, language="en") == {f"{URI}1": "lakes, seas"}
    assert load_annif_vocabulary(str(path), language="fi") == {
        f"{URI}1": "järvi",
        f"{URI}2": "vene",
    }
    for language in (None, "de", "label_en"):
        with pytest.raises(
            ValueError, match=r"language must be one of 'en', 'fi', as in .*v.csv; "
        ):
            load_annif_vocabulary(path, language=language)
    with pytest.raises(TypeError, match="language must be a string or None; got 1"):
        load_annif_vocabulary(path, language=1)
    path.write_text(f"label_en,uri\nlakes,{URI}1\n")
    assert load_annif_vocabulary(path) == {f"{URI}1": "lakes"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("v.tsv", b"<u:1>\tx\nlakes\ty\n", "line 2: subject must be a URI .*; got 'lakes'"),
        ("v.tsv", b"lakes\n", "line 1: subject must be a URI"),
        ("v.tsv", b"<u:1>\t\xff\n", "line 1: the line must be UTF-8"),
        ("v.csv", b"uri,label_en\nu:1,x\nlakes,y\n", "line 3: subject must be a URI"),
        ("v.csv", b"uri,label_en\n,y\n", "line 2: subject must be a URI .*; got ''"),
        ("v.csv", b"id,label_en\nu:1,x\n", "must have one column 'uri'; got the columns 'id', 'la"),
        (
            "v.csv",
            b"uri,label\nu:1,x\n",
            "must have a column 'label_xx', where xx is a language; g",
        ),
        ("v.csv", b"uri,label_en,label_en\nu:1,x,y\n", "language must be one of|got 2 columns"),
        ("v.csv", b"", "must have a header line"),
    ],
)
def test_load_annif_vocabulary_names_file_and_line(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_annif_vocabulary(tmp_path / name)
    assert name in str(error.value)
