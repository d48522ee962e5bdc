"""Limits of requests, connections and the shutdown."""

from dataclasses import dataclass, fields
from numbers import Real


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of a server.

    Parameters
    ----------
    max_body_bytes : int, default=1048576
        Maximum size of the body of a request, in bytes.
    max_texts : int, default=1000
        Maximum number of texts per request.
    max_labels : int, default=100
        Maximum value of `k`, the number of labels per text.
    max_pending : int, default=256
        Maximum number of requests per worker that are predicted or wait for a prediction. Further
        requests get the status 503.
    body_seconds : float, default=10
        Maximum time in which the body of a request must arrive.
    idle_seconds : float, default=60
        Time after which a connection is closed if no complete request header arrives, or if the
        client does not read a response. The real time can be up to twice as long.
    shutdown_seconds : float, default=10
        Maximum time for pending requests when the server stops.

    Raises
    ------
    ValueError
        If a limit is not a positive number, or a maximum is not an integer.

    Examples
    --------
    >>> from skxmr.serving import Limits
    >>> Limits(max_texts=10).max_texts
    10
    """

    max_body_bytes: int = 2**20
    max_texts: int = 1000
    max_labels: int = 100
    max_pending: int = 256
    body_seconds: float = 10
    idle_seconds: float = 60
    shutdown_seconds: float = 10

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            is_integer = isinstance(value, int) and not isinstance(value, bool)
            if field.name.startswith("max_") and not (is_integer and value > 0):
                raise ValueError(f"{field.name} must be a positive integer; got {value!r}.")
            is_number = is_integer or (isinstance(value, Real) and not isinstance(value, bool))
            if not (is_number and 0 < value < float("inf")):
                raise ValueError(
                    f"{field.name} must be a positive number of seconds; got {value!r}."
                )
