"""Levels cut into blocks, and arrays written in parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skxmr._linear import LevelProblem
from skxmr._linear.array_files import ArrayFile
from skxmr._linear.level_blocks import DEAR, cut_levels, cut_out

levels = st.lists(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 30)), min_size=1, max_size=40),
    min_size=1,
    max_size=4,
)


def parts_of(levels):
    costs = [np.array([cost for cost, _ in level], dtype=float) for level in levels]
    indptrs = [np.cumsum([0, *(width for _, width in level)]) for level in levels]
    return costs, indptrs


@given(levels, st.integers(1, 50), st.integers(1, 100))
def test_every_parent_is_in_one_block(levels, n_blocks, max_children):
    costs, indptrs = parts_of(levels)
    blocks = cut_levels(costs, indptrs, n_blocks, max_children)
    for level, cost in enumerate(costs):
        own = sorted(block[1:] for block in blocks if block[0] == level)
        assert [start for start, _ in own] == [0, *(stop for _, stop in own[:-1])]
        assert own[-1][1] == len(cost)
    for level, start, stop in blocks:
        width = indptrs[level][stop] - indptrs[level][start]
        assert stop - start == 1 or width <= max_children


@given(levels, st.integers(1, 50))
def test_blocks_are_of_about_equal_cost(levels, n_blocks):
    costs, indptrs = parts_of(levels)
    blocks = cut_levels(costs, indptrs, n_blocks, 2**31)
    spent = [costs[level][start:stop].sum() for level, start, stop in blocks]
    share = sum(cost.sum() for cost in costs) / n_blocks
    for (_, start, stop), cost in zip(blocks, spent, strict=True):
        assert stop - start == 1 or cost <= share * (1 + 1e-9)
    # Two neighbours of a level are dearer than a share, or they would be one block.
    assert len(blocks) <= 2 * n_blocks + len(levels) + sum(len(level) > 1 for level in levels)


@given(levels, st.integers(1, 50))
def test_dear_blocks_begin_as_far_apart_as_other_work_allows(levels, n_blocks):
    costs, indptrs = parts_of(levels)
    blocks = cut_levels(costs, indptrs, n_blocks, 2**31)
    spent = np.array([costs[level][start:stop].sum() for level, start, stop in blocks])
    dear = spent > DEAR * (spent.sum() / n_blocks)
    for of_a_kind in (spent[dear], spent[~dear]):
        assert_array_equal(of_a_kind, np.sort(of_a_kind)[::-1])
    assert dear[0] or not dear.any()
    at = np.flatnonzero(dear)
    others = np.where(dear, 0.0, spent)
    left_for_the_end = others[at[-1] :].sum() if len(at) else spent.sum()
    for place in at[1:]:
        # The work of others before it is that of the dear ones before it, or all there is.
        begun = others[:place].sum()
        enough = spent[:place][dear[:place]].sum()
        assert begun >= enough or left_for_the_end <= spent.sum() / 8 + 1e-9
        assert begun - others[:place][~dear[:place]][-1:].sum() < enough


def test_order_of_blocks():
    costs = [np.array([40.0, 1, 6, 9, 2, 30, 8, 5, 7, 4])]
    indptrs = [np.arange(11)]
    blocks = cut_levels(costs, indptrs, 11, 1)
    # As much as the 40 takes is due between it and the 30, but 14, an eighth, stays for the end.
    assert [int(costs[0][start]) for _, start, _ in blocks] == [40, 9, 8, 7, 6, 30, 5, 4, 2, 1]


@pytest.mark.parametrize("with_costs", [False, True])
def test_a_block_has_what_its_clusters_learn_from(with_costs):
    rng = np.random.default_rng(0)
    child_indptr = np.array([0, 2, 3, 6, 6 + 4])
    counts = rng.integers(0, 5, 10)
    target_indptr = np.concatenate(([0], np.cumsum(counts)))
    targets = rng.integers(0, 50, target_indptr[-1]).astype(np.int32)
    row_indptr = np.concatenate(([0], np.cumsum(rng.integers(0, 9, 4))))
    rows = rng.integers(0, 50, row_indptr[-1]).astype(np.int32)
    costs = rng.random(len(targets)).astype(np.float32) if with_costs else None
    problem = LevelProblem(
        (row_indptr, rows), (target_indptr, targets), child_indptr, np.arange(10), 7, costs, 3
    )
    for start, stop in [(0, 4), (1, 3), (3, 4), (0, 1)]:
        (r_indptr, r), (t_indptr, t), children, c, seed, most = cut_out(problem, start, stop)
        assert (seed, most) == (7 + start, 3)
        assert (c is None) == (not with_costs)
        for i, parent in enumerate(range(start, stop)):
            wanted = rows[row_indptr[parent] : row_indptr[parent + 1]]
            assert_array_equal(r[r_indptr[i] : r_indptr[i + 1]], wanted)
            widths = np.diff(child_indptr)
            assert children[i + 1] - children[i] == widths[parent]
            for j in range(widths[parent]):
                here = slice(*target_indptr[child_indptr[parent] + j :][:2])
                there = slice(*t_indptr[children[i] + j :][:2])
                assert_array_equal(t[there], targets[here])
                if with_costs:
                    assert_array_equal(c[there], costs[here])


@pytest.mark.parametrize("dtype", [None, np.dtype(np.uint16)])
def test_an_array_written_in_parts(dtype, tmp_path):
    parts = [np.arange(n * 3, dtype=np.uint8).reshape(n, 3) for n in (4, 0, 1, 30)]
    with ArrayFile(tmp_path / "a.npy", parts[0], dtype) as file:
        for part in parts:
            file.append(part)
    whole = np.load(tmp_path / "a.npy")
    assert_array_equal(whole, np.concatenate(parts))
    assert whole.dtype == (dtype or np.uint8)
    np.save(tmp_path / "b.npy", whole)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
