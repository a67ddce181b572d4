"""`footnote trace`: how a kept answer came about."""

from collections.abc import Iterator

import click

from cli.runtime import open_runtime
from cli.show import answer_lines, print_json, printable
from core.errors import NotFoundError
from store.answers import Answer, find_answer


@click.command()
@click.argument("answer_id")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def trace(answer_id: str, as_json: bool) -> None:
    """Show the route, candidates, checks and timings of ANSWER_ID."""
    with open_runtime() as runtime, runtime.engine.connect() as connection:
        answer = find_answer(connection, runtime.workspace_id, answer_id)
    if answer is None:
        raise NotFoundError(f"There is no answer {answer_id}; the id stands behind “trace”.")
    if as_json:
        print_json(answer.to_json() | {"trace": answer.trace})
    else:
        click.echo("\n".join(trace_lines(answer)))


def trace_lines(answer: Answer) -> Iterator[str]:
    """Return the answer and its trace, a line each."""
    kept = answer.trace
    yield f"question    {printable(answer.question)}"
    yield f"route       {answer.route} → {answer.outcome}, confidence {kept['confidence'] or '-'}"
    if kept.get("router"):
        told = " ".join(f"{name} {value}" for name, value in kept["router"].items() if value)
        yield f"router      {printable(told)}"
    tokens = " ".join(f"{name} {count}" for name, count in kept["tokens"].items())
    yield (
        f"answerer    {kept['answerer'] or '-'}, style {printable(kept['style'] or '-')},"
        f" tokens {tokens or '-'}"
    )
    for added in kept.get("expanded", ()):
        yield f"glossary    {printable(added['found'])} → {printable(added['added'])}"
    yield f"in force    {kept['as_of']}, {kept['history_turns']} earlier turns"
    steps = ", ".join(f"{name} {value}" for name, value in kept["milliseconds"].items())
    yield f"ms          {steps}"
    yield ""
    yield from answer_lines(answer)
    for claim in kept["dropped"]:
        yield f"dropped     {printable(claim['claim'])}  ({claim['reason']})"
    yield ""
    yield "total  cosine  sentence  bm25    document"
    for row in kept["candidates"]:
        place = f"{row['document']} v{row['version']} › {row['section']}"
        yield (
            f"{row['total']:5.2f}  {row['similarity']:6.2f}  {row['sentence']:8.2f}"
            f"  {row['bm25']:6.2f}  {printable(place)}"
        )
