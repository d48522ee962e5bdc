"""Text format of the Extreme Classification Repository: exact round trips, errors with a place."""

import bz2
import gzip
import io
import lzma
import os
import threading

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import dump_svmlight_file, load_svmlight_file

from skxmr import XRLinearClassifier
from skxmr.datasets import _xmc_format, dump_xmc_file, load_xmc_file

SMALL = b"3 4 3\n0,2 1:0.5 3:1\n \n 0:2\n"
SMALL_X = [[0, 0.5, 0, 1], [0, 0, 0, 0], [2, 0, 0, 0]]
SMALL_Y = [[1, 0, 1], [0, 0, 0], [0, 0, 0]]


def load(content, **kwargs):
    return load_xmc_file(io.BytesIO(content), **kwargs)


def dump(X, Y):
    file = io.BytesIO()
    dump_xmc_file(X, Y, file)
    return file.getvalue()


def assert_equal_csr(matrix, expected):
    """Compare all stored entries exactly, including zeros and their signs."""
    assert matrix.shape == expected.shape
    np.testing.assert_array_equal(matrix.indptr, expected.indptr)
    np.testing.assert_array_equal(matrix.indices, expected.indices)
    np.testing.assert_array_equal(matrix.data, expected.data)
    np.testing.assert_array_equal(np.signbit(matrix.data), np.signbit(expected.data))


@st.composite
def data_sets(draw):
    n_samples = draw(st.integers(0, 6))
    n_features, n_labels = draw(st.integers(0, 8)), draw(st.integers(1, 5))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    values = st.floats(
        width=32 if dtype == np.float32 else 64, allow_nan=False, allow_infinity=False
    )

    def rows(n_columns, entry):
        row = st.dictionaries(st.integers(0, n_columns - 1), entry) if n_columns else st.just({})
        dicts = draw(st.lists(row, min_size=n_samples, max_size=n_samples))
        return [sorted(row.items()) for row in dicts]

    def csr(rows, n_columns, dtype):
        index = draw(st.sampled_from([np.int32, np.int64]))
        container = draw(st.sampled_from([sp.csr_array, sp.csr_matrix]))
        matrix = container((len(rows), n_columns), dtype=dtype)
        matrix.data = np.array([value for row in rows for _, value in row], dtype=dtype)
        matrix.indices = np.array([column for row in rows for column, _ in row], dtype=index)
        matrix.indptr = np.cumsum([0, *map(len, rows)], dtype=index)
        return matrix

    X = csr(rows(n_features, values), n_features, dtype)
    return X, csr(rows(n_labels, st.just(1)), n_labels, np.int32)


@given(data_sets())
def test_dump_and_load_round_trip_is_exact(data_set):
    X, Y = data_set
    X_again, Y_again = load(dump(X, Y), dtype=X.dtype)
    assert X_again.dtype == X.dtype
    assert Y_again.dtype == np.int32
    assert_equal_csr(X_again, X)
    assert_equal_csr(Y_again, Y)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_load_rounds_short_decimals_to_float32(value):
    # Other programs write the shortest text that identifies a float32.
    text = str(np.float32(value)).encode()
    X, _ = load(b"1 1 1\n0 0:%s\n" % text)
    assert X.data[0] == np.float32(value)


def test_dump_writes_documented_format():
    Y = sp.csr_array(SMALL_Y)
    assert dump(sp.csr_array(SMALL_X), Y) == SMALL
    assert dump(sp.csc_array(SMALL_X), Y.tocoo()) == SMALL
    assert dump(np.array(SMALL_X), np.array(SMALL_Y, dtype=bool)) == SMALL
    # float32 values have 9 digits instead of the 17 of a double.
    assert dump(np.float32([[0.1]]), [[1]]) == b"1 1 1\n0 0:0.100000001\n"


def test_load_reads_documented_format():
    X, Y = load(SMALL)
    assert X.format == Y.format == "csr"
    assert X.dtype == np.float32
    np.testing.assert_array_equal(X.toarray(), SMALL_X)
    np.testing.assert_array_equal(Y.toarray(), SMALL_Y)
    assert load(SMALL, dtype=np.float64)[0].dtype == np.float64


def test_dump_writes_large_integers_exactly():
    X = np.array([[2**24 + 1, -3]])
    assert dump(X, [[1]]) == b"1 2 1\n0 0:16777217 1:-3\n"


def test_dump_and_load_sort_and_merge_entries():
    X = sp.csr_array((np.float32([1, 2, 4]), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 3))
    Y = sp.csr_array((np.ones(2, int), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    assert dump(X, Y) == b"1 3 2\n0,1 0:2 2:5\n"
    np.testing.assert_array_equal(X.indices, [2, 0, 2])  # the matrix of the caller is unchanged
    X, Y = load(b"1 3 3\n2,0,2 2:5 0:2\n")
    np.testing.assert_array_equal(X.indices, [0, 2])
    np.testing.assert_array_equal(X.data, [2, 5])
    np.testing.assert_array_equal(Y.indices, [0, 2])
    np.testing.assert_array_equal(Y.data, [1, 1])


@pytest.mark.parametrize(
    "content",
    [
        b"3 4 3\r\n0,2 1:0.5 3:1\r\n \r\n 0:2\r\n",  # from Windows
        b"3 4 3\n0,2 1:0.5 3:1\n\n 0:2",  # without trailing white space
        b"3 4 3\n0,2\t1:0.5  3:1.0 \n \n0:2\n\n\n",  # no space before features, blank lines after
        b" 3  4 3 \n0,2 1:5e-1 3:1\n  \n  0:+2\n",
    ],
)
def test_load_accepts_variants_of_white_space(content):
    X, Y = load(content)
    np.testing.assert_array_equal(X.toarray(), SMALL_X)
    np.testing.assert_array_equal(Y.toarray(), SMALL_Y)


def test_load_and_dump_agree_with_svmlight_functions():
    rng = np.random.default_rng(0)
    X = sp.random_array((50, 30), density=0.2, format="csr", dtype=np.float32, rng=rng)
    Y = rng.random((50, 8)) < 0.3
    Y[:, 0] = True
    Y = sp.csr_array(Y.astype(int))
    content = dump(X, Y)
    svmlight_X, labels = load_svmlight_file(
        io.BytesIO(content), n_features=30, dtype=np.float32, multilabel=True, offset=1
    )
    assert_equal_csr(sp.csr_array(svmlight_X), X)
    assert [list(map(int, row)) for row in labels] == [
        row.nonzero()[0].tolist() for row in Y.toarray()
    ]
    file = io.BytesIO(b"50 30 8\n")
    file.seek(0, os.SEEK_END)
    dump_svmlight_file(X, Y, file, multilabel=True)
    X_again, Y_again = load(file.getvalue())
    assert_equal_csr(X_again, X)
    np.testing.assert_array_equal(Y_again.toarray(), Y.toarray())


@pytest.mark.parametrize(
    ("name", "decompress"),
    [
        ("data.txt", bytes),
        ("data.txt.gz", gzip.decompress),
        ("data.bz2", bz2.decompress),
        ("data.xz", lzma.decompress),
    ],
)
@pytest.mark.parametrize("as_path", [True, False])
def test_paths_are_compressed_by_extension(tmp_path, name, decompress, as_path):
    path = tmp_path / name if as_path else str(tmp_path / name)
    dump_xmc_file(SMALL_X, SMALL_Y, path)
    content = (tmp_path / name).read_bytes()
    assert decompress(content) == SMALL
    X, Y = load_xmc_file(path)
    np.testing.assert_array_equal(X.toarray(), SMALL_X)
    np.testing.assert_array_equal(Y.toarray(), SMALL_Y)
    # A second file has equal bytes, and no temporary file is left.
    dump_xmc_file(SMALL_X, SMALL_Y, tmp_path / f"again-{name}")
    assert (tmp_path / f"again-{name}").read_bytes() == content
    assert sorted(os.listdir(tmp_path)) == sorted([name, f"again-{name}"])


def test_file_objects_and_descriptors_are_not_closed(tmp_path):
    with open(tmp_path / "a", "wb") as file:
        dump_xmc_file(SMALL_X, SMALL_Y, file)
        file.write(b"more")
    assert (tmp_path / "a").read_bytes() == SMALL + b"more"
    with open(tmp_path / "b", "wb") as file:
        dump_xmc_file(SMALL_X, SMALL_Y, file.fileno())
    with open(tmp_path / "b", "rb") as file:
        X, _ = load_xmc_file(file.fileno())
        assert not file.closed
    np.testing.assert_array_equal(X.toarray(), SMALL_X)


def test_dump_writes_several_blocks(monkeypatch):
    monkeypatch.setattr(_xmc_format, "_ROWS_PER_WRITE", 3)
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.integers(0, 3, (20, 5)).astype(np.float32))
    Y = sp.csr_array(rng.integers(0, 2, (20, 4)))
    X_again, Y_again = load(dump(X, Y))
    assert_equal_csr(X_again, X)
    np.testing.assert_array_equal(Y_again.toarray(), Y.toarray())


def test_failed_dump_keeps_previous_file(tmp_path, monkeypatch):
    path = tmp_path / "data.txt.gz"
    dump_xmc_file(SMALL_X, SMALL_Y, path)
    before = path.read_bytes()

    def fail(X, Y, start, stop):
        raise OSError("disk full")

    monkeypatch.setattr(_xmc_format, "_format_rows", fail)
    with pytest.raises(OSError, match="disk full"):
        dump_xmc_file([[1]], [[1]], path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["data.txt.gz"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_dump_keeps_links_and_pipes(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "data.txt")
    dump_xmc_file(SMALL_X, SMALL_Y, tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "data.txt").read_bytes() == SMALL
    os.mkfifo(tmp_path / "pipe")
    received = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    dump_xmc_file(SMALL_X, SMALL_Y, tmp_path / "pipe")
    reader.join(timeout=10)
    assert received == [SMALL]
    assert (tmp_path / "pipe").is_fifo()


def test_container_follows_sparse_interface_of_scikit_learn():
    if "sparse_interface" not in sklearn.get_config():
        pytest.skip("this version of scikit-learn has no option sparse_interface")
    for interface, container in [("sparray", sp.csr_array), ("spmatrix", sp.csr_matrix)]:
        with sklearn.config_context(sparse_interface=interface):
            assert [type(matrix) for matrix in load(SMALL)] == [container, container]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "must have a header line .* or a row; got no line"),
        (b"# comment\n", "must have a header line .* or a row; got no line"),
        (b"3 4 x\n", "line 1: row must be .*; got '3 4 x'. A header line must be 'n_samples n_f"),
        (b"3 -4 3\n", "line 1: row must be .* A header line must be"),
        (b"1_0 4 3\n", "line 1: row must be .* A header line must be"),
        (b"# a\n\xff\n", r"line 2: row must be .*; got .*xff.* A header line must be"),
        (b"0 1:1\n0 1:x\n", "line 2: row must be .*; got '0 1:x'.$"),
        (b"0 1:1 %s\n" % (b"2:2:" * 99), r"got '0 1:1 2:2:.*\.\.\.'"),
        (b"1" + b"0" * 5000 + b" 4 3\n", "line 1: sizes in the header must be at most 9223372036"),
        (b"1 9223372036854775808 3\n", "line 1: sizes in the header must be at most 9223372036"),
        (b"1 4 3\n1%s 1:1\n" % (b"0" * 5000), "line 2: row must be"),
        (b"0 1:1\n1000000000000000000 1:1\n", "line 2: label must be .* less than 2147483647; got"),
        (b"0 1000000000000000000:1\n", "line 1: feature must be .* less than 2147483647; got 1"),
        (b"2 4 3\n# a\n0 1:1\n0 2:x\n", "line 4: row must be"),
        (b"2 4 3\n# a\n0 3:1\n# b\n# c\n1 1:1 1:2\n", "line 6: features must be distinct; got"),
        (b"# a\n0 3:1\n# b\n\n# c\n1 1:nan\n# d", "line 6: values must be finite in float32"),
        (b"# a\n3 4 3\n# b\n0 1:1\n1 1:1\n# c", "number of rows must be 3, .* got 2, up to line 5"),
        (b"1 4\n2 1:1\n", "line 2: row must have no labels, as in the header; got label 2"),
        (b"\xff\xfe1\x00", "must be in UTF-8; got UTF-16"),
        (b"3 4 3\n0 1:1\n1 1:1\n", "number of rows must be 3, .*; got 2, up to line 3"),
        (b"1 4 3\n0 1:1\n1 1:1\n", "line 3: number of rows must be 1, .*; got another row"),
        (b"2 4 3\n0 1:1\n3 1:1\n", "line 3: label must be at least 0 and less than 3; got 3"),
        (b"1 4 3\n-1 1:1\n", "line 2: label must be .*; got -1"),
        (b"2 4 3\n\n0 4:1\n", "line 3: feature must be at least 0 and less than 4; got 4"),
        (b"1 4 3\n0 -1:1\n", "line 2: feature must be .*; got -1"),
        (b"1 4 3\n0 1\n", "line 2: row must be 'label,label,... feature:value"),
        (b"1 4 3\n0 1:\n", "line 2: row must be 'label"),
        (b"1 4 3\n0 :1\n", "line 2: row must be 'label"),
        (b"1 4 3\n0 1:2:3 2\n", "line 2: row must be 'label"),
        (b"1 4 3\n0 1 2:3:4\n", "line 2: row must be 'label"),
        (b"1 4 3\n0 1:2 3:x\n", "line 2: row must be 'label.*; got '0 1:2 3:x'"),
        (b"1 4 3\n0 1.5:2\n", "line 2: row must be 'label"),
        (b"1 4 3\n0 1:1_0\n", "line 2: row must be 'label"),
        (b"1 40 3\n0 1_0:1\n", "line 2: row must be 'label"),
        (b"1 4 30\n1_0 1:1\n", "line 2: row must be 'label"),
        (b"1 4 3\n0,,1 1:1\n", "line 2: row must be 'label"),
        (b"1 4 3\n0.0 1:1\n", "line 2: row must be 'label"),
        (b"1 4 3\n0 1:1 ; comment\n", "line 2: row must be 'label"),
        (b"2 4 3\n0 3:1\n1 1:1 1:2\n", "line 3: features must be distinct; got feature 1 twice"),
        (b"2 4 3\n0 3:1\n1 1:nan\n", "line 3: values must be finite in float32; got nan"),
        (b"2 4 3\n0 3:1\n1 1:1e39\n", "line 3: values must be finite in float32; got inf"),
    ],
)
def test_load_raises_error_with_file_line_and_content(tmp_path, content, message):
    path = tmp_path / "broken.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_xmc_file(path)
    assert str(path) in str(error.value)


def test_load_accepts_equal_features_in_consecutive_rows():
    X, _ = load(b"4 4 1\n0 3:1\n0 3:1\n\n0 3:1\n")
    np.testing.assert_array_equal(X.indices, [3, 3, 3])


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_load_raises_for_truncated_compressed_file(suffix, tmp_path):
    path = tmp_path / f"data{suffix}"
    rng = np.random.default_rng(0)
    dump_xmc_file(rng.random((50, 20)), np.ones((50, 1)), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ValueError, match=r"data.*: compressed data must be compl.* after line \d+"):
        load_xmc_file(path)


@pytest.mark.parametrize(
    "content",
    [
        SMALL.split(b"\n", 1)[1],  # no header
        b"\xef\xbb\xbf" + SMALL,  # byte order mark
        b"# LIBSVM\n" + SMALL,
        b"3 4 3 # sizes\n0,2 1:0.5 3:1 # a\n  # b\n \n 0:2#c\n",
        b"0,2 1:0.5 3:1\n# two rows without labels\n\n#\n0:2\n\n#\n",
    ],
)
def test_load_detects_header_and_skips_comments(content):
    X, Y = load(content)
    np.testing.assert_array_equal(X.toarray(), SMALL_X)
    np.testing.assert_array_equal(Y.toarray(), SMALL_Y)


def test_load_reads_file_of_one_matrix():
    X, Y = load(b"3 4\n1:0.5 3:1\n\n0:2\n")
    np.testing.assert_array_equal(X.toarray(), SMALL_X)
    assert Y.shape == (3, 0)
    # Such a file of labels is an indicator that can be fitted.
    targets, _ = load(b"3 4\n1:1 3:1\n\n0:1.00000\n")
    model = XRLinearClassifier(random_state=0).fit(X, targets)
    expected = XRLinearClassifier(random_state=0).fit(X, targets.toarray().astype(int))
    np.testing.assert_array_equal(model.predict_topk(X, k=4), expected.predict_topk(X, k=4))


def test_load_reads_indices_from_one():
    body = b"0,2 2:0.5 4:1\n \n 1:2\n"
    for content, header in [(body, None), (b"3 4 3\n" + body, None), (body, (3, 4, 3))]:
        X, Y = load(content, header=header, zero_based=False)
        np.testing.assert_array_equal(X.toarray(), SMALL_X)
        np.testing.assert_array_equal(Y.toarray(), SMALL_Y)
    with pytest.raises(ValueError, match="line 2: feature must be at least 1 and less than 5; got"):
        load(b"1 4 3\n0 5:1\n", zero_based=False)
    with pytest.raises(ValueError, match="line 1: feature must be at least 1 .*; got 0"):
        load(b"0 0:1\n", zero_based=False)
    with pytest.raises(ValueError, match="line 1: features must be distinct; got feature 3 twice"):
        load(b"0 3:1 3:2\n", zero_based=False)
    with pytest.raises(TypeError, match="zero_based must be True or False; got 'auto'"):
        load(body, zero_based="auto")


def test_load_agrees_with_svmlight_functions_without_header():
    rng = np.random.default_rng(0)
    X = sp.random_array((30, 9), density=0.3, format="csr", dtype=np.float32, rng=rng)
    Y = sp.csr_array((rng.random((30, 5)) < 0.4).astype(int))
    for zero_based in (True, False):
        file = io.BytesIO()
        dump_svmlight_file(X, Y, file, multilabel=True, zero_based=zero_based, comment="a comment")
        X_again, Y_again = load(file.getvalue(), zero_based=zero_based, header=(30, 9, 5))
        assert_equal_csr(X_again, X)
        np.testing.assert_array_equal(Y_again.toarray(), Y.toarray())


def test_load_accepts_file_without_header():
    body = SMALL.split(b"\n", 1)[1]
    X, Y = load(body, header=(3, 4, 3))
    np.testing.assert_array_equal(X.toarray(), SMALL_X)
    np.testing.assert_array_equal(Y.toarray(), SMALL_Y)
    assert [matrix.shape for matrix in load(body, header=(None, None, None))] == [(3, 4), (3, 3)]
    assert [matrix.shape for matrix in load(body, header=[None, 9, 7])] == [(3, 9), (3, 7)]
    assert [matrix.shape for matrix in load(b"", header=(None, None, None))] == [(0, 0), (0, 0)]
    with pytest.raises(ValueError, match="line 1: label must be .*; got 2"):
        load(body, header=(None, None, 2))
    with pytest.raises(ValueError, match="got 3, up to line 3"):
        load(body, header=(4, 4, 3))
    with pytest.raises(ValueError, match="line 1: feature must be .*; got 9223372036854775807"):
        load(b"0 9223372036854775807:1\n", header=(None, None, None))


@pytest.mark.parametrize("header", [(3, 4), "3 4 3", (3, 4, -1), (3, 4, 3.0), 3, (2**63, 4, 3)])
def test_load_raises_for_invalid_header(header):
    with pytest.raises(ValueError, match="header must be None or a tuple .*; got"):
        load(SMALL, header=header)


def test_load_and_dump_raise_for_invalid_arguments(tmp_path):
    with pytest.raises(ValueError, match=r"dtype must be np\.float32 or np\.float64; got int32"):
        load(SMALL, dtype=np.int32)
    for path in (None, 1.5, True):
        with pytest.raises(TypeError, match="path must be a str, a path, a readable file object"):
            load_xmc_file(path)
        with pytest.raises(TypeError, match="path must be a str, a path, a writable file object"):
            dump_xmc_file([[1]], [[1]], path)
    with pytest.raises(TypeError, match="binary mode; got text mode"):
        load_xmc_file(io.StringIO("1 1 1"))
    with pytest.raises(FileNotFoundError):
        load_xmc_file(tmp_path / "nowhere")
    path = tmp_path / "unwritten"
    with pytest.raises(ValueError, match="X and Y must have the same number of rows; got 1 and 2"):
        dump_xmc_file([[1]], [[1], [0]], path)
    with pytest.raises(ValueError, match=r"Y must be an indicator of 0 and 1; got the value .*2"):
        dump_xmc_file([[1]], [[2]], path)
    with pytest.raises(ValueError, match=r"Y must be an indicator of shape .*; got shape \(1,\)"):
        dump_xmc_file([[1]], [1], path)
    with pytest.raises(ValueError, match="X contains NaN"):
        dump_xmc_file([[np.nan]], [[1]], path)
    assert not path.exists()


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_load_raises_value_error_with_the_name_of_a_damaged_file(suffix, tmp_path):
    path = tmp_path / f"data.txt{suffix}"
    rng = np.random.default_rng(0)
    dump_xmc_file(rng.random((300, 20)), rng.random((300, 9)) < 0.3, path)
    content = bytearray(path.read_bytes())
    content[2000:2040] = bytes(40)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"data\.txt\{suffix}: compressed data must be valid"):
        load_xmc_file(path)
    path.write_bytes(b"1 2 2\n0 1:1\n")  # not compressed
    with pytest.raises(ValueError, match=rf"data\.txt\{suffix}: compressed data must be valid"):
        load_xmc_file(path)


@pytest.mark.parametrize("end", [b"", b"\n", b"\n \n\n"])
def test_load_without_number_of_rows_ignores_blank_lines_at_the_end(end):
    text = b"0 1:1\n\n1 0:1\n" + end
    X, Y = load_xmc_file(io.BytesIO(text), header=(None, 2, 2))
    assert X.toarray().tolist() == [[0, 1], [0, 0], [1, 0]]
    assert Y.toarray().tolist() == [[1, 0], [0, 0], [0, 1]]


@pytest.mark.parametrize("format", ["lil", "dok", "bsr", "dia"])
def test_dump_accepts_sparse_labels_in_any_format(format):
    X, Y = np.eye(3), sp.csr_array(np.eye(3, 4, k=1, dtype=np.int8))
    files = [io.BytesIO(), io.BytesIO()]
    for file, labels in zip(files, (Y, Y.asformat(format)), strict=True):
        dump_xmc_file(X, labels, file)
    assert files[0].getvalue() == files[1].getvalue()
