import time

from ml_pipeline.defs.meter import Meter


def burn(seconds: float) -> None:
    """Work on the processor, so that processor time passes too."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_an_asset_ends_where_the_next_begins() -> None:
    meter = Meter()
    assert meter.begin("r1", "raw/orders", 1)
    burn(0.12)
    so_far = meter.publish("r1", "raw/orders", nights_changed=1, rows=40)
    burn(0.12)
    assert not meter.begin("r1", "features", 1)
    costs = meter.costs("r1")
    assert list(costs) == ["raw/orders", "features"]
    assert so_far is not None
    assert 0.1 <= so_far.cpu_seconds <= costs["raw/orders"].cpu_seconds - 0.1
    assert costs["raw/orders"].wall_seconds >= 0.24 > costs["features"].wall_seconds
    assert (costs["raw/orders"].nights_changed, costs["raw/orders"].rows) == (1, 40)
    assert costs["features"].peak_memory_mib > 10


def test_what_was_measured_does_not_grow_afterwards() -> None:
    meter = Meter()
    meter.begin("r1", "scores", 7)
    first = meter.costs("r1")
    burn(0.02)
    assert meter.costs("r1") == first


def test_a_run_knows_nothing_of_another_one() -> None:
    meter = Meter()
    meter.begin("r1", "scores", 1)
    assert meter.publish("r2", "scores", nights_changed=1, rows=1) is None
    assert meter.publish("r1", "features", nights_changed=1, rows=1) is None
    assert meter.begin("r2", "features", 2)
    assert meter.costs("r1") == {}
    assert list(meter.costs("r2")) == ["features"]


def test_a_retry_is_measured_anew() -> None:
    meter = Meter()
    meter.begin("r1", "scores", 1)
    burn(0.1)
    meter.begin("r1", "scores", 1)
    assert meter.costs("r1")["scores"].cpu_seconds < 0.05
