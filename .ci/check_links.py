"""Fail if a page of a built site has a link or a picture that leads nowhere in the site."""

import re
import sys
from functools import cache
from pathlib import Path

ROOT = Path(sys.argv[1]).resolve()


@cache
def anchors(page):
    return set(re.findall(r'\bid="([^"]+)"', page.read_text()))


broken = set()
pages = [page for page in ROOT.rglob("*.html") if "_static" not in page.parts]
for page in pages:
    for link in re.findall(r'(?:href|src)="([^"]+)"', page.read_text()):
        if re.match(r"(https?|data|mailto|javascript):", link) or link == "#":
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path.partition("?")[0]).resolve() if path else page
        known = target.is_file() and (
            not anchor or target.suffix != ".html" or anchor in anchors(target)
        )
        if not known:
            broken.add(f"{page.relative_to(ROOT)}: {link}")
print(f"{len(pages)} pages, {len(broken)} broken links")
if broken:
    sys.exit("\n".join(sorted(broken)))
