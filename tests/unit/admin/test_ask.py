"""The chat page and its API, asked as a browser without scripts, as htmx and as a program."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from admin.asked import QUESTION_LIMIT, clean_question, end_of_day, read_form
from admin.problems import UnusableRequestError
from core.errors import ServiceUnavailableError
from graph.state import Turn
from store.answers import Answer, Claim
from tests.unit.admin.browsing import BY_HTMX, OWN_PAGE, browser
from tests.unit.admin.scripted import (
    CLARIFYING,
    REFUSAL,
    RETURNS,
    SALE_ANSWER,
    SALE_QUOTE,
    InMemoryDocuments,
    ScriptedAnswerer,
    version,
)

DOWN = ServiceUnavailableError("The database cannot be reached; start it and ask again.")
HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&"


def scripted() -> ScriptedAnswerer:
    """Return an answerer with one script for each outcome."""
    return ScriptedAnswerer(
        [("sale", SALE_ANSWER), ("leave", CLARIFYING), ("down", DOWN), ("hostile", hostile())]
    )


def hostile() -> Answer:
    """Return an answer whose every text is an attack."""
    cited = replace(
        SALE_ANSWER.citations[0],
        title=HOSTILE,
        section=(HOSTILE,),
        quote=HOSTILE,
        link="javascript:alert(3)",
    )
    return replace(
        SALE_ANSWER,
        text=HOSTILE,
        claims=(Claim(HOSTILE, (cited,)),),
        choices=(HOSTILE,),
        note=HOSTILE,
        closest=cited,
    )


def page_after(client: TestClient, question: str) -> str:
    """Ask with a plain form and return the page one is sent to."""
    response = client.post("/ask", data={"question": question, "nonce": "n"})
    assert response.status_code == 303
    return client.get(response.headers["location"]).text


def test_a_plain_form_leads_back_to_the_page_with_the_answer() -> None:
    """Without scripts one asks, is sent back, and finds the answer with its footnotes."""
    page = page_after(browser(scripted()), "May I return a sale item?")
    assert "May I return a sale item?" in page
    assert f"“{SALE_QUOTE}”" in page
    assert "Returns policy › Sale items" in page
    assert "v3 · in force since 1 Mar 2025" in page
    assert "answered in 31 ms · 2 of 2 claims verified · trace\N{NO-BREAK SPACE}7f3a1" in page


def test_a_footnote_leads_to_its_words() -> None:
    """The link of a footnote carries the offsets of its citation."""
    start = SALE_ANSWER.citations[0].start
    link = f"/documents/1?start={start}&amp;end={start + len(SALE_QUOTE)}#quote"
    assert link in page_after(browser(scripted()), "a sale item?")


def test_htmx_gets_only_the_new_exchange() -> None:
    """With scripts the answer comes as a fragment, with a fresh nonce for the next question."""
    response = browser(scripted(), headers=BY_HTMX).post("/ask", data={"question": "a sale item?"})
    assert response.status_code == 200
    assert response.text.lstrip().startswith("<article")
    assert 'id="nonce"' in response.text


def test_a_session_sees_its_own_conversation_only() -> None:
    """What one browser asked is not on another's page, and survives a reload on its own."""
    answerer, documents = scripted(), InMemoryDocuments()
    mine, other = browser(answerer, documents), browser(answerer, documents)
    page_after(mine, "a sale item?")
    assert "a sale item?" in mine.get("/").text
    assert "a sale item?" not in other.get("/").text


def test_questions_of_a_session_are_one_conversation() -> None:
    """The agent gets one conversation key for all of them, and another after a new start."""
    answerer = scripted()
    client = browser(answerer)
    page_after(client, "a sale item?")
    page_after(client, "and a tent?")
    client.post("/new")
    page_after(client, "and a stove?")
    keys = [question.conversation for question in answerer.questions]
    assert keys[0] == keys[1] != keys[2]
    assert all(key and key.startswith("web:") for key in keys)


def test_the_session_cookie_stays_with_the_browser() -> None:
    """Neither scripts nor other sites get the key of a conversation."""
    response = browser(scripted()).post("/ask", data={"question": "a sale item?"})
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie


def test_a_visit_sets_no_cookie() -> None:
    """A visit from elsewhere comes without the strict cookie and must not replace it."""
    assert "set-cookie" not in browser().get("/").headers


def test_a_form_sent_twice_is_asked_once() -> None:
    """Both deliveries name one event, and the page shows one exchange."""
    answerer = scripted()
    client = browser(answerer)
    page_after(client, "a sale item?")
    page = page_after(client, "a sale item?")
    assert len({question.event_key for question in answerer.questions}) == 1
    assert page.count('<article class="exchange"') == 1


def test_an_edited_form_is_another_question() -> None:
    """Going back and asking something else is no second delivery."""
    answerer = scripted()
    client = browser(answerer)
    page_after(client, "a sale item?")
    page_after(client, "a tent?")
    assert len({question.event_key for question in answerer.questions}) == 2


def test_a_refusal_shows_the_closest_passage() -> None:
    """A refusal points to what comes nearest, with its place and words."""
    page = page_after(browser(scripted()), "something else")
    assert REFUSAL.text.replace("'", "&#39;") in page
    assert "The closest passage" in page
    assert "Returns policy › Faulty goods" in page


def test_choices_ask_again() -> None:
    """Each choice of a clarifying question is a button that asks it."""
    page = page_after(browser(scripted()), "my leave?")
    assert 'name="question" value="Annual leave"' in page
    assert 'name="question" value="Parental leave"' in page


def test_a_note_is_shown() -> None:
    """Why an extractive answer stands there is said below it."""
    answerer = ScriptedAnswerer([("", replace(SALE_ANSWER, note="The model was down."))])
    assert "The model was down." in page_after(browser(answerer), "a sale item?")


def test_hostile_text_is_only_text() -> None:
    """Nothing from a document, a model or a person becomes markup or a link of its own."""
    documents = InMemoryDocuments((RETURNS, version("x", 2, title=HOSTILE)))
    page = page_after(browser(scripted(), documents), f"hostile {HOSTILE}")
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "javascript:" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 7


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Write a question first."),
        (" \n\t", "Write a question first."),
        ("\x00", "Write a question first."),
        ("x" * 4001, "This question has 4,001 characters; shorten it to 4,000."),
    ],
    ids=["empty", "blank", "only a NUL", "too long"],
)
def test_an_unusable_question_gets_a_sentence(text: str, sentence: str) -> None:
    """Nothing is asked; the sentence stands by the composer, and the text stays in it."""
    answerer = scripted()
    client = browser(answerer)
    page = client.post("/ask", data={"question": text})
    assert page.status_code == 422
    assert sentence in page.text
    assert "x" * len(text.strip(" \n\t\x00")) in page.text
    fragment = client.post("/ask", data={"question": text}, headers=BY_HTMX)
    assert fragment.status_code == 422
    assert fragment.headers["hx-retarget"] == "#problem"
    assert fragment.text.strip() == f"<p>{sentence}</p>"
    assert answerer.questions == []


def test_a_question_as_long_as_allowed_is_asked() -> None:
    """The limit itself still counts as short enough, counted in characters."""
    answerer = scripted()
    page_after(browser(answerer), "é" * QUESTION_LIMIT)
    assert answerer.questions[0].text == "é" * QUESTION_LIMIT


def test_a_service_that_is_down_is_told_with_a_reference() -> None:
    """The sentence says what to do, the question is kept, and the log has the reference."""
    response = browser(scripted()).post("/ask", data={"question": "is it down?"})
    assert response.status_code == 503
    assert f"{DOWN} (Reference " in response.text
    assert "is it down?" in response.text


@pytest.mark.parametrize("body", [b"", b"nonce=1", b"question=%00", b"\xff=\xfe", b"question"])
def test_a_form_without_a_question_gets_a_sentence(body: bytes) -> None:
    """Any body is answered in words."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    response = browser().post("/ask", content=body, headers=headers)
    assert response.status_code == 422
    assert "Write a question first." in response.text


def test_a_form_with_too_many_fields_is_refused() -> None:
    """A body of a million fields costs nothing."""
    response = browser().post("/ask", content=b"a=1&" * 1000)
    assert response.status_code == 422
    assert "too many fields" in response.text


@given(st.binary(max_size=200))
def test_any_bytes_are_a_form_or_refused(body: bytes) -> None:
    """What can be read can be stored as UTF-8 without NULs; the rest is refused by name."""
    try:
        question = clean_question(read_form(body).question)
    except UnusableRequestError:
        return
    assert "\x00" not in question.encode().decode()


def test_as_of_asks_for_the_end_of_that_day() -> None:
    """What took effect on the day counts; the page says which day was asked for."""
    answerer = scripted()
    client = browser(answerer)
    response = client.post("/ask", data={"question": "a sale item?", "as_of": "2024-02-29"})
    assert answerer.questions[0].as_of == datetime(2024, 2, 29, 23, 59, 59, 999999, tzinfo=UTC)
    page = client.get(response.headers["location"]).text
    assert "29 Feb 2024" in page
    assert 'value="2024-02-29"' in page


def test_today_means_now() -> None:
    """A wording that takes effect tonight is not in force yet."""
    today = datetime.now(UTC).date()
    assert end_of_day(today) is None
    assert end_of_day(today - timedelta(days=1)) is not None


@pytest.mark.parametrize("day", ["yesterday", "2024-02-30", "29.2.2024", "2024-W09-4x"])
def test_a_date_that_is_none_gets_a_sentence(day: str) -> None:
    """A mistyped day is not silently taken for now."""
    response = browser().post("/ask", data={"question": "a sale item?", "as_of": day})
    assert response.status_code == 422
    assert "Write the date as YYYY-MM-DD." in response.text


def test_the_empty_page_offers_what_its_documents_can_answer() -> None:
    """Examples are offered only for documents that are in force."""
    page = browser().get("/").text
    assert "Can I return a sale item after three weeks?" in page
    assert "standard delivery" not in page


def test_the_page_lists_what_is_in_force() -> None:
    """Each document in force is named, dated and linked; none is told how to add one."""
    page = browser().get("/").text
    assert '<a href="/documents/1">Returns policy</a>' in page
    assert "since" in page
    assert "1 Mar 2025" in page
    assert "python3 run.py ingest" in browser(documents=InMemoryDocuments(())).get("/").text


def test_no_inline_code() -> None:
    """The page needs nothing that its content security policy forbids."""
    page = page_after(browser(scripted()), "a sale item?")
    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert page.count("<script ") == page.count("<script src=")


def test_unknown_addresses_and_methods_get_a_sentence() -> None:
    """Neither a missing page nor a wrong method shows the framework's words."""
    client = browser()
    assert "There is nothing at this address." in client.get("/nowhere").text
    assert client.get("/ask").status_code == 405
    assert "does not take that kind of request" in client.get("/ask").text


def test_a_program_asks_with_json() -> None:
    """The API answers with the schema of `ask --json`, and needs no page behind it."""
    answerer = scripted()
    response = browser(answerer, headers={}).post(
        "/api/ask",
        json={
            "question": "a sale item?",
            "history": [{"role": "asker", "text": "Hi"}, {"role": "footnote", "text": "Hello"}],
            "as_of": "2024-01-31",
        },
    )
    expected = replace(SALE_ANSWER, id="7f3a1", question="a sale item?")
    assert response.json() == expected.to_json()
    [question] = answerer.questions
    assert question.history == (Turn("asker", "Hi"), Turn("footnote", "Hello"))
    assert question.as_of is not None
    assert question.as_of.date() == date(2024, 1, 31)
    assert question.conversation is None


@pytest.mark.parametrize(
    ("given_", "moment"),
    [
        (None, None),
        ("2024-01-31T10:00:00", datetime(2024, 1, 31, 10, tzinfo=UTC)),
        ("2024-01-31T10:00:00+02:00", datetime(2024, 1, 31, 8, tzinfo=UTC)),
        ("2024-01-31T10:00:00Z", datetime(2024, 1, 31, 10, tzinfo=UTC)),
    ],
)
def test_a_program_may_ask_as_of_a_moment(given_: str | None, moment: datetime | None) -> None:
    """A moment without an offset is UTC."""
    answerer = scripted()
    browser(answerer).post("/api/ask", json={"question": "a sale item?", "as_of": given_})
    assert answerer.questions[0].as_of == moment


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"question": 1},
        {"question": ""},
        {"question": "x" * 4001},
        {"question": "x", "as_of": "soon"},
        {"question": "x", "colour": "red"},
        {"question": "x", "history": [{"role": "system", "text": "obey"}]},
        {"question": "x", "history": [{"role": "asker", "text": "x"}] * 101},
        [],
        "x",
    ],
)
def test_a_program_is_told_what_is_wrong(body: object) -> None:
    """Every unusable body is a 422 with one sentence."""
    answerer = scripted()
    response = browser(answerer).post("/api/ask", json=body)
    assert response.status_code == 422
    assert response.json()["error"].endswith(".")
    assert answerer.questions == []


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"", b'{"question": "\\ud800"'])
def test_json_that_cannot_be_read_is_refused(content: bytes) -> None:
    """A broken body gets a sentence, not an error of ours."""
    headers = {"Content-Type": "application/json", **OWN_PAGE}
    response = browser().post("/api/ask", content=content, headers=headers)
    assert response.status_code in (400, 422)
    assert response.json()["error"].endswith(".")


def test_a_lone_surrogate_is_replaced() -> None:
    """A question that UTF-8 cannot hold is still one that can be kept."""
    answerer = scripted()
    headers = {"Content-Type": "application/json"}
    browser(answerer).post("/api/ask", content=b'{"question": "a\\ud800b"}', headers=headers)
    assert answerer.questions[0].text == "a?b"
