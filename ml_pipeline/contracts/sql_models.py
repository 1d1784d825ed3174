"""What the YAML beside the SQL says of its models, and of each feature."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ml_pipeline.contracts.yaml_files import read_yaml


class FeatureContract(BaseModel):
    """One output column of a model; in ``features/`` each one is a feature.

    Attributes:
        window: the span of knowledge that the value is made from, for example ``28 days`` or ``schedule``.
        unit: of the value: share, minutes, code …
        type: ``category`` columns are text and go to the model as codes, ``number`` columns as they are.
        direction: what is known beforehand: with more of it the risk never falls (``increasing``) or never rises
            (``decreasing``). The trees are held to it, which keeps a model of few nights from learning one storm by heart.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: str
    window: str = "schedule"
    unit: str = ""
    type: Literal["number", "category"] = "number"
    direction: Literal["increasing", "decreasing"] | None = None


class ModelContract(BaseModel):
    """One SQL model: its grain, its owner, its columns in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    description: str
    grain: str
    owner: str = "data"
    columns: tuple[FeatureContract, ...] = ()


def load_model_contracts(folder: Path) -> dict[str, ModelContract]:
    """Read the one YAML file of a folder of models (none is an empty answer); keeps the order of the file.

    Raises:
        ValueError: a model is described twice; the second description would silently replace the first.
    """
    contracts: dict[str, ModelContract] = {}
    for path in sorted(folder.glob("*.yml")):
        for entry in read_yaml(path)["models"]:
            contract = ModelContract.model_validate(entry)
            if contract.name in contracts:
                raise ValueError(f"{path}: model {contract.name} is described twice; remove one of the entries")
            contracts[contract.name] = contract
    return contracts
