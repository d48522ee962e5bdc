"""Blocks of neighboring clusters, and arrays that are written in parts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from skxmr._core.node_rows import NodeRows
from skxmr._linear import LevelProblem
from skxmr._linear.array_files import ArrayWriter
from skxmr._linear.level_blocks import LARGE_BLOCK, Block, cut_block, make_blocks

levels = st.lists(
    st.lists(st.tuples(st.integers(1, 1000), st.integers(1, 30)), min_size=1, max_size=40),
    min_size=1,
    max_size=4,
)


def costs_and_indptrs(levels):
    """Return the arrays of levels that are lists of (cost, number of children)."""
    costs = [np.array([cost for cost, _ in level], dtype=float) for level in levels]
    indptrs = [np.cumsum([0, *(width for _, width in level)]) for level in levels]
    return costs, indptrs


@given(levels, st.integers(1, 50), st.integers(1, 100))
def test_make_blocks_puts_every_parent_in_one_block(levels, n_blocks, max_children):
    costs, indptrs = costs_and_indptrs(levels)
    blocks = make_blocks(costs, indptrs, n_blocks, max_children)
    for level, cost in enumerate(costs):
        slices = sorted(block[1:] for block in blocks if block.level == level)
        assert [start for start, _ in slices] == [0, *(stop for _, stop in slices[:-1])]
        assert slices[-1][1] == len(cost)
    for level, start, stop in blocks:
        width = indptrs[level][stop] - indptrs[level][start]
        assert stop - start == 1 or width <= max_children


@given(levels, st.integers(1, 50))
def test_make_blocks_returns_blocks_of_similar_cost(levels, n_blocks):
    costs, indptrs = costs_and_indptrs(levels)
    blocks = make_blocks(costs, indptrs, n_blocks, 2**31)
    block_costs = [costs[level][start:stop].sum() for level, start, stop in blocks]
    mean_cost = sum(cost.sum() for cost in costs) / n_blocks
    for (_, start, stop), cost in zip(blocks, block_costs, strict=True):
        assert stop - start == 1 or cost <= mean_cost * (1 + 1e-9)
    # Two neighboring blocks of a level cost more than mean_cost, or they would be one block.
    assert len(blocks) <= 2 * n_blocks + len(levels) + sum(len(level) > 1 for level in levels)


@given(levels, st.integers(1, 50))
def test_make_blocks_distributes_other_blocks_between_large_ones(levels, n_blocks):
    costs, indptrs = costs_and_indptrs(levels)
    blocks = make_blocks(costs, indptrs, n_blocks, 2**31)
    block_costs = np.array([costs[level][start:stop].sum() for level, start, stop in blocks])
    is_large = block_costs > LARGE_BLOCK * (block_costs.sum() / n_blocks)
    for kind in (block_costs[is_large], block_costs[~is_large]):
        assert_array_equal(kind, np.sort(kind)[::-1])
    assert is_large[0] or not is_large.any()
    large = np.flatnonzero(is_large)
    other_costs = np.where(is_large, 0.0, block_costs)
    total = block_costs.sum()
    cost_at_the_end = other_costs[large[-1] :].sum() if len(large) else total
    for position in large[1:]:
        # Before an large block, other blocks cost as much as the large ones, unless only
        # the last eighth of the total cost remains.
        cost_before = other_costs[:position].sum()
        large_before = block_costs[:position][is_large[:position]].sum()
        assert cost_before >= large_before or cost_at_the_end <= total / 8 + 1e-9
        last_other = other_costs[:position][~is_large[:position]][-1:].sum()
        assert cost_before - last_other < large_before


def test_make_blocks_orders_blocks_of_an_example():
    costs = [np.array([40.0, 1, 6, 9, 2, 30, 8, 5, 7, 4])]
    indptrs = [np.arange(11)]
    blocks = make_blocks(costs, indptrs, 11, 1)
    # Between the block that costs 40 and the next large one, other blocks should cost 40. But
    # an eighth of the total cost, 14, is reserved for the end.
    assert [int(costs[0][start]) for _, start, _ in blocks] == [40, 9, 8, 7, 6, 30, 5, 4, 2, 1]


@pytest.mark.parametrize("with_costs", [False, True])
def test_cut_block_returns_the_training_data_of_a_block(with_costs):
    rng = np.random.default_rng(0)
    child_indptr = np.array([0, 2, 3, 6, 6 + 4])
    counts = rng.integers(0, 5, 10)
    target_indptr = np.concatenate(([0], np.cumsum(counts)))
    targets = rng.integers(0, 50, target_indptr[-1]).astype(np.int32)
    row_indptr = np.concatenate(([0], np.cumsum(rng.integers(0, 9, 4))))
    rows = rng.integers(0, 50, row_indptr[-1]).astype(np.int32)
    costs = rng.random(len(targets)).astype(np.float32) if with_costs else None
    problem = LevelProblem(
        NodeRows(row_indptr, rows),
        NodeRows(target_indptr, targets),
        child_indptr,
        np.arange(10),
        7,
        np.zeros(4, dtype=np.uint64),
        costs,
    )
    for start, stop in [(0, 4), (1, 3), (3, 4), (0, 1)]:
        part = cut_block(problem, Block(2, start, stop))
        children = part.child_indptr
        assert part.seed == 7
        assert (part.target_costs is None) == (not with_costs)
        for i, parent in enumerate(range(start, stop)):
            expected = rows[row_indptr[parent] : row_indptr[parent + 1]]
            assert_array_equal(part.rows.of(i), expected)
            widths = np.diff(child_indptr)
            assert children[i + 1] - children[i] == widths[parent]
            for j in range(widths[parent]):
                here = slice(*target_indptr[child_indptr[parent] + j :][:2])
                there = slice(*part.targets.indptr[children[i] + j :][:2])
                assert_array_equal(part.targets.rows[there], targets[here])
                if with_costs:
                    assert_array_equal(part.target_costs[there], costs[here])


@pytest.mark.parametrize("dtype", [None, np.dtype(np.uint16)])
def test_array_file_written_in_parts_is_an_npy_file(dtype, tmp_path):
    parts = [np.arange(n * 3, dtype=np.uint8).reshape(n, 3) for n in (4, 0, 1, 30)]
    with ArrayWriter(tmp_path / "a.npy", parts[0], dtype) as file:
        for part in parts:
            file.append(part)
    joined = np.load(tmp_path / "a.npy")
    assert_array_equal(joined, np.concatenate(parts))
    assert joined.dtype == (dtype or np.uint8)
    np.save(tmp_path / "b.npy", joined)
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()
