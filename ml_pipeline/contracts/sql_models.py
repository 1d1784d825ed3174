"""What the YAML beside the SQL says of its models, and of each of their columns."""

from collections import Counter
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ml_pipeline.contracts.sql_tests import AcceptedRange, ColumnTest, ModelTest, Relationships
from ml_pipeline.contracts.yaml_errors import validated
from ml_pipeline.contracts.yaml_files import read_yaml


class FeatureContract(BaseModel):
    """One output column of a model; in ``features/`` each one is a feature.

    Attributes:
        window: the span of knowledge that the value is made from, for example ``28 days`` or ``schedule``.
        unit: of the value: share, minutes, code …
        type: ``category`` columns are text and go to the model as codes, ``number`` columns as they are.
        direction: what is known beforehand: with more of it the risk never falls (``increasing``) or never rises
            (``decreasing``). The trees are held to it, which keeps a model of few nights from learning one storm by heart.
        pii: the value tells of a person; examples of rows that fail a test do not show it.
        tests: what holds for every value, on every night that is built.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: str
    window: str = "schedule"
    unit: str = ""
    type: Literal["number", "category"] = "number"
    direction: Literal["increasing", "decreasing"] | None = None
    pii: bool = False
    tests: tuple[ColumnTest, ...] = ()

    @model_validator(mode="after")
    def _ranges_are_for_numbers(self) -> "FeatureContract":
        if self.type == "category" and any(isinstance(test, AcceptedRange) for test in self.tests):
            raise ValueError("accepted_range is for numbers, and this is a category; write accepted_values")
        return self


class ModelContract(BaseModel):
    """One SQL model: its grain, its owner, its columns in order.

    In ``features/`` every column beside the key is declared, elsewhere those of which there is something to say.

    Attributes:
        computed_per: ``night``: its rows carry ``score_date``; ``landing``: it is computed once for each landing night, before
            any night looks at it, and shown to each night whose lookback covers it.
        tests: what holds for every row, on every night that is built.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: str
    grain: str
    owner: str = "data"
    computed_per: Literal["night", "landing"] = "night"
    columns: tuple[FeatureContract, ...] = ()
    tests: tuple[ModelTest, ...] = ()

    @model_validator(mode="after")
    def _columns_are_distinct(self) -> "ModelContract":
        counts = Counter(column.name for column in self.columns)
        doubled = [name for name, count in counts.items() if count > 1]
        if doubled:
            raise ValueError(f"columns {doubled} are declared twice; remove one of the entries")
        return self

    @property
    def related_models(self) -> tuple[str, ...]:
        """The models in which values must occur: they must be there when this one is tested."""
        tests = (test for column in self.columns for test in column.tests)
        return tuple(sorted({test.relationships.to for test in tests if isinstance(test, Relationships)}))


def load_model_contracts(folder: Path) -> dict[str, ModelContract]:
    """Read the one YAML file of a folder of models (none is an empty answer); keeps the order of the file.

    Raises:
        ValueError: an entry is not as it must be, or a model is described twice: the second description would
            silently replace the first. Names the file, and the line of each mistake.
    """
    contracts: dict[str, ModelContract] = {}
    for path in sorted(folder.glob("*.yml")):
        content = read_yaml(path)
        for position in range(len(content["models"])):
            contract = validated(ModelContract, path, content, ("models", position))
            if contract.name in contracts:
                raise ValueError(f"{path}: model {contract.name} is described twice; remove one of the entries")
            contracts[contract.name] = contract
    return contracts
