"""All rows of the corpus, in order."""

from ml_pipeline_tests.corpus import bombs, columns, files, models, nights, rows
from ml_pipeline_tests.corpus.models import ModelCase
from ml_pipeline_tests.corpus.workshop import Bench, Case, Result

DELIVERIES: tuple[Case, ...] = tuple(
    sorted((*files.CASES, *bombs.CASES, *columns.CASES, *rows.CASES, *nights.CASES), key=lambda case: int(case.row[1:]))
)
ALL: tuple[Case | ModelCase, ...] = tuple(sorted((*DELIVERIES, *models.CASES), key=lambda case: int(case.row[1:])))
ROWS = tuple(f"B{number}" for number in range(1, 34))


def attempt(case: Case | ModelCase, bench: Bench) -> Result:
    return case.attempt(bench) if isinstance(case, ModelCase) else bench.run(case)


def violations(case: Case | ModelCase, result: Result) -> list[str]:
    """How ``result`` is not what the corpus asks for."""
    found = list(result.faults)
    if result.outcome != case.outcome:
        found.append(f"{result.outcome} instead of {case.outcome}: {result.message}")
    found += [
        f"the message does not say {words!r}: {result.message}" for words in case.says if words not in result.message
    ]
    account = case.account if isinstance(case, Case) else None
    if account is not None and result.account != account:
        found.append(f"rows landed, quarantined, deduplicated: {result.account} instead of {account}")
    return found
