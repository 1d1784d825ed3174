from pathlib import Path

import pytest
from pydantic import BaseModel, ConfigDict, Field

from ml_pipeline.contracts.yaml_errors import validated
from ml_pipeline.contracts.yaml_files import read_yaml


class Wheel(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    sizes: tuple[int, ...] = ()


class Cart(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1)
    is_red: bool = False
    wheels: tuple[Wheel, ...]


def read(path: Path, text: str) -> Cart:
    path.write_text(text, encoding="utf-8")
    return validated(Cart, path, read_yaml(path), ("carts", 1))


def test_an_entry_in_order_is_its_contract(tmp_path: Path) -> None:
    cart = read(tmp_path / "carts.yml", "carts: [other, {name: big, wheels: [{name: left, sizes: [20, 21]}]}]")
    assert cart == Cart(name="big", wheels=(Wheel(name="left", sizes=(20, 21)),))


def test_every_mistake_is_told_with_its_line_its_place_and_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "carts.yml"
    text = """carts:
  - other
  - name: big
    is_red: perhaps
    wheels:
      - {name: left, sizes: twenty}
      - sizes: [20, 21,
          large]
      - {name: 3, colour: red}
      - round
"""
    with pytest.raises(ValueError) as caught:
        read(path, text)
    assert str(caught.value).splitlines() == [
        f"{path}, line 4: cart big, is_red: must be true or false; it is 'perhaps'.",
        f"{path}, line 6: cart big, wheel left, sizes: must be a list; it is 'twenty'.",
        f"{path}, line 7: cart big, wheel 2, name: is missing.",
        (
            f"{path}, line 8: cart big, wheel 2, size 3: must be a valid integer, unable to parse string as an integer; "
            "it is 'large'."
        ),
        f"{path}, line 9: cart big, wheel 3, name: must be text; it is 3.",
        f"{path}, line 9: cart big, wheel 3, colour: is not known here.",
        f"{path}, line 10: cart big, wheel 4: must be a mapping of names to values; it is 'round'.",
    ]


def test_an_entry_that_is_no_mapping_is_told_by_its_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError) as caught:
        read(tmp_path / "carts.yml", "carts:\n  - other\n  - big\n")
    assert str(caught.value) == (
        f"{tmp_path / 'carts.yml'}, line 3: cart 2: must be a mapping of names to values; it is 'big'."
    )
