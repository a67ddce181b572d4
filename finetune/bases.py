"""A base model looked at without loading it: its shape, its tokenizer, its chat template.

A base is a folder, or a model's id at the hub. Only safetensors are read: pickled weights can
run code when they are opened.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from finetune.backends import TrainingError
from finetune.chat_format import NAMED, Render, renderer
from finetune.gpu_memory import Shape

HUB_PATIENCE = 10.0  # seconds for one answer of the hub
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".h5", ".msgpack")
MAX_HEADER = 100 * 2**20  # bytes; safetensors' own limit
MAX_JSON = 200 * 2**20  # bytes of a tokenizer
SMALL_FILES = (
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
)
# Names that models give to what is no linear layer of a block: embeddings and the output layer.
EDGES = ("embed", "wte", "wpe", "lm_head", "output_layer", "score")

Tensors = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Base:
    """A base that can be trained: `folder` holds its small files, `revision` pins its weights.

    `hub_id` is None for a folder that holds the weights too. `weights` counts their bytes.
    """

    folder: Path
    hub_id: str | None
    revision: str
    weights: int
    shape: Shape

    @cached_property
    def tokenizer(self) -> Tokenizer | None:
        """The tokenizer, None where only transformers can read it."""
        return read_tokenizer(self.folder)

    @property
    def ends(self) -> list[str]:
        """The tokens that end what the model says, the tokenizer's own first."""
        return ends_of(self.folder, self.tokenizer)

    def render(self, chat_template: str | None) -> Render:
        """Return what renders conversations: by the recipe's template, else by the base's."""
        template = chat_template_of(self.folder, chat_template)
        return renderer(template, {"eos_token": "", "bos_token": "", **special_of(self.folder)})


def special_of(folder: Path) -> dict[str, str]:
    """Return a tokenizer's special tokens by name, such as `eos_token`."""
    found: dict[str, str] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        for key, value in _read_json(folder / name).items():
            content = value.get("content") if isinstance(value, dict) else value
            if key.endswith("_token") and isinstance(content, str):
                found[key] = content
    return found


def ends_of(folder: Path, tokenizer: Tokenizer | None) -> list[str]:
    """Return the tokens that end a turn: the tokenizer's, then those that generation stops at.

    Raises TrainingError where there is none. Without a tokenizer only the first is known.
    """
    special = special_of(folder)
    signs = [special["eos_token"]] if "eos_token" in special else []
    ids = _read_json(folder / "generation_config.json").get("eos_token_id")
    for number in ids if isinstance(ids, list) else [ids]:
        sign = tokenizer.id_to_token(number) if tokenizer and isinstance(number, int) else None
        if sign and sign not in signs:
            signs.append(sign)
    if not signs:
        raise TrainingError(
            "The base's tokenizer names no eos_token, so a model would never learn to stop; add"
            " one to its tokenizer_config.json."
        )
    return signs


def read_tokenizer(folder: Path) -> Tokenizer | None:
    """Return a folder's tokenizer, None where only transformers can read it."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing narrower
        raise TrainingError(
            f"The base's tokenizer cannot be read ({path}); download the base again."
        ) from error


def chat_template_of(folder: Path, chosen: str | None) -> str:
    """Return the chosen template (by its name or itself), else the one in a base's folder.

    Raises TrainingError where there is none.
    """
    if chosen is not None:
        return NAMED.get(chosen, chosen)
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text("utf-8")
    kept = _read_json(folder / "tokenizer_config.json").get("chat_template")
    if isinstance(kept, list):  # several by name
        kept = {one.get("name"): one.get("template") for one in kept}.get("default")
    if isinstance(kept, str) and kept.strip():
        return kept
    raise TrainingError(
        "The base has no chat template; name one with the recipe's chat_template (chatml, or the"
        " text of a Jinja template), or take a base that was made for conversations."
    )


def find_base(named: str | None, revision: str | None = None) -> Base:
    """Return a base by its folder or hub id; `revision` is the one it must still have.

    Raises TrainingError where it is not there, is not of safetensors, or has changed.
    """
    if not named:
        raise TrainingError("A local run needs a base; name a folder or a hub id with --base.")
    path = Path(named).expanduser()
    base = _from_folder(path) if path.is_dir() else _from_hub(named, revision)
    if revision is not None and base.revision != revision:
        raise TrainingError(
            f"The weights of {named} changed since the run was asked for; start a new run."
        )
    return base


def _from_folder(folder: Path) -> Base:
    folder = folder.resolve()
    files = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    weights = _weight_files(files, str(folder))
    tensors: Tensors = {}
    hashed = hashlib.sha256()
    for name in weights:
        tensors |= read_header(folder / name)
        with (folder / name).open("rb") as stream:
            hashed.update(name.encode() + hashlib.file_digest(stream, "sha256").digest())
    _need_tokenizer(files, str(folder))
    shape = read_shape(_read_json(folder / "config.json", needed=True), tensors)
    return Base(folder, None, hashed.hexdigest(), sum(files[one] for one in weights), shape)


def _from_hub(named: str, revision: str | None) -> Base:
    import httpx2  # noqa: PLC0415 - for a base at the hub only, as what follows
    from huggingface_hub import HfApi, hf_hub_download  # noqa: PLC0415
    from huggingface_hub.errors import (  # noqa: PLC0415
        HfHubHTTPError,
        HFValidationError,
        NotASafetensorsRepoError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    api = HfApi()
    try:
        info = api.model_info(named, revision=revision, timeout=HUB_PATIENCE, files_metadata=True)
        sizes = {one.rfilename: one.size or 0 for one in info.siblings or []}
        weights = _weight_files(sizes, named)
        _need_tokenizer(sizes, named)
        folder = Path()
        for name in SMALL_FILES:
            if name in sizes:
                place = hf_hub_download(named, name, revision=info.sha, etag_timeout=HUB_PATIENCE)
                folder = Path(place).parent
        told = api.get_safetensors_metadata(named, revision=info.sha)
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise TrainingError(
            f"There is no folder {named} here, and no such model at the hub that this machine may"
            " read; correct --base."
        ) from error
    except NotASafetensorsRepoError as error:
        raise _pickled(named) from error
    except (HfHubHTTPError, OfflineModeIsEnabled, httpx2.HTTPError, OSError) as error:
        raise TrainingError(
            f"There is no folder {named} here, and the hub cannot be asked for it"
            f" ({type(error).__name__}); download it and name its folder with --base."
        ) from error
    tensors: Tensors = {
        name: tuple(tensor.shape)
        for file in told.files_metadata.values()
        for name, tensor in file.tensors.items()
    }
    shape = read_shape(_read_json(folder / "config.json", needed=True), tensors)
    size = sum(sizes[one] for one in weights)
    return Base(folder, named, str(info.sha), size, shape)


def _weight_files(files: Mapping[str, int], named: str) -> list[str]:
    """Return the names of the weights, in order; refuses what has none in safetensors."""
    weights = sorted(one for one in files if one.endswith(".safetensors") and "/" not in one)
    if weights:
        return weights
    if any(one.endswith(PICKLED) for one in files):
        raise _pickled(named)
    raise TrainingError(f"{named} holds no weights (*.safetensors); correct --base.")


def _pickled(named: str) -> TrainingError:
    return TrainingError(
        f"{named} keeps its weights in a form that can run code when it is opened; convert it to"
        " safetensors first, or take a base that is."
    )


def _need_tokenizer(files: Mapping[str, int], named: str) -> None:
    if not {"tokenizer.json", "tokenizer.model", "vocab.json"} & set(files):
        raise TrainingError(f"{named} has no tokenizer (tokenizer.json); add it to the base.")


def read_header(path: Path) -> Tensors:
    """Return the names and shapes in a safetensors file without reading the weights."""
    try:
        with path.open("rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            header = json.loads(stream.read(min(length, MAX_HEADER)))
        return {
            name: tuple(told["shape"]) for name, told in header.items() if name != "__metadata__"
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise TrainingError(f"{path} is not readable safetensors; download it again.") from error


def read_shape(config: Mapping[str, Any], tensors: Tensors) -> Shape:
    """Return what decides the memory of a model with this configuration and these weights."""
    inner = config.get("text_config")
    told = inner if isinstance(inner, dict) else config

    def figure(*names: str) -> int:
        values = (told.get(name) for name in names)
        return next((value for value in values if isinstance(value, int) and value > 0), 0)

    hidden, layers = (
        figure("hidden_size", "n_embd", "d_model"),
        figure("num_hidden_layers", "n_layer"),
    )
    heads = figure("num_attention_heads", "n_head")
    if not hidden or not layers or not heads:
        raise TrainingError(
            "The base's config.json tells no hidden_size, layers or heads; a language model such"
            " as Llama, Qwen, Mistral or Gemma is needed."
        )
    width = figure("head_dim") or hidden // heads
    linear = edges = other = 0
    for name, count, ends in _counted(tensors):
        if ends and not any(part in name for part in EDGES):
            linear, edges = linear + count, edges + ends
        else:
            other += count
    return Shape(
        layers=layers,
        hidden=hidden,
        intermediate=figure("intermediate_size", "n_inner", "ffn_dim") or 4 * hidden,
        head_count=heads,
        heads=heads * width,
        kv_heads=(figure("num_key_value_heads") or heads) * width,
        vocabulary=figure("vocab_size"),
        context=figure("max_position_embeddings", "n_positions", "max_seq_len"),
        linear=linear,
        edges=edges,
        other=other,
    )


def _counted(tensors: Tensors) -> Iterator[tuple[str, int, int]]:
    """Yield each tensor's name, how many weights it has, and a matrix' inputs plus outputs."""
    for name, sizes in tensors.items():
        count = 1
        for size in sizes:
            count *= size
        yield name, count, sum(sizes) if len(sizes) == 2 else 0


def _read_json(path: Path, *, needed: bool = False) -> dict[str, Any]:
    """Return a JSON object; empty where the file is not there and not needed."""
    try:
        if path.stat().st_size > MAX_JSON:
            raise TrainingError(f"{path} is too large to be what its name says.")
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        if needed:
            raise TrainingError(
                f"{path.parent} has no {path.name}, so it is no model; correct --base."
            ) from error
        return {}
    except (OSError, ValueError) as error:
        raise TrainingError(f"{path} is not readable JSON; download the base again.") from error
    return value if isinstance(value, dict) else {}
