from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from ml_pipeline.cli.alerts import alerts
from ml_pipeline.contracts.alerts import parse_channels
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.receivers import http_receiver


def invoke(site: Site, *arguments: str) -> Result:
    return CliRunner().invoke(alerts, list(arguments), obj=lambda: site)


def test_the_channels_can_be_tried_and_the_list_says_who_took_it(shop_site: Site) -> None:
    with http_receiver() as posts:
        site = replace(shop_site, channels=parse_channels(f"slack+http://127.0.0.1:{posts.port}/"))
        tried = invoke(site, "test")
        assert (tried.exit_code, tried.output) == (0, "1 sent through 1 channels\n")
        assert b"this is a test" in posts.given[0][2]
        assert invoke(site, "deliver").output == "0 sent through 1 channels\n"
        listed = invoke(site, "list").output
    assert "this is a test" in listed and "(taken by 1:slack@127.0.0.1)" in listed
    assert "ml_pipeline/RUNBOOKS.md#this-is-a-test" in listed


@pytest.mark.parametrize("command", ["test", "deliver"])
def test_no_channel_and_a_dead_one_end_with_one(shop_site: Site, command: str) -> None:
    without = invoke(shop_site, command)
    assert (without.exit_code, "ML_PIPELINE_ALERT_CHANNELS" in without.output) == (1, True)
    with http_receiver() as posts:
        posts.status = 503
        site = replace(shop_site, channels=parse_channels(f"webhook+http://127.0.0.1:{posts.port}/"))
        invoke(site, "test")
        dead = invoke(site, command)
    assert dead.exit_code == 1
    assert "1:webhook@127.0.0.1: left alone until" in dead.output
