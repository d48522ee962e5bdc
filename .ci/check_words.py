"""Reject wording that is hard to read: in code, tests, examples, benchmarks, CI and the README.

Pages under doc/ are not checked yet, except for the changelog. The check finds single words and
phrases; it does not replace reading. Usage: .ci/check_words.py [FILE ...]
"""

import re
import subprocess
import sys
from pathlib import Path

SUFFIXES = {".py", ".pyx", ".pxd", ".h", ".md", ".rst", ".toml", ".yml", ".cff"}
COUNTED = "bytes|children|clusters|entries|features|labels|microseconds|milliseconds|models|ms|rows"
COUNTED += "|scores|seconds|tasks|weights|µs|us"
UNITS = "child|cluster|column|core|entry|feature|fit|label|level|machine|node|query|row|second"
UNITS += "|task|text|thread|tree|weight|worker"
# Pattern: what to write instead. A space in a pattern matches any white space, and the beginning
# of a comment on the next line.
PHRASES = {
    r"\bbeside\b": "next to, compared with, in addition to, or together with",
    r"\bbut for\b": "except for",
    r"\bgo(es|ing)? on\b": "continue, or resume",
    r"\bin haste\b": "quickly",
    r"\blikewise\b": "also, or repeat the statement",
    r"\bmended\b": "fixed",
    r"\bminds\b": "considers, or is affected by",
    r"\bnought\b": "zero, or nothing",
    r"\b(heed|heeds|heeded)\b": "use, or consider",
    r"\bof (one's|the user's) own\b": "custom, user-defined, or own + noun",
    r"\b(said|told|tells)\b": "report, estimate, show, or name the thing",
    r"\bstands?\b": "is, is stored, or means",
    r"\bthe one\b.{0,60}\bthe other\b": "name both things",
    r"\bthe same(?=[.,;:)])": "repeat the noun",
    r"\bdear(er|est)?\b": "expensive, or costly",
    r"\bknobs?\b": "parameter",
    rf"\b({COUNTED}) an? ({UNITS})\b": "'per' instead of 'a'",
    r"\b\w*(character|emphas|factor|general|initial|maxim|minim|normal|optim|organ|parallel|penal"
    r"|quant|random|real|recogn|regular|serial|special|summar|token|util|vector|visual)"
    r"is(e[drs]?|ing|ation)\b": "American spelling: -ize",
    r"\b(neighbour|colour|behaviour|favour|licence|centre|catalogue|analyse|labell|modell"
    r"|cancell(?!edError)|grey|honour|travell)\w*": "American spelling",
}
# First words of a comment, of a docstring or of the description of a parameter.
FRAGMENT = re.compile(r'(# |/\* |"""|^ +[\w, *`]+ : .*\n +)(What|Of|Times|Most|Beside)\b', re.M)


def find_phrases(text):
    """Yield (position, found text, advice) for each match in a text."""
    for pattern, advice in PHRASES.items():
        spaced = pattern.replace(" ", r"[\s#*]+")
        for match in re.finditer(spaced, text, re.IGNORECASE):
            yield match.start(), match.group(), advice
    for match in FRAGMENT.finditer(text):
        yield match.start(2), match.group(2), "a noun or a complete sentence at the beginning"


def main(names):
    """Print all matches; return 1 if there are any."""
    if not names:
        listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        names = [n for n in names if not n.startswith("doc/") or n == "doc/changelog.md"]
    count = 0
    for name in names:
        path = Path(name)
        if path.suffix not in SUFFIXES or path.name == "check_words.py" or not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        for position, found, advice in sorted(find_phrases(text)):
            line = text.count("\n", 0, position) + 1
            print(f"{name}:{line}: {' '.join(found.split())!r}: {advice}")
            count += 1
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
