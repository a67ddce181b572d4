"""How a conversation becomes one text, and which of its letters are learned.

A model's chat template is Jinja; it is untrusted, and is rendered in Jinja's sandbox. What is
learned is found in the text rather than by marks in the template: few templates carry marks for
it, and some of those leave out the sign that ends a turn.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jinja2 import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.nodes import CallBlock, Node
from jinja2.parser import Parser
from jinja2.runtime import Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from finetune.backends import TrainingError

Message = Mapping[str, str]
Render = Callable[[Sequence[Message], bool], str]
"""Renders messages; with True the text ends where the assistant begins to speak."""

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n'"
    " + message['content'] + eos_token + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""For bases that have no template: roles in words, each turn ended by the end-of-text token."""
NAMED = {"chatml": CHATML}


class _Generation(Extension):
    """Reads over the marks that some templates put around what the assistant says."""

    tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

    def parse(self, parser: Parser) -> Node:
        """Return the block's body as it is."""
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

    def _said(self, caller: Macro) -> str:
        return caller()


def renderer(template: str, special: Mapping[str, str]) -> Render:
    """Return what renders with a template; `special` are its tokens, such as `eos_token`.

    Raises TrainingError where the template cannot be read, and when it refuses messages.
    """
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = datetime.now(UTC).strftime
    try:
        compiled = environment.from_string(template)
    except TemplateError as error:
        raise TrainingError(
            f"The chat template cannot be read ({error}); correct it in the base's folder or give"
            " another with the recipe's chat_template."
        ) from error

    def render(messages: Sequence[Message], prompt: bool) -> str:
        try:
            return compiled.render(
                messages=[dict(message) for message in messages],
                add_generation_prompt=prompt,
                **special,
            )
        except (TemplateError, TypeError, KeyError) as error:
            raise TrainingError(
                f"The chat template does not take the dataset's messages ({error}); give another"
                " with the recipe's chat_template, such as chatml."
            ) from error

    return render


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(reason: str) -> None:
    raise TemplateError(reason)


def said_spans(render: Render, messages: Sequence[Message]) -> Iterator[tuple[int, int]]:
    """Yield where the assistant speaks in the rendered text, in letters: start and end.

    A span begins behind the sign for the assistant's turn and holds the sign that ends it, but
    not the line break behind that. Raises TrainingError where a template writes earlier turns
    another way once later ones follow, so that no place is certain.
    """
    text = render(messages, False)
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        before = render(messages[:index], True)
        until = render(messages[: index + 1], False)
        if not text.startswith(before) or not text.startswith(until):
            raise TrainingError(
                "The chat template writes earlier turns differently once later ones follow; give"
                " another with the recipe's chat_template, such as chatml."
            )
        yield len(before), len(until.rstrip("\n"))


def learned_text(
    render: Render, messages: Sequence[Message], ends: Sequence[str]
) -> tuple[str, list[tuple[int, int]]]:
    """Return the text of a row and the spans of it that are learned.

    Where the template ends the last turn with none of `ends`, the first of them is added: without
    it a model would never learn to stop. Raises TrainingError where nothing would be learned.
    """
    text = render(messages, False)
    spans = [span for span in said_spans(render, messages) if span[0] < span[1]]
    if not spans or messages[-1]["role"] != "assistant":
        raise TrainingError("A row does not end with words of the assistant; build it again.")
    start, end = spans[-1]
    if not any(text[start:end].endswith(sign) for sign in ends):
        text = text[:end] + ends[0]
        spans[-1] = (start, len(text))
    return text, spans


def learned_tokens(
    offsets: Sequence[tuple[int, int]], spans: Sequence[tuple[int, int]]
) -> list[bool]:
    """Return for each token, given where it stands in the text, whether it is learned.

    A token that reaches from the prompt into what is said counts as prompt.
    """
    return [
        any(start <= first and last <= end for start, end in spans) and first < last
        for first, last in offsets
    ]
