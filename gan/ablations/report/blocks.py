"""What a page is made of, and how it is written: as Markdown, as HTML, and its tables as LaTeX."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Heading:
    """The title of what follows. The first one is that of the page."""

    text: str


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Code:
    """A command."""

    text: str


@dataclass(frozen=True)
class Table:
    """Cells of text below their columns' names."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A figure, which lies beside the page as NAME.svg and NAME.pdf."""

    name: str
    svg: str
    caption: str


Block = Heading | Text | Code | Table | Picture


# Markdown ---


def markdown(blocks: Sequence[Block]) -> str:
    """Return a page as Markdown. Pictures are links to the files beside it."""
    parts = []
    for place, block in enumerate(blocks):
        match block:
            case Heading(text):
                parts.append(f"{'#' if place == 0 else '##'} {_plain(text)}")
            case Text(text):
                parts.append(_plain(text))
            case Code(text):
                parts.append("\n".join(f"    {line}" for line in text.splitlines()))
            case Table(columns, rows):
                lines = [columns, ["---"] * len(columns), *rows]
                parts.append("\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines))
            case Picture(name, _, caption):
                parts.append(f"![{name}]({name}.svg)\n\n{_plain(caption)} ([PDF]({name}.pdf))")
    return "\n\n".join(parts) + "\n"


def _plain(text: str) -> str:
    """Return text without what Markdown or HTML would take for a mark. Names of keys keep their underscores."""
    return re.sub(r"([\\`*<>|]|\](?=\())", r"\\\1", " ".join(text.split()))


def _cell(text: str) -> str:
    return text if text == "---" else _plain(text)


# HTML ---

STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; color: #111; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ccc; }
th { cursor: pointer; border-bottom: 2px solid #333; white-space: nowrap; }
th[aria-sort=ascending]::after { content: " ▲"; } th[aria-sort=descending]::after { content: " ▼"; }
figure { margin: 1rem 0; } figure > svg { width: 54rem; max-width: 100%; height: auto; }
svg image { image-rendering: pixelated; }
figcaption { font-size: .85rem; color: #333; } pre { background: #f4f4f4; padding: .6rem; overflow-x: auto; }
@media print { body { font-size: 10pt; margin: 0; max-width: none; } .wide { overflow: visible; }
  table { font-size: 7.5pt; } th { white-space: normal; } th::after { content: none !important; }
  tr, figure { break-inside: avoid; } h2 { break-after: avoid; } pre { white-space: pre-wrap; } }
"""
SCRIPT = """
for (const th of document.querySelectorAll("th")) th.onclick = () => {
  const body = th.closest("table").tBodies[0], up = th.ariaSort !== "ascending";
  const value = row => row.cells[th.cellIndex].textContent.replaceAll(",", "");
  const order = (a, b) => (parseFloat(a) - parseFloat(b)) || a.localeCompare(b);
  for (const other of th.parentNode.cells) other.ariaSort = null;
  th.ariaSort = up ? "ascending" : "descending";
  body.append(...[...body.rows].sort((a, b) => (up ? 1 : -1) * order(value(a), value(b))));
};
"""


def page(blocks: Sequence[Block]) -> str:
    """Return a page as HTML, in one file: with its pictures, its style, and a script that sorts tables."""
    parts = []
    for place, block in enumerate(blocks):
        match block:
            case Heading(text):
                parts.append(f"<h{1 + (place > 0)}>{html.escape(text)}</h{1 + (place > 0)}>")
            case Text(text):
                parts.append(f"<p>{html.escape(text)}</p>")
            case Code(text):
                parts.append(f"<pre>{html.escape(text)}</pre>")
            case Table(columns, rows):
                head = "".join(f"<th>{html.escape(column)}</th>" for column in columns)
                body = "\n".join(f"<tr>{''.join(f'<td>{html.escape(c)}</td>' for c in row)}</tr>" for row in rows)
                table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
                parts.append(f'<div class="wide">{table}</div>')
            case Picture(name, svg, caption):
                figure = _inline(svg, name)
                parts.append(f"<figure>{figure}<figcaption>{html.escape(caption)}</figcaption></figure>")
    title = html.escape(next((block.text for block in blocks if isinstance(block, Heading)), ""))
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>\n'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n<body>\n'
        + "\n".join(parts)
        + f"\n<script>{SCRIPT}</script></body></html>\n"
    )


def _inline(svg: str, name: str) -> str:
    """Return an SVG that may stand in a page beside others: without its prologue, and with ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", svg)


# LaTeX ---

SPECIAL = {c: rf"\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}"}
SPECIAL |= {"^": r"\textasciicircum{}", "–": "--", "…": r"\dots{}", "±": r"$\pm$", "<": r"$<$", ">": r"$>$"}


def latex(table: Table) -> str:
    """Return a table as a tabular of the package booktabs."""
    lines = [
        " & ".join("".join(SPECIAL.get(c, c) for c in cell) for cell in row) for row in (table.columns, *table.rows)
    ]
    head, *rows = (rf"{line} \\" for line in lines)
    body = "\n".join([rf"\begin{{tabular}}{{{'l' * len(table.columns)}}}", r"\toprule", head, r"\midrule", *rows])
    return "% needs \\usepackage{booktabs}\n" + body + "\n\\bottomrule\n\\end{tabular}\n"


def write(blocks: Sequence[Block], directory: Path) -> None:
    """Write report.md and report.html."""
    from gan.runs.directory import write_text

    write_text(directory / "report.md", markdown(blocks))
    write_text(directory / "report.html", page(blocks))
