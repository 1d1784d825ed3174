import duckdb
import pytest

from ml_pipeline.operations.catalog_drift import drift_agreement_view
from ml_pipeline.operations.site import Site


def test_nights_without_a_report_are_not_in_it(shop_site: Site) -> None:
    """The shop's limit is 0.25; the second night has no report by Evidently."""
    rows = (
        "('2024-05-05'::date, 'm1', 0.30::double, 0.20::double, false), ('2024-05-05'::date, 'm1', 0.10, 0.15, true), "
        "('2024-05-05'::date, 'm1', 0.50, 0.90, true), ('2024-05-06'::date, 'm1', 0.50, null, null)"
    )
    with duckdb.connect() as connection:
        connection.execute(
            "create view drift as select * from (values "
            f"{rows}) as t (score_date, model_version, psi, evidently_psi, agrees_with_evidently)"
        )
        found = connection.sql(drift_agreement_view(shop_site).sql).fetchall()
    assert [row[1:6] for row in found] == [("m1", 3, 2, 1, 2)]
    assert found[0][6:] == (2 / 3, pytest.approx(0.4))
