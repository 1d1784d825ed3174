"""A model's Jinja: ``source()``, ``ref()`` and ``spine()``, and nothing else."""

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError, nodes

from ml_pipeline.contracts.source import SourceContract


class SqlRefusedError(ValueError):
    """A model was refused; the message names the file, the line, the reason and the remedy."""

    def __init__(self, path: str, line: int, reason: str, remedy: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}. {remedy[:1].upper()}{remedy[1:]}.")
        self.path, self.line = path, line


@dataclass(frozen=True)
class SqlModel:
    """One model.

    Attributes:
        path: relative to the project.
        sql: the compiled text; its line numbers are those of the file.
        sources: (name, lookback days or None) pairs.
        ref_lines: the line on which each of ``refs`` is first read.
    """

    name: str
    folder: str
    path: str
    text: str
    sql: str
    sources: tuple[tuple[str, int | None], ...]
    refs: tuple[str, ...]
    ref_lines: tuple[tuple[str, int], ...] = ()

    @property
    def relations(self) -> frozenset[str]:
        """Names of the gated relations that the compiled SQL may read."""
        return frozenset({source_relation(*source) for source in self.sources} | set(self.refs))

    def line_of_ref(self, name: str) -> int:
        """The line on which model ``name`` is first read, 1 if it is not read."""
        return dict(self.ref_lines).get(name, 1)


def source_relation(name: str, lookback_days: int | None) -> str:
    """Name of the gated relation behind ``source(name, lookback_days)``."""
    return f"source__{name}" if lookback_days is None else f"source__{name}__{lookback_days}_days"


def line_of(text: str, *words: str) -> int:
    """The first line of ``text`` that holds one of ``words`` outside of a comment, 1 if none does."""
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words) or r"\Z.", re.IGNORECASE)
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if pattern.search(line.split("--")[0])), 1)


def render(path: Path, *, folder: Path, sources: dict[str, SourceContract]) -> SqlModel:
    """Compile the Jinja of one model; line numbers of the text stay those of the file.

    Nothing is handed to Jinja to run: its parser gives the pieces, and each call is made here. A filter, a loop or an
    attribute is therefore refused even where Jinja itself would have allowed it (``[7, 28] | random`` is one).
    """
    reads = _Reads(str(path.relative_to(folder)), sources)
    text = path.read_text(encoding="utf-8")
    sql = ""
    for piece in _pieces(text, reads.path):
        # A comment, or white space that Jinja strips, must not move the lines that refusals point at.
        sql += "\n" * (piece.lineno - 1 - sql.count("\n"))
        sql += reads.call(piece) if isinstance(piece, nodes.Call) else piece.data
    return SqlModel(
        path.stem, path.parent.name, reads.path, text, sql, tuple(sorted(reads.sources, key=str)),
        tuple(sorted(reads.refs)), tuple(sorted(reads.refs.items())),
    )  # fmt: skip


_ONLY = "only source('name', lookback_days=n), ref('model') and spine() may stand between the braces"


def _pieces(text: str, path: str) -> Iterator[nodes.TemplateData | nodes.Call]:
    """The plain texts and the calls of a template, in order; anything else is refused."""
    try:
        template = Environment(autoescape=True).parse(text)
    except TemplateSyntaxError as error:
        raise SqlRefusedError(path, error.lineno, str(error), _ONLY) from error
    for statement in template.body:
        for piece in statement.nodes if isinstance(statement, nodes.Output) else [statement]:
            if not isinstance(piece, nodes.TemplateData | nodes.Call):
                raise SqlRefusedError(
                    path, piece.lineno, f"Jinja's {type(piece).__name__.lower()} is not allowed", _ONLY
                )
            yield piece


class _Reads:
    """The three functions of the templates; remembers what was asked for."""

    def __init__(self, path: str, contracts: dict[str, SourceContract]) -> None:
        self.path, self._contracts, self._line = path, contracts, 1
        self.sources: set[tuple[str, int | None]] = set()
        self.refs: dict[str, int] = {}

    def call(self, call: nodes.Call) -> str:
        """Make one call of a template; raises SqlRefusedError unless it is one of the three, with plain arguments."""
        self._line = call.lineno
        functions: dict[str, Callable[..., str]] = {"source": self.source, "ref": self.ref, "spine": self.spine}
        name = call.node.name if isinstance(call.node, nodes.Name) else ""
        if name not in functions or call.dyn_args or call.dyn_kwargs:
            raise self._refused(f"{name}() is unknown here" if name else "this call is not allowed", _ONLY)
        values = [*call.args, *(keyword.value for keyword in call.kwargs)]
        if not all(isinstance(_positive(value), nodes.Const) for value in values):
            raise self._refused(f"{name}() takes plain values only", _ONLY)
        named = {keyword.key: keyword.value.as_const() for keyword in call.kwargs}
        try:
            arguments = inspect.signature(functions[name]).bind(*(value.as_const() for value in call.args), **named)
        except TypeError as error:
            raise self._refused(f"{name}() is called with other arguments than it has ({error})", _ONLY) from error
        return functions[name](*arguments.args, **arguments.kwargs)

    def source(self, name: str, lookback_days: int | None = None) -> str:
        if name not in self._contracts:
            raise self._refused(
                f"source('{name}') is not declared", f"declared in sources.yml are {sorted(self._contracts)}"
            )
        if self._contracts[name].reference:
            lookback_days = None
        elif not isinstance(lookback_days, int) or isinstance(lookback_days, bool) or not 1 <= lookback_days <= 400:
            raise self._refused(
                f"source('{name}') has no lookback",
                f"write source('{name}', lookback_days=n) with 1 to 400 days, so that a night has a fixed cost",
            )
        self.sources.add((name, lookback_days))
        return source_relation(name, lookback_days)

    def ref(self, name: str) -> str:
        if not isinstance(name, str):
            raise self._refused(f"ref({name!r}) names no model", _ONLY)
        self.refs.setdefault(name, self._line)
        return name

    def spine(self) -> str:
        return self.ref("spine")

    def _refused(self, reason: str, remedy: str) -> SqlRefusedError:
        return SqlRefusedError(self.path, self._line, reason, remedy)


def _positive(value: nodes.Expr) -> nodes.Expr:
    # -7 is a constant to the user, and a minus before one to the parser.
    return value.node if isinstance(value, nodes.Neg) else value
