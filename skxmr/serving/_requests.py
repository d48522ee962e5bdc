"""Read and check the requests for suggestions."""

import asyncio
import json
import math
import re
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import parse_qsl

DEFAULT_K = 5
# Longest value in an error message.
MAX_SHOWN = 60
# Shorter than the longest header, so that a longer query always gets this error.
MAX_QUERY_BYTES = 2**15
# More parameters than the interface has are always an error.
MAX_PARAMETERS = 10


class RequestError(Exception):
    """Invalid request.

    Parameters
    ----------
    status : int
        HTTP status of the response.
    message : str
        Error message of the response.
    **headers : dict of str to str
        Additional headers of the response, with "_" instead of "-".
    """

    def __init__(self, status, message, **headers):
        super().__init__(message)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class SuggestionRequest(NamedTuple):
    """A valid request for suggestions.

    Attributes
    ----------
    texts : list of str
        Texts.
    k : int
        Maximum number of labels per text.
    threshold : float or None
        Minimum score of a label.
    labels, exclude : list or None
        Labels that may be suggested, or not.
    """

    texts: list[str]
    k: int
    threshold: float | None
    labels: list | None
    exclude: list | None


def parse_query(query, limits):
    """Parse the query of ``GET /suggest``.

    Parameters
    ----------
    query : bytes
        Query string.
    limits : Limits
        Limits of the server.

    Returns
    -------
    SuggestionRequest
        The request.

    Raises
    ------
    RequestError
        If the query is invalid.
    """
    if len(query) > MAX_QUERY_BYTES:
        raise RequestError(
            414,
            f"the query must have at most {MAX_QUERY_BYTES} bytes; got {len(query)}. "
            "Send long texts with POST.",
        )
    if re.search(rb"%(?![0-9A-Fa-f]{2})", query):
        raise RequestError(400, 'the query must have two hexadecimal digits after each "%"')
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARAMETERS,
        )
    except UnicodeError:
        raise RequestError(400, "the query must be percent-encoded UTF-8") from None
    except ValueError:
        raise RequestError(
            400, f"the query must have at most {MAX_PARAMETERS} parameters"
        ) from None
    fields = dict(_reject_duplicates(pairs))
    _check_fields(fields, "query parameters", ("text", "k", "threshold"))
    for name in ("k", "threshold"):
        if name in fields:
            # An invalid number remains a string, which the check below rejects.
            with suppress(RequestError):
                fields[name] = _parse_json(fields[name])
    return _check_request(fields, limits)


def parse_body(body, limits):
    """Parse the body of ``POST /suggest``.

    Parameters
    ----------
    body : bytes
        Body of the request.
    limits : Limits
        Limits of the server.

    Returns
    -------
    SuggestionRequest
        The request.

    Raises
    ------
    RequestError
        If the body is invalid.
    """
    try:
        content = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestError(
            400, f"the body must be UTF-8; got an invalid byte at position {error.start}"
        ) from None
    fields = _parse_json(content)
    if not isinstance(fields, dict):
        raise RequestError(400, 'the body must be a JSON object such as {"text": "..."}')
    _check_fields(fields, "fields", ("text", "texts", "k", "threshold", "labels", "exclude"))
    return _check_request(fields, limits)


async def read_body(request, limits):
    """Read the body of a request.

    Parameters
    ----------
    request : starlette.requests.Request
        Request whose body is not read yet.
    limits : Limits
        Limits of the server.

    Returns
    -------
    bytes
        The body.

    Raises
    ------
    RequestError
        If the headers are invalid, or the body is too large or arrives too slowly.
    starlette.requests.ClientDisconnect
        If the client closes the connection before the body is complete.
    """
    content_type = request.headers.get("content-type", "application/json")
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise RequestError(
            415, f"Content-Type must be application/json; got {_shorten(content_type)}"
        )
    length = request.headers.get("content-length", "0")
    too_large = f"the body must have at most {limits.max_body_bytes} bytes"
    if not (length.isascii() and length.isdecimal()):
        raise RequestError(400, f"Content-Length must be a number; got {_shorten(length)}")
    # The number of digits is checked first, because int() refuses long numbers.
    if len(length) > 18 or int(length) > limits.max_body_bytes:
        raise RequestError(413, f"{too_large}; got {length[:MAX_SHOWN]}")
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for part in request.stream():
                body += part
                if len(body) > limits.max_body_bytes:
                    raise RequestError(413, too_large)
    except TimeoutError:
        raise RequestError(
            408,
            f"the body must arrive within {limits.body_seconds} seconds",
            Connection="close",
        ) from None
    # A proxy could see another end of this request, so the connection is not used again.
    if "content-length" in request.headers and "transfer-encoding" in request.headers:
        raise RequestError(
            400,
            "the header must have Content-Length or Transfer-Encoding; got both",
            Connection="close",
        )
    return bytes(body)


def _parse_json(content):
    try:
        return json.loads(content, object_pairs_hook=_make_object, parse_constant=_reject_constant)
    except RecursionError:
        raise RequestError(400, "the JSON must have fewer nested lists and objects") from None
    except ValueError as error:
        raise RequestError(400, f"the body must be JSON: {error}") from None


def _make_object(pairs):
    return dict(_reject_duplicates(pairs))


def _reject_duplicates(pairs):
    names = [name for name, _ in pairs]
    if len(names) > len(set(names)):
        name = next(name for name in names if names.count(name) > 1)
        raise RequestError(400, f"each field must be given once; got {_shorten(name)} again")
    return pairs


def _reject_constant(name):
    raise ValueError(f"{name} is not a JSON number")


def _check_fields(fields, kind, allowed):
    for name in fields:
        if name not in allowed:
            raise RequestError(400, f"{kind} must be {', '.join(allowed)}; got {_shorten(name)}")


def _check_request(fields, limits):
    if ("text" in fields) == ("texts" in fields):
        raise RequestError(400, 'the request must have either "text" or "texts"')
    if "text" in fields:
        texts = [fields["text"]]
        if not isinstance(texts[0], str):
            raise RequestError(400, f"text must be a string; got {_shorten(texts[0])}")
    else:
        texts = fields["texts"]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise RequestError(400, "texts must be a list of strings")
        if not 1 <= len(texts) <= limits.max_texts:
            raise RequestError(
                400, f"texts must have 1 to {limits.max_texts} entries; got {len(texts)}"
            )
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise RequestError(400, "texts must be Unicode; got half of a surrogate pair") from None
    k = fields.get("k", DEFAULT_K)
    if type(k) is not int or not 1 <= k <= limits.max_labels:
        raise RequestError(
            400, f"k must be an integer from 1 to {limits.max_labels}; got {_shorten(k)}"
        )
    return SuggestionRequest(
        texts,
        k,
        _check_threshold(fields.get("threshold")),
        _check_labels(fields, "labels"),
        _check_labels(fields, "exclude"),
    )


def _check_labels(fields, name):
    labels = fields.get(name)
    is_list = isinstance(labels, list) and all(type(label) in (str, int) for label in labels)
    if labels is not None and not is_list:
        raise RequestError(400, f"{name} must be a list of labels")
    return labels


def _check_threshold(threshold):
    if threshold is None:
        return None
    try:
        number = float(threshold) if type(threshold) in (int, float) else math.nan
    except OverflowError:  # an integer with hundreds of digits
        number = math.inf
    if not math.isfinite(number):
        raise RequestError(400, f"threshold must be a finite number; got {_shorten(threshold)}")
    return number


def _shorten(value):
    if isinstance(value, (list, dict)):
        return "a list" if isinstance(value, list) else "an object"
    shown = json.dumps(value[:MAX_SHOWN] if isinstance(value, str) else value)
    return shown if len(shown) <= MAX_SHOWN else f"{shown[:MAX_SHOWN]}..."
