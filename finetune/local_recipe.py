"""The recipe of a local run: what may be set, and what it is where nothing is."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from finetune.backends import TrainingError

Method = Literal["lora", "qlora", "full"]

FULL_LEARNING_RATE = 2e-5
# LoRA's best learning rate is about ten times that of full training, whatever the model ("LoRA
# Without Regret", Schulman et al. 2025, who also found that every linear layer needs an adapter).
LORA_FACTOR = 10
# Preference pairs move a model away from its reference with far smaller steps (Rafailov et al.
# 2023 use 1e-6 for all weights).
PREFERENCE_LEARNING_RATE = 1e-6


class LocalRecipe(BaseModel):
    """Settings of a local run. `None` is filled in by what the base and the rows are.

    `batch_size` counts rows (packed: blocks) per step and device, `max_length` tokens of a row or
    a packed block. `eval_every` counts steps, `patience` evaluations without a better loss until
    the run stops (0: never). `revision` is the hub's commit, or the hash of a folder's weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    method: Method = "lora"
    epochs: float = Field(3.0, gt=0, le=100)
    max_steps: int | None = Field(None, ge=1)
    learning_rate: float | None = Field(None, gt=0, lt=1)
    warmup: float = Field(0.03, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0, lt=1)
    rank: int = Field(16, ge=1, le=512)
    alpha: int = Field(32, ge=1, le=2048)
    dropout: float = Field(0.0, ge=0, lt=1)
    beta: float = Field(0.1, gt=0, le=10)
    batch_size: int = Field(4, ge=1, le=1024)
    gradient_accumulation: int = Field(1, ge=1, le=1024)
    max_length: int | None = Field(None, ge=16)
    packing: bool | None = None
    gradient_checkpointing: bool = True
    bf16: bool | None = None
    eval_every: int | None = Field(None, ge=1)
    patience: int = Field(3, ge=0, le=100)
    seed: int = Field(17, ge=0, lt=2**31)
    devices: int | None = Field(None, ge=0, le=64)
    chat_template: str | None = Field(None, max_length=100_000)
    revision: str | None = None

    def rate(self, preferences: bool) -> float:
        """Return the learning rate, the given one or what suits the method and the data."""
        if self.learning_rate is not None:
            return self.learning_rate
        full = PREFERENCE_LEARNING_RATE if preferences else FULL_LEARNING_RATE
        return full if self.method == "full" else full * LORA_FACTOR


def read_recipe(given: Mapping[str, Any]) -> LocalRecipe:
    """Return the recipe of what somebody set; raises TrainingError naming what is wrong."""
    try:
        return LocalRecipe.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = ", ".join(LocalRecipe.model_fields)
            raise TrainingError(
                f"A local recipe has no setting {name}; there are: {known}."
            ) from error
        raise TrainingError(
            f"The recipe's {name} cannot be used: {first['msg'].lower()}."
        ) from error
