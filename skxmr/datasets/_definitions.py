"""The example of a file with texts and labels."""

from pathlib import Path

# Words, their definitions and more general words, from WordNet 3.0; doc/make_definitions.py made
# the file. Columns: word, definition, topics.
EXAMPLE_CSV = Path(__file__).parent / "data" / "definitions.csv"
