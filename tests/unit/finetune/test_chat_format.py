"""What of a conversation is learned, whatever the chat template looks like."""

import pytest

from finetune.backends import TrainingError
from finetune.chat_format import CHATML, Message, learned_text, learned_tokens, renderer
from tests.fakes.tiny_model import TEMPLATE

TALK: list[Message] = [
    {"role": "system", "content": "Be kind."},
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello!"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "See you."},
]
SPECIAL = {"eos_token": "</s>"}
MARKED = (
    "{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "A:{% generation %}{{ m['content'] }}{{ eos_token }}{% endgeneration %}\n"
    "{% else %}{{ m['role'] }}:{{ m['content'] }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}A:{% endif %}"
)
NO_END = (
    "{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
FORGETFUL = (
    "{% for m in messages %}{% if not loop.last and m['role'] == 'assistant' %}A: …\n"
    "{% else %}{{ m['role'] }}: {{ m['content'] }}{{ eos_token }}\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.mark.parametrize(
    ("template", "learned"),
    [
        pytest.param(TEMPLATE, ["Hello!<|end|>", "See you.<|end|>"], id="an end of its own"),
        pytest.param(CHATML, ["Hello!</s>", "See you.</s>"], id="chatml"),
        pytest.param(MARKED, ["Hello!</s>", "See you.</s>"], id="with marks"),
        pytest.param(NO_END, ["Hello!", "See you.</s>"], id="no end"),
    ],
)
def test_only_the_assistant_s_words_and_their_end_are_learned(
    template: str, learned: list[str]
) -> None:
    """Each turn of the assistant is learned with the sign that ends it, and nothing else."""
    text, spans = learned_text(renderer(template, SPECIAL), TALK, ["</s>", "<|end|>"])
    assert [text[start:end] for start, end in spans] == learned


def test_a_template_that_changes_earlier_turns_is_refused() -> None:
    """Where no place is certain, a sentence names a template that works."""
    with pytest.raises(TrainingError, match="chatml"):
        learned_text(renderer(FORGETFUL, SPECIAL), TALK, ["</s>"])


@pytest.mark.parametrize(
    "template",
    [
        pytest.param("{% for m in messages %}", id="not closed"),
        pytest.param("{{ raise_exception('no system role') }}", id="refuses"),
        pytest.param("{{ messages.__class__.__mro__[1].__subclasses__() }}", id="breaks out"),
    ],
)
def test_a_template_that_cannot_be_used_is_told(template: str) -> None:
    """A template with an error, one that refuses, and one that reaches out of its sandbox."""
    with pytest.raises(TrainingError, match="chat_template"):
        learned_text(renderer(template, SPECIAL), TALK, ["</s>"])


def test_a_token_counts_as_learned_only_if_it_lies_within_what_is_said() -> None:
    """A token that begins in the prompt is prompt; one without letters is never learned."""
    assert learned_tokens([(0, 3), (3, 5), (5, 5), (5, 8), (8, 9)], [(4, 8)]) == [
        False,
        False,
        False,
        True,
        False,
    ]
