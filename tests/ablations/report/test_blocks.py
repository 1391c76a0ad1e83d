"""Pages: what somebody else wrote is text in them, and a page needs no other file."""

import re
from html.parser import HTMLParser

from gan.ablations.report.blocks import Code, Heading, Picture, Table, Text, latex, markdown, page

EVIL = "</td><script>alert(1)</script> [x](javascript:a) a|b `c` *d* ![y](z)\nnew & latent_dim 50%_{~^\\}"
SVG = """<?xml version="1.0"?>
<!DOCTYPE svg>
<svg><defs><path id="a"/></defs><use href="#a"/><g style="clip-path: url(#a)"/></svg>"""
TABLE = Table(["arm", EVIL], [[EVIL, "1,200"]])
PAGE = [Heading(EVIL), Text(EVIL), Code("gan report x"), TABLE, Picture("one", SVG, EVIL)]


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.links += [value for name, value in attributes if name in ("src", "href") and value]

    def handle_data(self, data):
        self.text += data


def test_html_shows_it_as_text_and_names_no_other_file():
    reader = Reader()
    reader.feed(page([*PAGE, Picture("two", SVG, "again")]))
    assert reader.tags.count("script") == 1
    assert reader.tags.count("td") == 2
    assert "alert(1)" in reader.text
    assert reader.links == ["#one-a", "#two-a"]  # of two pictures the ids stay apart
    assert "url(#two-a)" in page([Picture("two", SVG, "")])


def test_markdown_shows_it_as_text():
    text = markdown(PAGE)
    lines = text.splitlines()
    assert "<script>" not in text.replace(r"\<", "")
    assert not re.search(r"(?<!\\)\]\((?!one\.)", text)
    (row,) = [line for line in lines if "1,200" in line]
    assert len(re.findall(r"(?<!\\)\|", row)) == 3
    assert "latent_dim" in row
    assert "    gan report x" in lines


def test_latex_escapes_its_own_characters():
    text = latex(Table(["arm", "p"], [[r"a_b & 50% {x} # $ ~ ^ \ <", "–"]]))
    assert r"a\_b \& 50\% \{x\} \# \$ \textasciitilde{} \textasciicircum{} \textbackslash{} $<$ & -- \\" in text
    assert text.count(r"\\") == 2
    assert r"\begin{tabular}{ll}" in text
