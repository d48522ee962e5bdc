"""Limits of the machine."""

from skxmr._core.machine import find_memory_limit


def test_find_memory_limit_is_plausible():
    limit = find_memory_limit()
    assert limit is None or 2**20 < limit < 2**60
