"""A report as content, apart from how it is shown: Markdown here, HTML in ``document_html``."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Row = Sequence[str]


@dataclass(frozen=True)
class Paragraph:
    """Text; `` `code` `` and ``**strong**`` are the only marks that HTML knows too."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """Texts with the marks of a paragraph."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """Cells are plain text; every row has as many as ``head``."""

    head: Row
    rows: Sequence[Row]


@dataclass(frozen=True)
class Figure:
    """``svg`` is drawn by this package, so it is shown as it is; Markdown shows the caption alone."""

    svg: str
    caption: str


@dataclass(frozen=True)
class Tile:
    """One number that matters: what it is, the number, and what to hold it against."""

    name: str
    value: str
    note: str


@dataclass(frozen=True)
class Tiles:
    tiles: tuple[Tile, ...]


Block = Paragraph | Bullets | Table | Figure | Tiles


@dataclass(frozen=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """``lead`` stands under the title, before the first section."""

    title: str
    lead: tuple[Block, ...]
    sections: tuple[Section, ...]


def document_markdown(document: Document) -> str:
    """The document for terminals, Dagster and git; the same document gives the same text."""
    parts = [f"# {document.title}", blocks_markdown(document.lead)]
    for section in document.sections:
        parts += [f"## {section.title}", blocks_markdown(section.blocks)]
    return "\n\n".join(parts) + "\n"


def blocks_markdown(blocks: Sequence[Block]) -> str:
    return "\n\n".join("\n".join(_lines(block)) for block in blocks)


def _lines(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from (f"| {' | '.join(line)} |" for line in (block.head, ["---"] * len(block.head)))
        yield from (f"| {' | '.join(_cell(cell) for cell in row)} |" for row in block.rows)
    elif isinstance(block, Bullets):
        yield from (f"- {item}" for item in block.items)
    elif isinstance(block, Tiles):
        yield from (f"- {tile.name}: **{tile.value}** ({tile.note})" for tile in block.tiles)
    else:
        yield block.text if isinstance(block, Paragraph) else f"*{block.caption}*"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
