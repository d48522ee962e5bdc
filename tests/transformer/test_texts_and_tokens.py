"""What is refused of texts, and how they become batches."""

import numpy as np
import pandas as pd
import pytest

from skxmr.transformer._texts import check_texts
from skxmr.transformer._tokens import TokenRows, batches_by_length, shuffled_batches


@pytest.mark.parametrize(
    "texts",
    [
        ["a", ""],
        ("a", ""),
        np.array(["a", ""]),
        np.array(["a", ""], dtype=object),
        pd.Series(["a", ""], index=[7, 3]),
        pd.Series(["a", ""], dtype="string"),
    ],
)
def test_sequences_of_strings(texts):
    rows = check_texts(texts)
    assert rows == ["a", ""]
    assert {type(row) for row in rows} == {str}


@pytest.mark.parametrize("wrong", [None, b"a", 3, 2.5, float("nan"), pd.NA, ["a"]], ids=repr)
def test_anything_else_is_named(wrong):
    with pytest.raises(ValueError, match=r"queries\[1\] is .*" + type(wrong).__name__):
        check_texts(["a", wrong], "queries")


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        ("a text", "lone str"),
        (b"bytes", "lone bytes"),
        (np.array([["a"], ["b"]]), "1-D"),
        (np.array("a"), "1-D"),
        (pd.DataFrame({"text": ["a"]}), "1-D"),
        (3, "sequence of strings"),
        ([], "at least 1"),
        ({"a", "b"}, "no order"),
        ({"a": 1}, "no order"),
        (["a", "b \ud800"], r"texts\[1\] has half of a surrogate pair at place 2"),
    ],
)
def test_what_is_no_column_of_strings(texts, why):
    with pytest.raises(ValueError, match=why):
        check_texts(texts)


def ragged(lengths):
    rng = np.random.default_rng(0)
    rows = [rng.integers(1, 99, n).astype(np.int32) for n in lengths]
    return TokenRows(np.concatenate([[0], np.cumsum(lengths)]), np.concatenate(rows)), rows


def test_padding():
    tokens, rows = ragged([3, 1, 5, 2])
    ids, mask = tokens.padded(np.array([3, 0]), 77)
    assert ids.shape == mask.shape == (2, 3)
    np.testing.assert_array_equal(ids[0], [*rows[3], 77])
    np.testing.assert_array_equal(ids[1], rows[0])
    np.testing.assert_array_equal(mask, [[1, 1, 0], [1, 1, 1]])


def test_batches_have_every_row_once_and_little_padding():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 50, 1003)
    rows = np.flatnonzero(rng.random(1003) < 0.9)
    batches = shuffled_batches(rows, lengths, 8, np.random.default_rng(1))
    np.testing.assert_array_equal(np.sort(np.concatenate(batches)), rows)
    assert max(map(len, batches)) == 8
    padded = sum(len(batch) * lengths[batch].max() for batch in batches)
    assert padded < 1.1 * lengths[rows].sum()
    means = [lengths[batch].mean() for batch in batches]
    assert means != sorted(means)
    again = shuffled_batches(rows, lengths, 8, np.random.default_rng(1))
    assert all(np.array_equal(a, b) for a, b in zip(batches, again, strict=True))
    other = shuffled_batches(rows, lengths, 8, np.random.default_rng(2))
    assert any(set(a) != set(b) for a, b in zip(batches, other, strict=True))
    longest_first = batches_by_length(lengths, 8)
    assert all(np.diff(np.concatenate([lengths[batch] for batch in longest_first])) <= 0)
