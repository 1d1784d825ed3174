import re

import pytest

from ml_pipeline.operations.promote import current_champion
from ml_pipeline.operations.score import SCORES, score
from ml_pipeline.operations.site import Site
from ml_pipeline_tests.cli.test_main import invoke
from ml_pipeline_tests.conftest import SHOP_SCORED
from ml_pipeline_tests.second_model import promoted, second_version, unlike_answer


def ask(site: Site, *arguments: str) -> tuple[int, str]:
    result = invoke(site, "scores", *arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


def test_a_person_finds_what_is_wrong_and_puts_it_right(scored_shop_copy: Site) -> None:
    """Stale, rescore, revisions, restore, repair and accept, as they are typed."""
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    then = site.tables.version(SCORES)
    assert ask(site, "stale") == (0, "0 of 8 nights are stale\n")
    assert ask(site, "rescore") == (0, "Nothing was stale: nothing was changed.\n")

    second = second_version(site, first)
    promoted(site, second, "2024-05-12")
    code, told = ask(site, "stale", "--until", "2024-05-13")
    assert (code, told.splitlines()) == (0, [
        f"2024-05-12  model: {first} scored it, {second} should", "2024-05-13  never scored", "2 of 9 nights are stale",
    ])  # fmt: skip
    code, told = ask(site, "rescore", "--until", "2024-05-13")
    assert code == 0 and f"  2024-05-12  champion {second}  as_of\n" in told and "2 nights published" in told

    code, told = ask(site, "revisions", "--night", "2024-05-12")
    assert code == 0
    code, told = ask(site, "restore", "--night", "2024-05-12", "--revision", str(then), "--reason", "a test")
    assert (code, told) == (
        0, f"1 of 1 nights hold revision {then} again, as revision {then + 2}; the others held it already\n",
    )  # fmt: skip
    code, told = ask(site, "stale")
    assert f"(left alone: restored to revision {then}: a test)" in told

    promoted(site, first, "2024-05-14", withdrawn=[second])
    code, told = ask(site, "repair", second, "--reason", "a test")
    assert code == 0 and f"  2024-05-13  champion {first}  current\n" in told
    assert ask(site, "repair", second, "--reason", "x")[0] == 1

    third = second_version(site, first, unlike_answer)
    code, told = ask(site, "rescore", "--from", "2024-05-12", "--until", "2024-05-12",
                     "--policy", f"pinned={third}", "--replace")  # fmt: skip
    assert code == 1 and "HOLD" in told and "Traceback" not in told
    code, told = ask(site, "accept", "--night", "2024-05-12", "--reason", "everything is on sale")
    assert code == 0 and "night 2024-05-12 is accepted" in told
    code, told = ask(site, "rescore", "--from", "2024-05-12", "--until", "2024-05-12",
                     "--policy", f"pinned={third}", "--replace")  # fmt: skip
    assert code == 0 and f"champion {third}  pinned={third}" in told
    code, told = ask(site, "shadow", "--night", "2024-05-16")
    assert (code, told.splitlines()[-1]) == (0, "  there is no challenger on night 2024-05-16")


def test_the_revisions_of_a_night_say_when_by_whom_and_how_much_changed(
    scored_shop_copy: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    site, first = scored_shop_copy, str(current_champion(scored_shop_copy))
    promoted(site, second_version(site, first), "2024-05-12")
    score(site, SHOP_SCORED)
    code, out = ask(site, "revisions", "--night", "2024-05-12")
    shown = out + capfd.readouterr().out
    assert code == 0
    assert len(re.findall(r"│ champion\s+│ as_of\s+│", shown)) == 2
    assert re.search(r"│\s+0 │", shown) and re.search(r"│\s+40 │", shown)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rescore", "--replace"), "--replace needs --policy"),
        (("rescore", "--policy", "newest"), "is no policy"),
        (("accept", "--night", "2024-05-12", "--reason", "x"), "no scores of night 2024-05-12 are held"),
        (("restore", "--night", "2024-05-12", "--revision", "99", "--reason", "x"), "not 99"),
        (("stale", "--from", "2024-06-05"), "outside this project's nights"),
    ],
)
def test_a_mistake_is_one_line_and_no_traceback(scored_shop: Site, arguments: tuple[str, ...], words: str) -> None:
    code, told = ask(scored_shop, *arguments)
    assert code != 0
    assert words in told and "Traceback" not in told
