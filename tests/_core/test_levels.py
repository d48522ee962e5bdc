"""Parameters with one value per level."""

from skxmr._core.levels import expand_to_levels


def test_expand_to_levels_repeats_the_first_value_and_drops_unused_ones():
    assert expand_to_levels("a", 3) == ["a"] * 3
    assert expand_to_levels(["a", "b"], 4) == ["a", "a", "a", "b"]
    assert expand_to_levels(["a", "b", "c"], 2) == ["b", "c"]
