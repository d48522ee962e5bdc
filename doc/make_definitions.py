"""Make the file skxmr/datasets/data/definitions.csv from the nouns of WordNet 3.0.

    python doc/make_definitions.py /usr/share/wordnet/data.noun

The input is a file of WordNet; Debian's package wordnet-base has it. Each row is a word for a thing
of everyday life, its definition, and its topics: all more general words that occur in at least
MIN_ROWS rows. Words for the most general topics, such as "object", are left out.
"""

import csv
import random
import re
import sys
from collections import Counter
from pathlib import Path

OUTPUT = Path(__file__).parent.parent / "skxmr" / "datasets" / "data" / "definitions.csv"
# Topics whose words are used.
ROOTS = (
    *("animal", "tree", "flower", "edible_fruit", "vegetable", "food", "beverage"),
    *("vehicle", "clothing", "footwear", "furniture", "tool", "musical_instrument", "container"),
    *("building", "room", "sport", "game", "dance", "fabric", "weapon", "body_of_water"),
)
N_ROWS = 3000
MIN_ROWS = 10
SEPARATOR = "; "


def read_nouns(path):
    """Return dicts of the first word, the definition and the more general nouns, by position."""
    words, definitions, parents = {}, {}, {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):  # the license
            continue
        fields, _, gloss = line.partition(" | ")
        fields = fields.split()
        position = fields[0]
        n_pointers = 4 + 2 * int(fields[3], 16)
        pointers = fields[n_pointers + 1 :]
        words[position] = fields[4]
        # Examples in quotes are left out.
        definitions[position] = re.sub(r';?\s*".*', "", gloss).strip()
        kinds = zip(pointers[0::4], pointers[1::4], strict=False)
        parents[position] = [target for kind, target in kinds if kind == "@"]
    return words, definitions, parents


def main(path):
    """Write the file."""
    words, definitions, parents = read_nouns(path)
    roots = {position for position, word in words.items() if word in ROOTS}

    def find_ancestors(position):
        found, todo = set(), list(parents[position])
        while todo:
            ancestor = todo.pop()
            if ancestor not in found:
                found.add(ancestor)
                todo += parents[ancestor]
        return found

    rows = {}
    too_general = set().union(*map(find_ancestors, roots)) - roots
    for position in sorted(words):
        ancestors = find_ancestors(position) - too_general
        if ancestors & roots and definitions[position]:
            rows[position] = {words[ancestor] for ancestor in ancestors}
    chosen = sorted(random.Random(0).sample(sorted(rows), N_ROWS))
    counts = Counter(topic for position in chosen for topic in rows[position])
    with OUTPUT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["word", "definition", "topics"])
        for position in chosen:
            topics = sorted(topic for topic in rows[position] if counts[topic] >= MIN_ROWS)
            texts = [words[position], definitions[position], SEPARATOR.join(topics)]
            writer.writerow([text.replace("_", " ") for text in texts])


if __name__ == "__main__":
    main(sys.argv[1])
