import re
from datetime import date

from ml_pipeline.nights import nights_between
from ml_pipeline.operations.land import LandingHeldError, land
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.conftest import open_test_site

HELD, SET_ASIDE = date(2024, 3, 10), "2024-02-27"
ORDERS = "orders/2024-03.csv"


def spoil(site: Site) -> None:
    """Every order of 10 March costs a hundred times as much: cents, where EUR were meant."""
    path = site.sql.folder / "deliveries" / ORDERS
    lines = path.read_text(encoding="utf-8").splitlines()
    names = lines[0].replace('"', "").split(",")
    price, day = names.index("price_eur"), names.index("dispatch_date")
    rows = [line.split(",") for line in lines[1:]]
    for row in rows:
        row[price] = f"{float(row[price]) * 100:g}" if row[day] == str(HELD) else row[price]
    path.write_text("\n".join([lines[0], *(",".join(row) for row in rows)]) + "\n", encoding="utf-8")


def test_a_held_night_is_listed_accepted_once_with_a_reason_and_lands(shop_site: Site) -> None:
    spoil(shop_site)
    nights = nights_between(shop_site.calendar.first_night, HELD)
    refusals = []
    for _ in range(2):
        try:
            land(shop_site, "orders", nights)
        except LandingHeldError as held:
            refusals.append(str(held))
    assert len(refusals) == 2 and len(set(refusals)) == 1
    assert "column price_eur, scale: the median is" in refusals[0] and "Nothing" not in refusals[0]
    assert shop_site.tables.version("raw/orders") == -1
    (hold_id,) = set(re.findall(r"\[([0-9a-f]{12})\]", refusals[0]))
    listed = invoke(shop_site, "hold", "list").output
    assert hold_id in listed and "orders, 2024-03-10" in listed and "(open)" in listed
    assert "No such option" not in invoke(shop_site, "hold", "accept", hold_id, "--reason", " ").output
    assert len(shop_site.ledger("holds").entries()) == 1
    done = invoke(shop_site, "hold", "accept", hold_id, "--reason", "prices are in cents that day")
    assert (done.exit_code, done.output.strip()) == (0, "orders, 2024-03-10: accepted; run the night again")
    assert "accepted before" in invoke(shop_site, "hold", "accept", hold_id, "--reason", "again").output
    assert land(shop_site, "orders", nights).published is not None
    assert "(accepted: prices are in cents that day)" in invoke(shop_site, "hold", "list").output


def test_a_yes_is_for_the_delivery_that_was_held_and_for_no_other(shop_site: Site) -> None:
    spoil(shop_site)
    nights = nights_between(shop_site.calendar.first_night, HELD)
    holds = []
    for _ in range(2):
        try:
            land(shop_site, "orders", nights)
        except LandingHeldError as held:
            holds += re.findall(r"\[([0-9a-f]{12})\]", str(held))
        invoke(shop_site, "hold", "accept", holds[-1], "--reason", "seen")
        path = shop_site.sql.folder / "deliveries" / ORDERS
        text = path.read_text(encoding="utf-8")
        changed = re.sub(r'(2024-03-10,"[^"]*","web"),1,', r"\1,2,", text, count=1)
        assert changed != text
        path.write_text(changed, encoding="utf-8")
    assert len(set(holds)) == 2


def test_quarantine_is_listed_shown_and_released(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    listed = invoke(site, "quarantine", "list")
    assert (listed.exit_code, listed.output.count("quantity: at least 1")) == (0, 2)
    assert invoke(site, "quarantine", "list", "returns").output.strip() == "nothing is in quarantine"
    shown = invoke(site, "quarantine", "show", "orders", SET_ASIDE).output
    row = re.findall(r"^row (\d+): quantity: at least 1$", shown, re.MULTILINE)[0]
    assert '"order_id": "O000500"' in shown and "1 rows of orders are in the quarantine" in shown
    release = ("quarantine", "release", "orders", SET_ASIDE, "--row", row, "--reason", "a gift card")
    done = invoke(site, *release)
    assert "1 rows of orders from 2024-02-27 are released into 2024-05-29: will land with it" in done.output
    assert f"row {row}, released into 2024-05-29" in invoke(site, "quarantine", "show", "orders", SET_ASIDE).output
    again = invoke(site, *release)
    assert again.exit_code == 1 and "was released before" in again.output and "Traceback" not in again.output


def test_hostile_words_on_the_command_line_are_refused_and_touch_nothing(landed_shop_copy: Site) -> None:
    site = landed_shop_copy
    before = sorted(str(path) for path in site.data.parent.rglob("*"))
    for arguments in (
        ("quarantine", "list", "../../etc"), ("quarantine", "show", "orders; drop table x", SET_ASIDE),
        ("quarantine", "show", "orders", "../2024-02-27"), ("hold", "accept", "../../x", "--reason", "yes"),
        ("quarantine", "release", "%2e%2e", SET_ASIDE, "--row", "0", "--reason", "yes"),
        ("quarantine", "release", "orders", SET_ASIDE, "--row", "0; rm", "--reason", "yes"),
    ):  # fmt: skip
        result = invoke(site, *arguments)
        assert result.exit_code != 0 and "Traceback" not in result.output, arguments
    assert sorted(str(path) for path in site.data.parent.rglob("*")) == before


def test_personal_values_are_not_shown(shop_site: Site) -> None:
    path = shop_site.sql.folder / "sources.yml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text.replace("name: coupon, type: string,", "name: coupon, type: string, pii: true,"), encoding="utf-8"
    )
    site = open_test_site(shop_site.sql.folder, shop_site.data)
    land(site, "orders", [date(2024, 2, 27)])
    shown = invoke(site, "quarantine", "show", "orders", SET_ASIDE).output
    assert '"coupon": "(personal)"' in shown or '"coupon": null' in shown
    assert "SPRING" not in shown
