"""The shop with a replay: a policy that asks for a model after few nights, so that a week of nights holds every act."""

from datetime import date

from ml_pipeline.operations.site import Site
from ml_pipeline_tests.conftest import open_test_site

FIRST, LAST = date(2024, 5, 5), date(2024, 5, 12)
_OTHER = (
    ("early_stop_nights: 10", "early_stop_nights: 5"), ("calibrate_nights: 12", "calibrate_nights: 6"),
    ("test_nights: 12", "test_nights: 8"), ("persistence_nights: 3", "persistence_nights: 1"),
    ("cool_down_nights: 14", "cool_down_nights: 3"),
)  # fmt: skip
_INCIDENTS = """
    - {name: no_returns, title: No return is known for six nights, kind: late, source: returns, first: 2024-05-05, nights: 6}
    - {name: cents, title: Prices come in cents, kind: scaled, source: orders, first: 2024-05-11, nights: 1, column: price_eur,
       factor: 100}
"""


def with_replay(site: Site, *, incidents: str = "") -> Site:
    """``site`` with a replay of FIRST to LAST and, on request, incidents; opened anew."""
    path = site.sql.folder / "project.yml"
    text = path.read_text(encoding="utf-8")
    for old, new in _OTHER:
        assert old in text
        text = text.replace(old, new)
    text += "policy: {min_matured_nights: 1, min_matured_rows: 20, least_cost_saving: 0.9, of_nights: 3}\n"
    text += f"replay:\n  first: {FIRST}\n  last: {LAST}\n  clean_until: 2024-05-08\n"
    path.write_text(text + (f"  incidents:{incidents}" if incidents else ""), encoding="utf-8")
    return open_test_site(site.sql.folder, site.data)


def with_incidents(site: Site) -> Site:
    return with_replay(site, incidents=_INCIDENTS)
