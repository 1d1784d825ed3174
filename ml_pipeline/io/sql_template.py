"""A model's Jinja: ``source()``, ``ref()`` and ``spine()``, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ml_pipeline.contracts.source import SourceContract


class SqlRefusedError(ValueError):
    """A model was refused; the message names the file, the line, the reason and the remedy."""

    def __init__(self, path: str, line: int, reason: str, remedy: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}. {remedy[:1].upper()}{remedy[1:]}.")
        self.path, self.line = path, line


@dataclass(frozen=True)
class SqlModel:
    """One model. ``path`` is relative to the project; ``sources`` holds (name, lookback days or None) pairs."""

    name: str
    folder: str
    path: str
    text: str
    sql: str
    sources: tuple[tuple[str, int | None], ...]
    refs: tuple[str, ...]

    @property
    def relations(self) -> frozenset[str]:
        """Names of the gated relations that the compiled SQL may read."""
        return frozenset({source_relation(*source) for source in self.sources} | set(self.refs))


def source_relation(name: str, lookback_days: int | None) -> str:
    """Name of the gated relation behind ``source(name, lookback_days)``."""
    return f"source__{name}" if lookback_days is None else f"source__{name}__{lookback_days}_days"


def render(path: Path, *, folder: Path, sources: dict[str, SourceContract]) -> SqlModel:
    """Compile the Jinja of one model; line numbers of the text stay those of the file."""
    reads = _Reads(str(path.relative_to(folder)), sources)
    text = path.read_text(encoding="utf-8")
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    environment.globals.clear()
    environment.globals.update(source=reads.source, ref=reads.ref, spine=reads.spine)
    try:
        sql = environment.from_string(text).render()
    except TemplateSyntaxError as error:
        raise SqlRefusedError(reads.path, error.lineno, str(error), _ONLY) from error
    except TemplateError as error:
        raise SqlRefusedError(reads.path, reads.line_of(text, str(error)), str(error), _ONLY) from error
    return SqlModel(
        path.stem, path.parent.name, reads.path, text, sql, tuple(sorted(reads.sources, key=str)), tuple(sorted(reads.refs))
    )


_ONLY = "only source('name', lookback_days=n), ref('model') and spine() may stand between the braces"


class _Reads:
    """The three functions of the templates; remembers what was asked for."""

    def __init__(self, path: str, contracts: dict[str, SourceContract]) -> None:
        self.path, self._contracts = path, contracts
        self.sources: set[tuple[str, int | None]] = set()
        self.refs: set[str] = set()

    def source(self, name: str, lookback_days: int | None = None) -> str:
        if name not in self._contracts:
            raise SqlRefusedError(
                self.path, 1, f"source('{name}') is not declared", f"sources.yml has {sorted(self._contracts)}"
            )
        if self._contracts[name].reference:
            lookback_days = None
        elif not isinstance(lookback_days, int) or isinstance(lookback_days, bool) or not 1 <= lookback_days <= 400:
            raise SqlRefusedError(
                self.path, 1, f"source('{name}') has no lookback",
                f"write source('{name}', lookback_days=n) with 1 to 400 days, so that a night has a fixed cost",
            )  # fmt: skip
        self.sources.add((name, lookback_days))
        return source_relation(name, lookback_days)

    def ref(self, name: str) -> str:
        self.refs.add(name)
        return name

    def spine(self) -> str:
        return self.ref("spine")

    @staticmethod
    def line_of(text: str, message: str) -> int:
        """The first line that holds a word the message quotes, 1 if none does."""
        quoted = message.split("'")[1::2]
        for number, line in enumerate(text.splitlines(), start=1):
            if any(word in line for word in quoted):
                return number
        return 1
