"""A report as one HTML file that needs nothing else: no script, no font, no picture from anywhere."""

import html
import re
from collections.abc import Iterator, Sequence

from ml_pipeline.domain.document import Block, Bullets, Document, Figure, Paragraph, Section, Table, Tiles

# Nothing may be fetched or run, whatever text from a project or a row is shown.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_NUMBER = re.compile(r"([+-]?[\d.,]+%?( \(.*\))?|not known|none)?")

_STYLE = """
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #ffffff; --ink: #1d2129; --soft: #5c6470; --rule: #dfdcd6;
  --model: #1f5fa8; --baseline: #c8552b; --warn: #a3341b; --band: #f3f1ec; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171c; --card: #1b1f26; --ink: #e6e4df; --soft: #9aa3b0;
  --rule: #333a45; --model: #7db4f0; --baseline: #f09a74; --warn: #ff9b85; --band: #222832; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .8rem; letter-spacing: -.01em; text-wrap: balance; }
h2 { font-size: 1.2rem; margin: 2.6rem 0 .7rem; padding-top: .9rem; border-top: 1px solid var(--rule); }
p, li { max-width: 46rem; } p { margin: .6rem 0; } ul { padding-left: 1.2rem; margin: .6rem 0; }
header > p:first-of-type { font-size: 1.1rem; color: var(--soft); }
code { font: .88em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; background: var(--band);
  padding: .08em .3em; border-radius: 3px; overflow-wrap: anywhere; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: .8rem; margin: 1.2rem 0; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.45rem; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1.3; }
.tile span { display: block; color: var(--soft); font-size: .85rem; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .875rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .38rem .9rem .38rem 0; border-bottom: 1px solid var(--rule); }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; } td:last-child, th:last-child { padding-right: .2rem; }
.n { text-align: right; white-space: nowrap; } td:not(.n):last-child { min-width: 12rem; }
td:first-child { white-space: nowrap; }
figure { margin: 1.2rem 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; padding: 1rem; }
figure svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption { color: var(--soft); font-size: .875rem; margin: .7rem auto 0; max-width: 46rem; }
nav { font-size: .875rem; margin: 1.2rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; }
a { color: var(--model); text-decoration: none; } a:hover { text-decoration: underline; }
strong { font-weight: 650; }
svg text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--ink); }
svg .soft { fill: var(--soft); } svg .grid { stroke: var(--rule); } svg .ideal { stroke: var(--soft); stroke-dasharray: 5 4; }
svg .model { stroke: var(--model); } svg .baseline { stroke: var(--baseline); } svg .dot-model { fill: var(--model); }
svg .dot-baseline { fill: var(--card); stroke: var(--baseline); } svg .bar { fill: var(--model); opacity: .35; }
svg .off { stroke: var(--warn); } svg .dot-off { fill: var(--warn); } svg .quiet { stroke: var(--soft); }
svg .dot-quiet { fill: var(--soft); } svg polyline { fill: none; }
@media print { :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --soft: #444; --rule: #bbb;
    --model: #1f5fa8; --baseline: #c8552b; --warn: #a3341b; --band: #f2f2f2; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; } nav { display: none; } .scroll { overflow: visible; }
  h2 { break-after: avoid; } figure, .tiles, tr { break-inside: avoid; } table { font-size: 8.5pt; } }
"""


def document_html(document: Document) -> str:
    """The file; every text of the document is escaped, and the same document gives the same bytes."""
    links = "".join(
        f'<a href="#s{number}">{_escaped(section.title)}</a>'
        for number, section in enumerate(document.sections, start=1)
    )
    body = "\n".join(_section(number, section) for number, section in enumerate(document.sections, start=1))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_escaped(document.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>{_escaped(document.title)}</h1>
{_blocks(document.lead)}
<nav>{links}</nav>
</header>
{body}
</main>
</body>
</html>
"""


def _section(number: int, section: Section) -> str:
    return f'<section id="s{number}">\n<h2>{_escaped(section.title)}</h2>\n{_blocks(section.blocks)}\n</section>'


def _blocks(blocks: Sequence[Block]) -> str:
    return "\n".join("".join(_html(block)) for block in blocks)


def _html(block: Block) -> Iterator[str]:
    if isinstance(block, Paragraph):
        yield f"<p>{_marked(block.text)}</p>"
    elif isinstance(block, Bullets):
        yield f"<ul>{''.join(f'<li>{_marked(item)}</li>' for item in block.items)}</ul>"
    elif isinstance(block, Tiles):
        tiles = (
            f'<div class="tile"><span>{_escaped(tile.name)}</span><b>{_escaped(tile.value)}</b>'
            f"<span>{_escaped(tile.note)}</span></div>"
            for tile in block.tiles
        )
        yield f'<div class="tiles">{"".join(tiles)}</div>'
    elif isinstance(block, Figure):
        yield f"<figure>{block.svg}<figcaption>{_escaped(block.caption)}</figcaption></figure>"
    else:
        yield from _table(block)


def _table(table: Table) -> Iterator[str]:
    """Columns of nothing but numbers stand to the right, so that digits line up."""
    columns = range(len(table.head))
    is_number = [all(_NUMBER.fullmatch(row[place]) for row in table.rows) for place in columns]
    kinds = [' class="n"' if is_right and table.rows else "" for is_right in is_number]
    yield '<div class="scroll"><table><thead><tr>'
    yield "".join(f"<th{kinds[place]}>{_escaped(table.head[place])}</th>" for place in columns)
    yield "</tr></thead><tbody>"
    for row in table.rows:
        yield f"<tr>{''.join(f'<td{kinds[place]}>{_escaped(row[place])}</td>' for place in columns)}</tr>"
    yield "</tbody></table></div>"


def _escaped(text: str) -> str:
    return html.escape(text, quote=True)


def _marked(text: str) -> str:
    coded = re.sub(r"`([^`]+)`", r"<code>\1</code>", _escaped(text))
    return re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", coded)
