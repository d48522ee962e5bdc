"""`load_texts` reads tables of texts and labels, and names the line of an error."""

import bz2
import csv
import gzip
import io
import json
import lzma

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skxmr.datasets import EXAMPLE_CSV, load_texts

COLUMNS = {"text": "text", "labels": "tags", "separator": ";"}
ROWS = [
    ("plain", ["a"]),
    ('quotes " and, commas', ["a", "b, c"]),
    ("two\r\nlines", []),
    ("", ["é", "ß"]),
    ("word " * 40_000, ["a"]),
]


def make_csv(rows, delimiter=",", line_end="\r\n"):
    """Return the bytes of a CSV file, and of a byte order mark before it."""
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, lineterminator=line_end)
    writer.writerow(["id", "text", "tags"])
    writer.writerows([number, text, ";".join(tags)] for number, (text, tags) in enumerate(rows))
    return b"\xef\xbb\xbf" + file.getvalue().encode()


def make_json(rows):
    """Return the bytes of a file of JSON lines; empty labels are null."""
    lines = [json.dumps({"text": text, "tags": tags or None}) for text, tags in rows]
    return "\n\n".join(lines).encode()


CONTENTS = {
    "a.csv": make_csv(ROWS),
    "a.csv.gz": gzip.compress(make_csv(ROWS, line_end="\n")),
    "a.CSV.bz2": bz2.compress(make_csv(ROWS)),
    "a.tsv": make_csv(ROWS, "\t"),
    "a.tab": make_csv(ROWS, "\t"),
    "a.jsonl": make_json(ROWS),
    "a.ndjson.gz": gzip.compress(make_json(ROWS)),
    "a.json.xz": lzma.compress(make_json(ROWS)),
}


@pytest.mark.parametrize("name", CONTENTS)
def test_load_texts_reads_every_format(tmp_path, name):
    (tmp_path / name).write_bytes(CONTENTS[name])
    texts, labels = load_texts(tmp_path / name, **COLUMNS)
    assert texts == [text for text, _ in ROWS]
    assert labels == [tags for _, tags in ROWS]


def test_load_texts_reads_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    texts = [text or None for text, _ in ROWS]
    table = pyarrow.table({"text": texts, "tags": [tags for _, tags in ROWS], "n": [1, 2, 3, 4, 5]})
    parquet.write_table(table, tmp_path / "a.parquet")
    result = load_texts(tmp_path / "a.parquet", **COLUMNS)
    assert result == ([text for text, _ in ROWS], [tags for _, tags in ROWS])
    assert load_texts(tmp_path / "a.parquet", text="text", labels="n").labels[1] == ["2"]
    with pytest.raises(ValueError, match=r"a.parquet, row 1: 'n' must be a string or null; got 1"):
        load_texts(tmp_path / "a.parquet", text="n")
    (tmp_path / "b.parquet").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"b.parquet must be a Parquet file; "):
        load_texts(tmp_path / "b.parquet", text="n")


def test_load_texts_names_the_remedy_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    (tmp_path / "a.parquet").touch()
    with pytest.raises(ImportError, match="pip install pyarrow"):
        load_texts(tmp_path / "a.parquet", text="text")


@given(
    st.lists(
        st.tuples(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
    )
)
def test_load_texts_reads_any_text(rows):
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    content = file.getvalue().encode()
    texts, _ = load_texts(io.BytesIO(content), text=["a", "b"], format="csv")
    assert texts == [f"{first} {second}" for first, second in rows]


def test_load_texts_joins_columns_and_strips_labels():
    content = b"a,b,c\nx,y, l ; m;; \nz,,\n"
    texts, labels = load_texts(
        io.BytesIO(content), text=["b", "a"], labels="c", separator=";", format="csv"
    )
    assert texts == ["y x", " z"]
    assert labels == [["l", "m"], []]
    assert load_texts(io.BytesIO(content), text="a", format="csv") == (["x", "z"], None)


def test_load_texts_reads_lists_and_numbers_in_json():
    content = b'{"t": "a", "l": [1, "two", " "]}\n{"t": null, "l": 7}\n{"t": "b", "l": "x;y"}\n'
    texts, labels = load_texts(io.BytesIO(content), text="t", labels="l", format="jsonl")
    assert texts == ["a", "", "b"]
    assert labels == [["1", "two"], ["7"], ["x;y"]]


def test_load_texts_skips_blank_lines_unless_there_is_one_column():
    assert load_texts(io.BytesIO(b"a,b\n\nx,y\n\n"), text="a", format="csv").texts == ["x"]
    assert load_texts(io.BytesIO(b"a\n\nx\n"), text="a", format="csv").texts == ["", "x"]


INVALID_FILES = [
    ("a.csv", b"", "a.csv must have a header line"),
    ("a.csv", b"text\nx\n", r"must have one column 'tags'; got the columns 'text'\."),
    ("a.csv", b"text;tags\nx;y\n", "separated by ';'; set delimiter to ';'"),
    ("a.csv", b"text,tags,tags\nx,y,z\n", "got 2 columns with this name"),
    (
        "a.csv",
        b"text,tags\nx,y\na,b,c\n",
        "line 3: the row must have 2 fields.*got 3. Put quot",
    ),
    ("a.csv", b'text,tags\n"x\ny",z\n\n"a"b,c\n', "line 5: closing quotes must be followed by"),
    ("a.csv", b'text,tags\nx,y\n"a,b\nc,d\n', "line 3: each quote must be closed"),
    ("a.csv", b"text,tags\rx,y\r", "line 1: lines must end with a line feed"),
    ("a.csv", b"text,tags\nx,\xe9\n", "line 2: the line must be UTF-8; got the byte 0xe9"),
    ("a.csv", "text,tags\n".encode("utf-16"), "must be in UTF-8; got UTF-16"),
    ("a.csv.gz", b"text,tags\n", "compressed data must be valid"),
    ("a.csv.gz", gzip.compress(b"text,tags\nx,y\n" * 99)[:-9], "compressed data must be compl"),
    ("a.jsonl", b'{"text": "a", "tags": null}\n[1]\n', r"line 2: the line must be.*got \[1\]"),
    (
        "a.jsonl",
        b'{"text": "a",}\n',
        "line 1: the line must be a JSON object; got '{.*: .*per line",
    ),
    (
        "a.json",
        b'{\n"text": "a"\n}',
        "line 1: .*; got '{': Expecting.* Write one JSON object per l",
    ),
    ("a.json", b'[{"text": "a"}]', r"line 1: .*; got \[.*\]. Write one JSON object per line"),
    ("a.jsonl", b'{"text": "a"}\n', "must have the field 'tags'; got the fields 'text'. Write"),
    ("a.jsonl", b'{"text": 1, "tags": []}\n', "line 1: 'text' must be a string or null; got 1"),
    ("a.jsonl", b'{"text": "a", "tags": [true]}', "'tags' must be a string, an integer, or"),
    ("a.jsonl", b'{"text": "a", "tags": 1.5}', "an integer, or a list of them; got 1.5"),
    ("a.jsonl", b"[" * 100_000, "line 1: the"),
    ("a.jsonl", b'{"text": ' + b"1" * 5000 + b"}", "line 1: the line must be a JSON object"),
    (
        "a.txt",
        b"text,tags\n",
        "format must be given for .*a.txt.*Set format to one of csv, jso",
    ),
    ("csv", b"text,tags\n", "format must be given"),
]


@pytest.mark.parametrize(
    ("name", "content", "message"), INVALID_FILES, ids=[case[2] for case in INVALID_FILES]
)
def test_load_texts_names_the_line_and_the_remedy(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_texts(tmp_path / name, **COLUMNS)
    assert name in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"text": 1}, "text must be the name of a column or a list of names; got 1"),
        ({"text": []}, "text must be"),
        ({"text": "a", "labels": ["b"]}, "labels must be the name of a column or None"),
        ({"text": "a", "separator": ""}, "separator must be a string or None; got ''"),
        ({"text": "a", "delimiter": ", "}, "delimiter must be one character or None"),
    ],
)
def test_load_texts_rejects_invalid_arguments_before_reading(arguments, message):
    with pytest.raises(TypeError, match=message):
        load_texts("no such file.csv", **arguments)
    with pytest.raises(ValueError, match="format must be one of csv, jsonl, parquet, tsv; got 'x'"):
        load_texts("no such file.csv", text="a", format="x")
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_texts("no such file.csv", text="a")


def test_load_texts_warns_about_separators():
    joined = b"t,l\na,x;y\nb,y;z\nc,x;z\n"
    with pytest.warns(UserWarning, match=r"joined by ';', such as 'x;y'.* Set separator to ';'"):
        load_texts(io.BytesIO(joined), text="t", labels="l", format="csv")
    alone = b"t,l\na,x\nb,y\n"
    with pytest.warns(UserWarning, match=r"no row has several labels separated by '\|'"):
        load_texts(io.BytesIO(alone), text="t", labels="l", format="csv", separator="|")
    load_texts(io.BytesIO(joined), text="t", labels="l", format="csv", separator=";")
    load_texts(io.BytesIO(alone), text="t", labels="l", format="csv")


def test_example_csv_has_texts_and_labels():
    texts, labels = load_texts(
        EXAMPLE_CSV, text=["word", "definition"], labels="topics", separator=";"
    )
    assert len(texts) == 3000
    assert len({label for row in labels for label in row}) == 192
    row = texts.index("hoe a tool with a flat blade attached at right angles to a long handle")
    assert labels[row] == ["tool"]
