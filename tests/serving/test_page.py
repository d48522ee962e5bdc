"""The web page: headers and content."""

import base64
import hashlib
import re

from skxmr.serving._app import _read_page


def test_page_loads_nothing_from_other_servers():
    page, headers = _read_page()
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    for tag in ("script", "style"):
        [content] = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert policy[f"{tag}-src"] == f"'sha256-{digest}'"
    assert not re.search(r"https?:|//\w|src=|@import|url\(", page)
    # The policy forbids attributes with styles and handlers.
    assert not re.search(r"\s(style|on\w+)=", page)
    # Names of labels are text, not HTML.
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", page)


def test_page_labels_its_fields():
    page, _ = _read_page()
    for name in re.findall(r"<(?:textarea|select) id=\"(\w+)\"", page):
        assert f'<label for="{name}">' in page
    assert 'role="status"' in page
    assert 'role="alert"' in page
