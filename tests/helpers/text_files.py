"""A small CSV file of texts and labels, as Windows programs write it."""

ROWS = """\
title,text,topics
apple banana,"fruit, salad",food;sweet
green apple,pie,food;sweet
engine,"wheel of a ""car"", old",cars
fast car,new engine,cars;news
election,vote parliament,news
vote,for a new parliament,news;
banana,bread,food
nothing,of note,
"""
CONTENT = b"\xef\xbb\xbf" + ROWS.replace("\n", "\r\n").encode()
# How to read it, for `load_texts` and for the command line.
COLUMNS = {"text": ["title", "text"], "labels": "topics", "separator": ";"}
OPTIONS = ["--text", "title", "--text", "text", "--labels", "topics", "--separator", ";"]
