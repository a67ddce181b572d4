"""Models that are loaded and speak: one text for one request, piece by piece."""

import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from transformers import StoppingCriteria, StoppingCriteriaList, TextIteratorStreamer

from finetune.bases import chat_template_of
from finetune.local.loading import device, load_model, load_tokenizer
from finetune.local.merge import free

PIECE_PATIENCE = 60.0  # seconds for the next piece of a text
CONTEXT = 4096  # tokens, for a model that tells none
WARMING = [{"role": "user", "content": "Hello"}]

Finish = Literal["stop", "length"]


class BusyError(Exception):
    """Too many requests are waiting already."""


class RequestError(Exception):
    """A request cannot be done; the words say what to change. `code` is as OpenAI names it."""

    def __init__(self, message: str, code: str = "invalid_value") -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Wish:
    """What a request asks for: greedy words where `temperature` is 0."""

    messages: Sequence[Mapping[str, str]]
    most: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None
    stops: tuple[str, ...] = ()


@dataclass
class Spoken:
    """How a text went; filled in while it is spoken."""

    prompt_tokens: int
    said_tokens: int = 0
    last_token: int | None = None
    finish: Finish = "stop"


class _Watch(StoppingCriteria):  # type: ignore[misc]  # transformers is not typed here
    """Counts tokens, and ends a text that nobody wants any more."""

    def __init__(self, spoken: Spoken) -> None:
        self.ended = threading.Event()
        self._spoken = spoken

    def __call__(self, input_ids: Any, _scores: Any, **_: Any) -> Any:
        self._spoken.said_tokens = int(input_ids.shape[1]) - self._spoken.prompt_tokens
        self._spoken.last_token = int(input_ids[0, -1])
        return torch.full((input_ids.shape[0],), self.ended.is_set(), device=input_ids.device)


@dataclass
class Speaker:
    """One loaded model."""

    folder: Path
    loaded_at: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self._tokenizer = load_tokenizer(self.folder, chat_template_of(self.folder, None))
        on = device()
        dtype = "auto" if on.type == "cuda" else torch.float32
        self._model = load_model(self.folder, dtype).to(on).eval()
        told = self._model.config.get_text_config()
        self.context = int(getattr(told, "max_position_embeddings", 0) or CONTEXT)
        ends = self._model.generation_config.eos_token_id
        self._ends = set(ends if isinstance(ends, list) else [ends])
        spoken = Spoken(0)
        for _ in self.speak(Wish(WARMING, most=1), spoken):  # the first text takes longer
            pass

    def measure(self, wish: Wish) -> Spoken:
        """Return how long the prompt is; raise RequestError where nothing could be said."""
        ids = self._encode(wish)["input_ids"]
        length = int(ids.shape[1])
        if length >= self.context:
            raise RequestError(
                f"The messages have {length} tokens and the model reads {self.context}; shorten"
                " them.",
                "context_length_exceeded",
            )
        return Spoken(length)

    def _encode(self, wish: Wish) -> Any:
        try:
            text = self._tokenizer.apply_chat_template(
                [dict(one) for one in wish.messages], tokenize=False, add_generation_prompt=True
            )
        except Exception as error:  # the template is the model's own, and may refuse anything
            raise RequestError(
                "The model's chat template does not take these messages."
            ) from error
        return self._tokenizer(text, add_special_tokens=False, return_tensors="pt")

    def speak(self, wish: Wish, spoken: Spoken) -> Iterator[str]:
        """Yield the text in pieces and fill in how it went; closing it ends the work.

        Words of `stops` end the text and are not part of it.
        """
        tokens = self._encode(wish).to(self._model.device)
        spoken.prompt_tokens = int(tokens["input_ids"].shape[1])
        most = min(wish.most, self.context - spoken.prompt_tokens)
        watch = _Watch(spoken)
        streamer = TextIteratorStreamer(
            self._tokenizer, skip_prompt=True, skip_special_tokens=True, timeout=PIECE_PATIENCE
        )
        drawn = wish.temperature > 0
        options: dict[str, Any] = {
            **tokens,
            "max_new_tokens": most,
            "do_sample": drawn,
            "temperature": wish.temperature if drawn else None,
            "top_p": wish.top_p if drawn else None,
            "top_k": None,
            "pad_token_id": self._tokenizer.pad_token_id,
            "streamer": streamer,
            "stopping_criteria": StoppingCriteriaList([watch]),
        }
        failure: list[Exception] = []

        def work() -> None:
            try:
                if drawn and wish.seed is not None:
                    torch.manual_seed(wish.seed)
                with torch.inference_mode():
                    self._model.generate(**options)
            except Exception as error:  # noqa: BLE001 - raised by who reads the pieces
                failure.append(error)
                streamer.end()

        thread = threading.Thread(target=work, name="speak", daemon=True)
        thread.start()
        try:
            stopped = yield from _until(streamer, wish.stops)
        finally:
            watch.ended.set()
            thread.join()
        if failure:
            raise failure[0]
        ended = stopped or spoken.last_token in self._ends or spoken.said_tokens < most
        spoken.finish = "stop" if ended else "length"


def _until(pieces: Iterator[str], stops: Sequence[str]) -> Generator[str, None, bool]:
    """Yield pieces up to the first of `stops`; return whether there was one.

    What may be the beginning of a stop waits for the next piece.
    """
    kept = ""
    hold = max((len(one) for one in stops), default=1) - 1
    for piece in pieces:
        kept += piece
        found = [place for place in (kept.find(one) for one in stops) if place >= 0]
        if found:
            if text := kept[: min(found)]:
                yield text
            return True
        if len(kept) > hold:
            yield kept[: len(kept) - hold]
            kept = kept[len(kept) - hold :]
    if kept:
        yield kept
    return False


class Speakers:
    """The loaded models by every name they are asked by; for several threads.

    `at_once` texts are spoken at the same time, `waiting` more may wait for `patience` seconds.
    """

    def __init__(self, at_once: int, waiting: int, patience: float) -> None:
        self._lock = threading.Lock()
        self._named: dict[str, Speaker] = {}
        self._names: dict[Path, tuple[str, ...]] = {}
        self._turns = threading.BoundedSemaphore(at_once)
        self._places = threading.BoundedSemaphore(at_once + waiting)
        self._patience = patience

    @property
    def folders(self) -> set[Path]:
        """The folders of all loaded models."""
        with self._lock:
            return set(self._names)

    def listed(self) -> list[tuple[str, int]]:
        """Return each model's first name and when it was loaded, in seconds since 1970."""
        with self._lock:
            return [
                (names[0], int(self._named[names[0]].loaded_at)) for names in self._names.values()
            ]

    def find(self, name: str) -> Speaker | None:
        """Return the model of a name, None where none is loaded."""
        with self._lock:
            return self._named.get(name)

    def load(self, folder: Path, names: tuple[str, ...]) -> None:
        """Load a model; it is found by its names from now on."""
        self._add(Speaker(folder), names)

    def rename(self, folder: Path, names: tuple[str, ...]) -> None:
        """Let a loaded model be found by other names."""
        speaker = self.find(self._names[folder][0])
        if speaker is not None and self._names[folder] != names:
            self.unload(folder)
            self._add(speaker, names)

    def _add(self, speaker: Speaker, names: tuple[str, ...]) -> None:
        with self._lock:
            self._names[speaker.folder] = names
            self._named |= dict.fromkeys(names, speaker)

    def unload(self, folder: Path) -> None:
        """Forget a model; a text under way is spoken to its end."""
        with self._lock:
            for name in self._names.pop(folder, ()):
                self._named.pop(name, None)
        free()

    def close(self) -> None:
        """Forget all models."""
        for folder in self.folders:
            self.unload(folder)

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for a turn to speak; raises BusyError where too many wait, or it takes too long."""
        if not self._places.acquire(blocking=False):
            raise BusyError
        try:
            if not self._turns.acquire(timeout=self._patience):
                raise BusyError
            try:
                yield
            finally:
                self._turns.release()
        finally:
            self._places.release()
