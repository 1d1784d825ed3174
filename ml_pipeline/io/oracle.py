"""The optional oracle of a use case: ``oracle.py``, a second opinion on its features, only ever compared with a table."""

from collections.abc import Collection, Mapping
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType
from typing import TYPE_CHECKING, Protocol, cast

from ml_pipeline.nights import Night, NightCalendar

if TYPE_CHECKING:
    import pandas as pd

_FILE, _CLASS = "oracle.py", "Oracle"
_REMEDY = (
    f"write a class {_CLASS}(landed, calendar) with the names of its features in the class attribute features "
    "and a method cell(key, night, feature), or remove the file"
)

Cell = float | str | None


class OracleError(ValueError):
    """A use case's oracle lacks what it must have."""


class Oracle(Protocol):
    """Recomputes single cells of the feature table from landed rows."""

    def cell(self, key: Mapping[str, object], night: Night, feature: str) -> Cell:
        """The value of ``feature`` for the entity ``key`` as ``night`` knew it, None where it is missing."""


class OracleClass(Protocol):
    """Makes the oracle of all landed rows, by source; also of rows that a night must not see: it leaves them out itself.

    Attributes:
        features: names of the features that it knows.
    """

    features: Collection[str]

    def __call__(self, landed: Mapping[str, "pd.DataFrame"], calendar: NightCalendar) -> Oracle:
        """``landed`` has for each source the contract's columns and ``score_date``, the night that landed the row."""


def load_oracle(folder: Path) -> OracleClass | None:
    """The oracle of the use case in ``folder``, None if it brings none. Runs the file, as importing it would.

    Raises:
        OracleError: the file lacks the class or a part of it; names file and remedy.
    """
    path = folder / _FILE
    if not path.is_file():
        return None
    loader = _UncachedLoader(f"oracle_of_{folder.name}", str(path))
    spec = spec_from_file_location(loader.name, path, loader=loader)
    if spec is None:
        raise OracleError(f"{path} cannot be loaded as Python; {_REMEDY}")
    module = module_from_spec(spec)
    loader.exec_module(module)
    found = getattr(module, _CLASS, None)
    if found is None:
        raise OracleError(f"{path} defines no class {_CLASS}; {_REMEDY}")
    if not callable(getattr(found, "cell", None)):
        raise OracleError(f"{path}: class {_CLASS} has no method cell; {_REMEDY}")
    if not getattr(found, "features", None):
        raise OracleError(f"{path}: class {_CLASS} names no features; {_REMEDY}")
    return cast("OracleClass", found)


class _UncachedLoader(SourceFileLoader):
    """Leaves no bytecode in the use case's folder, which may be read-only, and never runs bytecode of an older text."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.get_filename(fullname))
