"""Plain text from a numpydoc docstring: its sections, paragraphs and See Also entries.

This is not a parser of reStructuredText. It relies on the layout rules of the numpydoc standard to
keep prose and to drop formulas, code, tables and directives.
"""

import inspect
import re

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

# A section title is underlined with at least three characters.
_UNDERLINE = re.compile(r"^(-{3,}|={3,})\s*$")
# Docstrings of compiled functions start with the call: "sin(x, /, out=None) -> y".
_CALL = re.compile(r"^[\w., =]*\w\(.*\)(\s*->.*)?$", re.DOTALL)
_DIRECTIVE = re.compile(r"^\s*\.\.(?:\s+([\w:-]+)::)?(?:\s(.*)|$)")
_BULLET = re.compile(r"^\s*([-*+•]|\(?[0-9a-z][.)])\s+")
_TABLE = re.compile(r"^\s*[=+|-][=+|\s-]{3,}$")
# Directives whose body is prose.
_PROSE_DIRECTIVES = {"note", "warning", "tip", "hint", "important", "caution", "attention"}
_MEMBER = re.compile(r"^\s+(?:[*-] )?`{0,2}([A-Za-z_]\w*)`{0,2}\s+--?\s+(\S.*)$")

_ROLES = [
    # Drop formulas, but keep the text around them.
    (re.compile(r":math:`[^`]*`"), " "),
    # :func:`~numpy.linalg.norm` and `~numpy.linalg.norm` become "norm".
    # :ref:`text <target>` and `text <target>`_ become "text".
    # Other roles, ``code`` and `names` are replaced by their content.
    (re.compile(r"(?::[\w:+-]+:)?`+~(?:[\w.]*\.)?(\w+)`+"), r"\1"),
    (re.compile(r"(?::[\w:+-]+:)?`([^`<]+?)\s*<[^`]*>`_{0,2}"), r"\1"),
    (re.compile(r"(?::[\w:+-]+:)?`+([^`]*)`+_{0,2}"), r"\1"),
]
_MARKUP = [
    # Drop citations, substitutions and URLs; keep the words of *emphasis*.
    (re.compile(r"\[[\w-]+\]_|\|[\w -]+\|_?|<?\bhttps?://[^\s>]+>?"), " "),
    (re.compile(r"(?<![^\s(\"'])(\*\*|\*)(?=[A-Za-z])([^*]*\w[.!?]?)\1(?!\w)"), r"\2"),
    (re.compile(r"\s+([.,;:)])(?=\s|$)"), r"\1"),
]
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WORD = re.compile(r"[^\W\d_]{2,}")


def clean_markup(text):
    """Return a paragraph as one line without the inline markup of reStructuredText.

    Formulas, citations and URLs are removed. Roles and literals are replaced by their content.
    """
    for pattern, replacement in (*_ROLES, *_MARKUP) if "`" in text else _MARKUP:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def has_enough_words(text, n_words=2):
    """Return whether a cleaned text has at least `n_words` words that are not stop words.

    Remains of a formula, such as "and are given by", have only stop words.
    """
    words = _WORD.findall(text)
    return sum(word.lower() not in ENGLISH_STOP_WORDS for word in words) >= n_words


def split_name(name):
    """Return the last part of a dotted name as words in lower case.

    "sklearn.model_selection.train_test_split" gives "train test split",
    "sklearn.neighbors.KernelDensity" gives "kernel density". A single word or an abbreviation gives
    an empty string.
    """
    words = _NAME_PART.findall(name.rpartition(".")[2])
    return " ".join(words).lower() if sum(len(word) > 2 for word in words) > 1 else ""


def split_sections(docstring):
    """Return a dict from the lower-case title of each section to its lines.

    The text above the first title has the key ``""``. It does not include the call with which the
    docstrings of compiled functions start.
    """
    lines = inspect.cleandoc(docstring).splitlines()
    sections = {"": []}
    body = sections[""]
    for i, line in enumerate(lines):
        if _UNDERLINE.match(line) and i and lines[i - 1].strip() and not lines[i - 1][0].isspace():
            title = body.pop().strip().lower()
            body = sections.setdefault(title, [])
        else:
            body.append(line)
    sections[""] = _drop_call(sections[""])
    return sections


def _drop_call(lines):
    """Drop the call above the summary: either a separate paragraph, or the first lines."""
    blank = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    if _CALL.match("\n".join(lines[:blank])):
        return lines[blank + 1 :]
    n_calls = 0
    while n_calls < blank and _CALL.match(lines[n_calls]):
        n_calls += 1
    return lines[n_calls:]


def _indent(line):
    return len(line) - len(line.lstrip())


def list_paragraphs(lines):
    """List the cleaned paragraphs of prose in the lines of a section.

    List items are separate paragraphs. Skipped are code, formulas, tables, references, directives
    other than admonitions, and paragraphs with too few words.
    """
    paragraphs, current = [], []
    skip_indent = None  # while set, lines that are indented more than this are skipped
    skip_to_blank = False  # while True, lines up to the next blank line are skipped

    def end_paragraph():
        text = clean_markup(" ".join(line.strip() for line in current))
        # A text such as "It is given by:" introduces a formula or code that was removed.
        min_words = 5 if text.endswith(":") else 2
        text = text.rstrip(": ")
        if has_enough_words(text, min_words):
            paragraphs.append(text)
        current.clear()

    for line in [*lines, ""]:
        if not line.strip():
            if current and current[-1].rstrip().endswith("::"):
                skip_indent = _indent(current[-1])
            end_paragraph()
            skip_to_blank = False
            continue
        if skip_indent is not None:
            if _indent(line) > skip_indent:
                continue
            skip_indent = None
        directive = _DIRECTIVE.match(line)
        if directive:
            end_paragraph()
            name, text = directive.groups()
            if name not in _PROSE_DIRECTIVES:
                skip_indent = _indent(line)
            elif text and text.strip():
                current.append(text)
            continue
        if line.lstrip().startswith(">>>"):
            skip_to_blank = True
        elif _TABLE.match(line):
            skip_to_blank = True
            current.clear()
        if skip_to_blank:
            continue
        bullet = _BULLET.match(line)
        if bullet:
            end_paragraph()
            line = " " * _indent(line) + line[bullet.end() :]
        current.append(line)
    return paragraphs


def list_definitions(lines):
    """List the first paragraph of each description in a Returns or Parameters section.

    An entry is ``name : type`` without indentation, followed by its indented description. Names and
    types are not included.
    """
    descriptions, body = [], []
    for line in [*lines, "end"]:
        if line.strip() and not line[0].isspace():
            body_lines = inspect.cleandoc("\n".join(["", *body])).splitlines()
            descriptions += list_paragraphs(body_lines)[:1]
            body = []
        else:
            body.append(line)
    return descriptions


def list_see_also(lines):
    """List the entries of a See Also section as tuples (names, cleaned description).

    Names are a tuple of str, as they are written, without roles. The description may be empty.
    """
    entries = []
    for line in lines:
        if not line.strip() or line.lstrip().startswith(".."):
            continue
        if line[0].isspace() and entries:
            names, description = entries[-1]
            entries[-1] = names, clean_markup(f"{description} {line}")
            continue
        head, _, description = re.sub(r":[\w:]+:`", "`", line).partition(":")
        names = tuple(name.strip("`~ ") for name in head.split(","))
        entries.append((tuple(filter(None, names)), clean_markup(description)))
    return entries


def list_members(docstring):
    """List tuples (name, cleaned description) from the docstring of a module.

    Members are indented lines of the form ``name -- description``.
    """
    matches = filter(None, map(_MEMBER.match, docstring.splitlines()))
    return [(match[1], clean_markup(match[2])) for match in matches]
