from ml_pipeline.operations.site import Site
from ml_pipeline_tests.cli.test_main import invoke


def test_it_lists_and_removes_only_when_asked_with_a_reason(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    left = site.data / ".views.sql.4194303.aside"
    left.write_text("half", encoding="utf-8")
    listed = invoke(site, "vacuum")
    assert listed.exit_code == 0, listed.output
    assert f"would remove {left.name}: 4 bytes, 0.0 days, written aside by a process that died" in listed.output
    assert "bytes: live: the newest revision holds it" in listed.output
    assert "would remove 1 files, 4 bytes; --delete --reason ... does it" in listed.output
    refused = invoke(site, "vacuum", "--delete")
    assert (refused.exit_code, "--delete needs --reason" in refused.output, left.exists()) == (1, True, True)
    done = invoke(site, "vacuum", "--delete", "--reason", "after a crash")
    assert (done.exit_code, left.exists()) == (0, False), done.output
    assert f"removed {left.name}" in done.output
    assert "would remove 0 files" in invoke(site, "vacuum").output
    assert invoke(site, "verify").exit_code == 0
