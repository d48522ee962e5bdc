"""Raw texts and filter files of the Extreme Classification Repository."""

import gzip
import io
import json
import tracemalloc

import numpy as np
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st

from skxmr import make_text_classifier
from skxmr.datasets import load_texts, load_xmc_filter, load_xmc_texts
from skxmr.metrics import precision_at_k

ROWS = [
    {"uid": "a", "title": "Go", "content": "A game", "target_ind": [3, 0], "target_rel": [1.0, 1]},
    {"uid": "b", "title": "Lake", "content": "", "target_ind": [], "target_rel": []},
    {"uid": "c", "title": "Sea", "content": None, "target_ind": [1, 1], "target_rel": [1.0, 1.0]},
    {"uid": "d", "content": "no title", "target_ind": [2]},
]
TEXTS = ["Go A game", "Lake", "Sea", "no title"]
LABELS = [{"uid": str(i), "title": title} for i, title in enumerate(["x", "é", "", "x", "z"])]
Y = [[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]]


def to_lines(records):
    return "".join(json.dumps(record) + "\n" for record in records).encode()


def load(content, labels=None, **kwargs):
    label_file = None if labels is None else io.BytesIO(labels)
    return load_xmc_texts(io.BytesIO(content), label_file, **kwargs)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_load_xmc_texts_reads_texts_labels_and_titles(tmp_path, suffix):
    compress = gzip.compress if suffix else bytes
    (tmp_path / f"trn.json{suffix}").write_bytes(compress(to_lines(ROWS)))
    (tmp_path / f"lbl.json{suffix}").write_bytes(compress(to_lines(LABELS)))
    result = load_xmc_texts(tmp_path / f"trn.json{suffix}", str(tmp_path / f"lbl.json{suffix}"))
    assert result.texts == TEXTS
    assert result.label_titles == ["x", "é", "", "x", "z"]
    assert result.Y.format == "csr"
    assert result.Y.dtype == np.int32
    np.testing.assert_array_equal(result.Y.toarray(), Y)
    # The name of the file is enough for `load_texts`, too.
    texts, labels = load_texts(tmp_path / f"trn.json{suffix}", text="content", labels="target_ind")
    assert texts == ["A game", "", "", "no title"]
    assert labels[0] == ["3", "0"]


def test_load_xmc_texts_takes_number_of_labels_from_file_or_argument():
    content = to_lines(ROWS)
    result = load(content)
    assert result.label_titles is None
    np.testing.assert_array_equal(result.Y.toarray(), np.array(Y)[:, :4])
    np.testing.assert_array_equal(load(content, n_labels=5).Y.toarray(), Y)
    assert load(b"", n_labels=5).Y.shape == (0, 5)
    assert load(b"").Y.shape == (0, 0)
    assert load(to_lines(ROWS[1:2]), b"").Y.shape == (1, 0)
    # A large number of labels takes no memory.
    huge = load(b'{"title": "", "target_ind": [999999999999999999]}', n_labels=10**18)
    assert huge.Y.shape == (1, 10**18)
    assert huge.Y.nnz == 1


def test_load_xmc_texts_joins_fields():
    assert load(to_lines(ROWS[:1]), text=["content", "uid"]).texts == ["A game a"]
    assert load(to_lines(ROWS[:3]), text="title").texts == ["Go", "Lake", "Sea"]


def test_load_xmc_texts_fits_a_classifier():
    model = make_text_classifier(random_state=0)
    texts, indicator, titles = load(to_lines(ROWS * 5), to_lines(LABELS))
    model.fit(texts, indicator)
    labels, _ = model.predict_topk(["a game"], k=1)
    assert titles[labels[0, 0]] == "x"


def test_load_xmc_texts_container_follows_sparse_interface_of_scikit_learn():
    if "sparse_interface" not in sklearn.get_config():
        pytest.skip("this version of scikit-learn has no option sparse_interface")
    for interface, name in [("sparray", "csr_array"), ("spmatrix", "csr_matrix")]:
        with sklearn.config_context(sparse_interface=interface):
            matrices = [load(to_lines(ROWS)).Y, load_xmc_filter(io.BytesIO(b"0 1"), (2, 2))]
        assert [type(matrix).__name__ for matrix in matrices] == [name, name]


def test_load_xmc_texts_does_not_keep_the_file_in_memory(tmp_path):
    record = {"title": "t", "content": "word " * 4000, "target_ind": [1]}
    with gzip.open(tmp_path / "trn.json.gz", "wb", compresslevel=1) as file:
        for _ in range(1000):
            file.write(to_lines([record]))
    tracemalloc.start()
    try:
        load_xmc_texts(tmp_path / "trn.json.gz", text="title")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20  # the file has 20 MB


INVALID_TEXTS = [
    (b"[1]", r"line 1: the line must be a JSON object; got \[1\]"),
    (b'{"title": "a", "target_ind": []}\n{"uid": "a"}', "line 2: .* a field of 'title', 'content'"),
    (b'{"title": 1, "target_ind": []}', "line 1: 'title' must be a string or null; got 1"),
    (b'{"title": "a"}', "line 1: .* a field 'target_ind' with a list of labels; got None"),
    (b'{"title": "a", "target_ind": 1}', "a list of labels; got 1"),
    (b'{"title": "a", "target_ind": [1.0]}', "less than 2147483647; got 1.0"),
    (b'{"title": "a", "target_ind": [true]}', "got True"),
    (b'{"title": "a", "target_ind": ["1"]}', "got '1'"),
    (b'{"title": "a", "target_ind": [null]}', "got None"),
    (b'{"title": "a", "target_ind": [-1]}', "at least 0 and less than .*; got -1"),
    (b'{"title": "a", "target_ind": [1000000000000000000]}', "got 1000000000000000000"),
    (b'{"title": "a", "target_ind": [%s]}' % (b"1" * 4000), r"got 1{60}\.\.\."),
    (b'{"title": "a", "target_ind": [%s]}' % (b"1" * 5000), "must be a JSON object; got .*digits"),
    (b'{"title": "a", "target_ind": %s' % (b"[" * 100_000), "must not be nested so deeply|must be"),
    (b'{"title": "\xe9", "target_ind": []}', "line 1: the line must be UTF-8; got the byte 0xe9"),
]


@pytest.mark.parametrize(
    ("content", "message"), INVALID_TEXTS, ids=[case[1] for case in INVALID_TEXTS]
)
def test_load_xmc_texts_names_file_and_line(tmp_path, content, message):
    (tmp_path / "trn.json").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_xmc_texts(tmp_path / "trn.json")
    assert "trn.json, line " in str(error.value)


def test_load_xmc_texts_rejects_labels_outside_of_the_label_file(tmp_path):
    (tmp_path / "trn.json").write_bytes(to_lines(ROWS))
    (tmp_path / "lbl.json").write_bytes(to_lines(LABELS[:3]))
    with pytest.raises(ValueError, match=r"trn.json, line 1: .* less than 3; got 3"):
        load_xmc_texts(tmp_path / "trn.json", tmp_path / "lbl.json")
    with pytest.raises(ValueError, match="less than 2; got 3"):
        load_xmc_texts(tmp_path / "trn.json", n_labels=2)
    (tmp_path / "lbl.json").write_bytes(to_lines([*LABELS, {"uid": "a"}]))
    with pytest.raises(ValueError, match=r"lbl.json, line 6: .* must have a field of 'title'; got"):
        load_xmc_texts(tmp_path / "trn.json", tmp_path / "lbl.json")


def test_load_xmc_texts_rejects_invalid_arguments():
    with pytest.raises(ValueError, match="n_labels must be None if label_path is given; got 3"):
        load(b"", b"", n_labels=3)
    for n_labels in (-1, 2.0, True, 2**63):
        with pytest.raises(ValueError, match="n_labels must be a nonnegative int or None; got"):
            load(b"", n_labels=n_labels)
    for text in (1, [], [1]):
        with pytest.raises(TypeError, match="text must be the name of a column or a list"):
            load(b"", text=text)
    with pytest.raises(TypeError, match="path must be"):
        load_xmc_texts(None)


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(st.tuples(st.integers(0, 4), st.integers(0, n - 1))).map(
            lambda pairs: (n, pairs)
        )
    )
)
def test_load_xmc_filter_reads_pairs(case):
    n_labels, pairs = case
    content = "".join(f"{row} {label}\n" for row, label in pairs).encode()
    expected = np.zeros((5, n_labels), dtype=np.int32)
    for row, label in pairs:
        expected[row, label] = 1
    result = load_xmc_filter(io.BytesIO(content), (5, n_labels))
    assert result.format == "csr"
    assert result.has_sorted_indices
    assert result.dtype == np.int32
    np.testing.assert_array_equal(result.toarray(), expected)


def test_load_xmc_filter_removes_pairs_from_a_metric(tmp_path):
    (tmp_path / "filter.txt.gz").write_bytes(gzip.compress(b"\xef\xbb\xbf0\t1 \r\n\n 2 0\n"))
    y_true = np.array([[1, 0, 0], [0, 1, 0], [1, 0, 1]])
    y_score = np.array([[0.5, 0.9, 0.1], [0.1, 0.9, 0.2], [0.9, 0.8, 0.7]])
    ignore = load_xmc_filter(tmp_path / "filter.txt.gz", y_true.shape)
    np.testing.assert_array_equal(ignore.toarray(), [[0, 1, 0], [0, 0, 0], [1, 0, 0]])
    assert precision_at_k(y_true, y_score, k=1, ignore=ignore) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"0 1\n0\n", "line 2: line must be 'row label', two integers; got '0'"),
        (b"0 1 2\n", "line 1: line must be 'row label'"),
        (b"0,1\n", "line 1: line must be 'row label', two integers; got '0,1'"),
        (b"0 1_0\n", "line must be 'row label'"),
        (b"0 1.0\n", "line must be 'row label'"),
        (b"0 \xff\n", "line must be 'row label'"),
        (b"0 %s\n" % (b"1" * 5000), r"line must be 'row label', two integers; got '0 1+\.\.\."),
        (b"-1 0\n", "line 1: row must be at least 0 and less than 3; got -1"),
        (b"3 0\n", "line 1: row must be at least 0 and less than 3; got 3. The file must belong"),
        (
            b"0 1\n0 1000000000000000000\n",
            "line 2: label must be at least 0 and less than 2; got 1",
        ),
    ],
)
def test_load_xmc_filter_names_file_and_line(tmp_path, content, message):
    (tmp_path / "filter.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_xmc_filter(tmp_path / "filter.txt", (3, 2))
    assert "filter.txt, line" in str(error.value)


@pytest.mark.parametrize("shape", [None, 3, (3,), (3, -1), (3, 2.0), "ab"])
def test_load_xmc_filter_rejects_invalid_shapes(shape):
    with pytest.raises(
        ValueError, match=r"shape must be a tuple \(n_samples, n_labels\) of nonneg"
    ):
        load_xmc_filter(io.BytesIO(b""), shape)
