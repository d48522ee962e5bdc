"""Natural text out of a numpydoc docstring: its sections, its paragraphs, its See Also.

This is not a parser of reStructuredText. It keeps prose and drops what is not prose (formulas,
code, tables, directives), by the layout rules that the numpydoc standard fixes.
"""

import inspect
import re

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

# A section title is underlined by at least three signs.
_UNDERLINE = re.compile(r"^(-{3,}|={3,})\s*$")
# Compiled functions write their call above the summary: "sin(x, /, out=None) -> y".
_CALL = re.compile(r"^[\w., =]*\w\(.*\)(\s*->.*)?$", re.DOTALL)
_DIRECTIVE = re.compile(r"^\s*\.\.(?:\s+([\w:-]+)::)?(?:\s(.*)|$)")
_BULLET = re.compile(r"^\s*([-*+•]|\(?[0-9a-z][.)])\s+")
_TABLE = re.compile(r"^\s*[=+|-][=+|\s-]{3,}$")
# Directives whose body is prose like the text around them.
_PROSE_DIRECTIVES = {"note", "warning", "tip", "hint", "important", "caution", "attention"}
_LISTING = re.compile(r"^\s+(?:[*-] )?`{0,2}([A-Za-z_]\w*)`{0,2}\s+--?\s+(\S.*)$")

_ROLES = [
    # A formula is no query text; what stands around it is.
    (re.compile(r":math:`[^`]*`"), " "),
    # :func:`~numpy.linalg.norm` and `~numpy.linalg.norm` keep "norm", :ref:`text <target>` and
    # `text <target>`_ the text, other roles, ``code`` and `names` all that is in them.
    (re.compile(r"(?::[\w:+-]+:)?`+~(?:[\w.]*\.)?(\w+)`+"), r"\1"),
    (re.compile(r"(?::[\w:+-]+:)?`([^`<]+?)\s*<[^`]*>`_{0,2}"), r"\1"),
    (re.compile(r"(?::[\w:+-]+:)?`+([^`]*)`+_{0,2}"), r"\1"),
]
_MARKUP = [
    # Citations, substitutions, URLs, *emphasis*.
    (re.compile(r"\[[\w-]+\]_|\|[\w -]+\|_?|<?\bhttps?://[^\s>]+>?"), " "),
    (re.compile(r"(?<![^\s(\"'])(\*\*|\*)(?=[A-Za-z])([^*]*\w[.!?]?)\1(?!\w)"), r"\2"),
    (re.compile(r"\s+([.,;:)])(?=\s|$)"), r"\1"),
]
_NAME_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_WORD = re.compile(r"[^\W\d_]{2,}")


def clean_markup(text):
    """Strip the inline markup of reStructuredText, leaving words.

    Parameters
    ----------
    text : str
        A paragraph, its lines may still be broken.

    Returns
    -------
    str
        One line: formulas, citations and URLs gone, roles and literals replaced by their content.
    """
    for pattern, replacement in (*_ROLES, *_MARKUP) if "`" in text else _MARKUP:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


def says_something(text, n_words=2):
    """Whether a text has enough words to be told from others.

    Parameters
    ----------
    text : str
        Cleaned text.
    n_words : int, default=2
        Least number of words that are no stop words. What a formula leaves behind ("and are
        given by") has none.

    Returns
    -------
    bool
        True if the text is worth keeping.
    """
    words = _WORD.findall(text)
    return sum(word.lower() not in ENGLISH_STOP_WORDS for word in words) >= n_words


def name_in_words(name):
    """Read the last part of a dotted name aloud, if it is made of several words.

    Parameters
    ----------
    name : str
        Such as "sklearn.model_selection.train_test_split" or "sklearn.neighbors.KernelDensity".

    Returns
    -------
    str
        "train test split" or "kernel density"; empty if the name is one word or an abbreviation.
    """
    words = _NAME_PART.findall(name.rpartition(".")[2])
    return " ".join(words).lower() if sum(len(word) > 2 for word in words) > 1 else ""


def split_sections(docstring):
    """Cut a docstring into its sections.

    Parameters
    ----------
    docstring : str
        As found in ``__doc__``; the indentation is removed here.

    Returns
    -------
    dict of str to list of str
        Title in lower case -> lines, in the order of the docstring. The text above the first
        title is found under ``""``, without the call that compiled functions begin with.
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
    sections[""] = _without_call(sections[""])
    return sections


def _without_call(lines):
    """Drop the call above the summary: a paragraph of its own, or the lines that look like one."""
    blank = next((i for i, line in enumerate(lines) if not line.strip()), len(lines))
    if _CALL.match("\n".join(lines[:blank])):
        return lines[blank + 1 :]
    n_calls = 0
    while n_calls < blank and _CALL.match(lines[n_calls]):
        n_calls += 1
    return lines[n_calls:]


def _indent(line):
    return len(line) - len(line.lstrip())


def paragraphs(lines):
    """List the paragraphs of prose in the lines of a section.

    Parameters
    ----------
    lines : list of str
        The body of a section. Code, formulas, tables, references and directives other than
        admonitions are left out; list items are paragraphs of their own.

    Returns
    -------
    list of str
        Cleaned paragraphs that say something.
    """
    found, current = [], []
    hidden_under = None  # an indented block is left out: the indentation of the line above it
    hidden = False  # lines are left out up to the next blank one

    def close():
        text = clean_markup(" ".join(line.strip() for line in current))
        # "It is given by:" leads to a formula or code that is gone.
        lead_in = text.endswith(":")
        text = text.rstrip(": ")
        if says_something(text, n_words=5 if lead_in else 2):
            found.append(text)
        current.clear()

    for line in [*lines, ""]:
        if not line.strip():
            if current and current[-1].rstrip().endswith("::"):
                hidden_under = _indent(current[-1])
            close()
            hidden = False
            continue
        if hidden_under is not None:
            if _indent(line) > hidden_under:
                continue
            hidden_under = None
        directive = _DIRECTIVE.match(line)
        if directive:
            close()
            name, text = directive.groups()
            if name not in _PROSE_DIRECTIVES:
                hidden_under = _indent(line)
            elif text and text.strip():
                current.append(text)
            continue
        if line.lstrip().startswith(">>>"):
            hidden = True
        elif _TABLE.match(line):
            hidden = True
            current.clear()
        if hidden:
            continue
        bullet = _BULLET.match(line)
        if bullet:
            close()
            line = " " * _indent(line) + line[bullet.end() :]
        current.append(line)
    return found


def definitions(lines):
    """List the descriptions in a Returns, Parameters or Attributes section.

    Parameters
    ----------
    lines : list of str
        The body of the section: ``name : type`` flush left, its description indented.

    Returns
    -------
    list of str
        The first paragraph of each description; names and types are left out.
    """
    found, body = [], []
    for line in [*lines, "end"]:
        if line.strip() and not line[0].isspace():
            found += paragraphs(inspect.cleandoc("\n".join(["", *body])).splitlines())[:1]
            body = []
        else:
            body.append(line)
    return found


def see_also(lines):
    """List the entries of a See Also section.

    Parameters
    ----------
    lines : list of str
        The body of the section: ``name : description`` or ``name1, name2``.

    Returns
    -------
    list of (tuple of str, str)
        Names as they are written, without roles; the description cleaned, possibly empty.
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


def listing(docstring):
    """List the one-line descriptions that a module's docstring gives of its members.

    Parameters
    ----------
    docstring : str
        Of a module, with indented lines of the form ``name -- description``.

    Returns
    -------
    list of (str, str)
        Name and cleaned description.
    """
    matches = filter(None, map(_LISTING.match, docstring.splitlines()))
    return [(match[1], clean_markup(match[2])) for match in matches]
