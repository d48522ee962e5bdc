"""Values of `Limits`."""

import pytest

from skxmr.serving import Limits


@pytest.mark.parametrize("value", [0, -1, 1.5, True, "10", None, float("nan")])
def test_limits_rejects_invalid_maximum(value):
    with pytest.raises(ValueError, match="max_texts must be a positive integer; got"):
        Limits(max_texts=value)


@pytest.mark.parametrize("value", [0, -1, True, "10", None, float("nan"), float("inf")])
def test_limits_rejects_invalid_seconds(value):
    with pytest.raises(ValueError, match="body_seconds must be a positive number of seconds; got"):
        Limits(body_seconds=value)
    assert Limits(body_seconds=0.5).body_seconds == 0.5
