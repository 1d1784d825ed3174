from ml_pipeline.operations.site import Site
from ml_pipeline_tests.cli.test_main import invoke


def test_it_says_what_is_damaged_and_ends_with_one(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    whole = invoke(site, "verify")
    assert (whole.exit_code, "0 not as published" in whole.output) == (0, True), whole.output
    file = site.tables.files("raw/orders")[0]
    file.write_bytes(file.read_bytes()[:-1])
    damaged = invoke(site, "verify")
    assert damaged.exit_code == 1
    assert f"DAMAGED {file.relative_to(site.data)}: it was changed after it was published" in damaged.output
