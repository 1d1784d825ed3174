"""A page as the standard library's parser sees it, which knows nothing of what wrote it."""

from html.parser import HTMLParser

_VOID = {"meta", "input"}


class Parsed(HTMLParser):
    """Tags with their attributes, the text inside each, and rows of tables by their id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.rows: list[tuple[str | None, list[str]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append((dict(attrs).get("id"), []))
        if tag in {"td", "th"}:
            self.rows[-1][1].append("")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "script" in self.open or "style" in self.open:
            return
        self.text += data
        if {"td", "th"} & set(self.open):
            self.rows[-1][1][-1] += data

    @property
    def ids(self) -> list[str]:
        return [one["id"] or "" for _, one in self.tags if "id" in one]

    def row(self, name: str) -> list[str]:
        (found,) = [cells for row_id, cells in self.rows if row_id == name]
        return found

    def rows_headed(self, start: str) -> list[list[str]]:
        return [cells for _, cells in self.rows if cells and cells[0].startswith(start)]
