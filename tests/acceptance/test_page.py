"""The local page in a real browser, over a real server, with scripted answers.

Where no Chromium is found these tests skip. FOOTNOTE_SCREENSHOTS names a folder to keep pictures
of what they saw.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from structlog.testing import capture_logs

from admin.app import create_app, serve
from cli.web import slack_posts
from core.errors import ServiceUnavailableError
from core.listening import PortTakenError, listen, quiet_server
from graph.state import Question
from store.answers import Answer, Claim
from store.documents import Version
from tests.unit.admin.scripted import (
    CLARIFYING,
    FAULTY_QUOTE,
    NO,
    RETURNS,
    SALE_ANSWER,
    SALE_QUOTE,
    InMemoryDocuments,
    ScriptedAnswerer,
    version,
)

HOST = "127.0.0.1"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
CHROMIUM_ON_MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Read at import: tests themselves see none of a developer's variables.
PICTURES = os.environ.get("FOOTNOTE_SCREENSHOTS")
PATIENCE = 10.0  # seconds that anything on the page may take

HOSTILE = (
    "<script>document.title='taken'</script><img src='http://evil.example/x' onerror=alert(1)>"
    "<a href='javascript:alert(2)'>here</a> {{7*7}} <hx-partial hx-target='body'>gone</hx-partial>"
)
HOSTILE_VERSION = version(f"Read on.\n\n{HOSTILE}", 2, title=HOSTILE)
LONG_VERSION = version("\n\n".join(f"Rule {n}." for n in range(400)) + f"\n\n{NO}", 3, "Long")


def cites(of_version: Version, quote: str) -> Claim:
    """Return a claim that says the words it quotes."""
    start = of_version.text.index(quote)
    citation = replace(
        SALE_ANSWER.citations[0],
        version_id=of_version.id,
        title=of_version.title,
        section=(HOSTILE,) if of_version is HOSTILE_VERSION else (),
        start=start,
        end=start + len(quote),
        quote=quote,
        link="javascript:alert(3)",
    )
    return Claim(quote, (citation,))


HOSTILE_ANSWER = replace(
    SALE_ANSWER,
    text=HOSTILE,
    claims=(cites(HOSTILE_VERSION, HOSTILE),),
    choices=(HOSTILE,),
    note=HOSTILE,
)
LONG_ANSWER = replace(SALE_ANSWER, text=NO, claims=(cites(LONG_VERSION, NO),))


@dataclass
class HeldAnswerer(ScriptedAnswerer):
    """Answers a question with "slow" in it only when it is released."""

    released: Event = field(default_factory=Event)

    def answer(self, question: Question) -> Answer:
        """Return the scripted answer, a slow one once `released` is set."""
        if "slow" in question.text:
            assert self.released.wait(PATIENCE)
        return super().answer(question)


@dataclass
class Served:
    """A site that runs: its address and who answers there."""

    url: str
    answerer: HeldAnswerer


@contextmanager
def served() -> Iterator[Served]:
    """Run the site with scripted parts on a free port."""
    answerer = HeldAnswerer(
        [
            ("sale", SALE_ANSWER),
            ("leave", CLARIFYING),
            ("hostile", HOSTILE_ANSWER),
            ("long", LONG_ANSWER),
            ("down", ServiceUnavailableError("The database is down; start it and ask again.")),
            ("broken", ValueError("a defect")),
        ]
    )
    documents = InMemoryDocuments((RETURNS, HOSTILE_VERSION, LONG_VERSION))
    with capture_logs(), listen(HOST, 0) as listener:
        server = quiet_server(create_app(answerer, documents, slack_face=slack_posts))
        running = Thread(target=server.run, kwargs={"sockets": [listener]})
        running.start()
        try:
            yield Served(f"http://{HOST}:{listener.getsockname()[1]}", answerer)
        finally:
            answerer.released.set()
            server.should_exit = True
            running.join(PATIENCE)


@pytest.fixture
def site() -> Iterator[Served]:
    """Return a running site."""
    with served() as one:
        yield one


def chromium() -> str | None:
    """Return the path of a Chromium on this machine, or None."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    return found or (str(CHROMIUM_ON_MAC) if CHROMIUM_ON_MAC.exists() else None)


@pytest.fixture(scope="module")
def engine() -> Iterator[Browser]:
    """Return a headless Chromium, or skip by name where there is none."""
    path = chromium()
    if path is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE * 1000)
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@dataclass
class Watched:
    """What a browser did beside showing pages."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> None:
        """Note every request, and every console message on security or from a broken script."""
        context.on("request", lambda request: self.requests.append(request.url))
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        context.on("dialog", lambda dialog: self.complaints.append(f"dialog {dialog.message}"))
        context.on("console", lambda message: self._heard(message.text))

    def _heard(self, text: str) -> None:
        if "Content Security Policy" in text or "Refused" in text:
            self.complaints.append(text)


@contextmanager
def browsing(engine: Browser, site: Served, **options: object) -> Iterator[Page]:
    """Open the page in a session of its own; at the end nothing foreign was asked for or run."""
    context = engine.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE * 1000)
    watched = Watched()
    watched.watch(context)
    page = context.new_page()
    page.goto(site.url)
    yield page
    context.close()
    assert [url for url in watched.requests if not url.startswith(site.url)] == []
    assert watched.complaints == []


def ask(page: Page, question: str) -> None:
    """Type a question and press Enter."""
    page.get_by_label("Your question").fill(question)
    page.get_by_label("Your question").press("Enter")


def picture(page: Page, name: str) -> None:
    """Keep a picture of what is seen, if a folder for pictures is named."""
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


@pytest.mark.browser
def test_an_answer_comes_with_its_footnotes(engine: Browser, site: Served) -> None:
    """One asks with the keyboard and sees the answer, its marks and the exact words behind it."""
    with browsing(engine, site) as page:
        ask(page, "Can I return a sale item after three weeks?")
        answer = page.get_by_role("article")
        expect(answer.locator(".answer sup")).to_have_text(["1", "2"])
        expect(answer.locator("blockquote")).to_have_text([f"“{SALE_QUOTE}”", f"“{FAULTY_QUOTE}”"])
        expect(answer.locator("cite").first).to_have_text("Returns policy › Sale items")
        expect(answer.locator(".status")).to_contain_text("2 of 2 claims verified")
        expect(page.get_by_label("Your question")).to_be_focused()
        expect(page.get_by_label("Your question")).to_have_value("")
        picture(page, "answer")


@pytest.mark.browser
def test_a_mark_leads_to_its_note_and_back(engine: Browser, site: Served) -> None:
    """A mark is a link to its note, and the note's number leads back to it, by keyboard alone."""
    with browsing(engine, site) as page:
        ask(page, "a sale item?")
        page.get_by_label("Footnote 2", exact=True).press("Enter")
        expect(page.locator("li:target cite")).to_have_text("Returns policy › Faulty goods")
        page.get_by_label("Back to where footnote 2 is cited").press("Enter")
        expect(page.locator("sup a:target")).to_have_text("2")


@pytest.mark.browser
def test_a_footnote_opens_its_words_in_the_document(engine: Browser, site: Served) -> None:
    """The document opens with the quote marked and in view, and back shows the conversation."""
    with browsing(engine, site) as page:
        ask(page, "the long one")
        page.get_by_role("link", name="read these words in context").click()
        mark = page.locator("mark")
        expect(mark).to_have_text(NO)
        expect(mark).to_be_in_viewport()
        picture(page, "document")
        page.go_back()
        expect(page.locator(".answer")).to_contain_text(NO)


@pytest.mark.browser
def test_hostile_text_is_inert(engine: Browser, site: Served) -> None:
    """Script, markup, links and htmx tags in an answer and its document are shown as text."""
    with browsing(engine, site) as page:
        ask(page, f"hostile {HOSTILE}")
        expect(page.locator(".answer")).to_contain_text("<script>document.title='taken'</script>")
        expect(page.locator(".question")).to_contain_text("{{7*7}} <hx-partial")
        assert page.locator("main script, main img, main a[href^='javascript']").count() == 0
        page.get_by_role("link", name="read these words in context").click()
        expect(page.locator("mark")).to_have_text(HOSTILE)
        assert page.locator("main script, main img, main a[href^='javascript']").count() == 0
        assert "Footnote" in page.title()


@pytest.mark.browser
def test_an_answer_is_seen_as_slack_shows_it(engine: Browser, site: Served) -> None:
    """A link below the answer leads to the bot's message, drawn as in Slack, and back."""
    with browsing(engine, site) as page:
        ask(page, "Can I return a sale item after three weeks?")
        page.get_by_role("link", name="as Slack shows it").click()
        expect(page.locator(".message")).to_have_count(2)
        asked, answered = page.locator(".message").all()
        expect(asked).to_contain_text("Can I return a sale item after three weeks?")
        expect(answered.locator(".sender")).to_have_text("FootnoteApp")
        expect(answered).to_contain_text("within 14 days of delivery.¹ After that")
        expect(answered.get_by_text(SALE_QUOTE)).to_be_visible()
        assert page.evaluate("document.fonts.ready.then(fonts => fonts.check('15px Lato'))")
        picture(page, "slack")
        page.get_by_role("link", name="Back to the questions").click()
        expect(page.locator(".answer")).to_have_count(1)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_slacks_look_fits_a_phone_in_light_and_dark(
    engine: Browser, site: Served, scheme: str
) -> None:
    """On 390 pixels nothing is cut off sideways, and words stand out from the sheet."""
    phone = {"width": 390, "height": 844}
    with browsing(engine, site, viewport=phone, color_scheme=scheme) as page:
        ask(page, f"hostile {HOSTILE} {'long' * 100}")
        page.get_by_role("link", name="as Slack shows it").click()
        answered = page.locator(".message").last
        expect(answered).to_contain_text("<script>document.title='taken'</script>")
        page.wait_for_load_state()  # the words may stand before the style sheet has come
        assert page.locator("script, main a[href^='javascript'], [style]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") == phone["width"]
        picture(page, f"slack-phone-{scheme}")
        colours = page.evaluate(
            "['.window', '.message'].map(name => getComputedStyle(document.querySelector(name)))"
            ".map((style, at) => at ? style.color : style.backgroundColor)"
        )
        paper, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
        assert (paper > ink) is (scheme == "light")
        assert abs(paper - ink) > 450  # of 765: far above what WCAG AA asks of body text


@pytest.mark.browser
def test_while_it_works_the_question_stands_and_is_sent_once(
    engine: Browser, site: Served
) -> None:
    """The question shows at once with what is being done; asking again meanwhile does nothing."""
    with browsing(engine, site) as page:
        ask(page, "a slow sale item?")
        expect(page.locator(".pending .question")).to_have_text("a slow sale item?")
        expect(page.locator(".working")).to_have_text("Looking in 3 policies…")
        expect(page.get_by_role("button", name="Ask")).to_be_disabled()
        ask(page, "a slow sale item?")
        picture(page, "working")
        site.answerer.released.set()
        expect(page.locator(".answer")).to_have_count(1)
        expect(page.locator(".pending")).to_have_count(0)
        expect(page.get_by_role("button", name="Ask")).to_be_enabled()
        assert len(site.answerer.questions) == 1


@pytest.mark.browser
def test_a_choice_asks_again(engine: Browser, site: Served) -> None:
    """A clarifying question's button asks its choice in the same conversation."""
    with browsing(engine, site) as page:
        ask(page, "how much leave?")
        page.get_by_role("button", name="Parental leave").click()
        expect(page.locator(".exchange .question").last).to_have_text("Parental leave")
        expect(page.locator(".answer")).to_have_count(2)
        first, second = site.answerer.questions
        assert first.conversation == second.conversation
        assert first.event_key != second.event_key


@pytest.mark.browser
def test_an_example_is_one_click(engine: Browser, site: Served) -> None:
    """On the empty page an example is asked by a click, and then makes room for the answer."""
    with browsing(engine, site) as page:
        picture(page, "empty")
        example = page.get_by_role("button", name="Can I return a sale item after three weeks?")
        example.click()
        expect(page.locator(".answer")).to_have_count(1)
        expect(example).to_be_hidden()


@pytest.mark.browser
def test_as_of_another_day(engine: Browser, site: Served) -> None:
    """A chosen day goes with the question and is said with the answer."""
    with browsing(engine, site) as page:
        page.get_by_label("As of").fill("2024-02-29")
        ask(page, "a sale item?")
        expect(page.locator(".as-of")).to_have_text("Asked as of 29 Feb 2024")
        [question] = site.answerer.questions
        assert question.as_of is not None
        assert question.as_of.isoformat().startswith("2024-02-29")


@pytest.mark.browser
def test_a_new_conversation_begins_empty(engine: Browser, site: Served) -> None:
    """A reload keeps the conversation; starting a new one clears the page."""
    with browsing(engine, site) as page:
        ask(page, "a sale item?")
        expect(page.locator(".answer")).to_have_count(1)
        page.reload()
        expect(page.locator(".answer")).to_have_count(1)
        page.get_by_role("button", name="New conversation").click()
        expect(page.get_by_role("heading", name="Ask the policies")).to_be_visible()
        expect(page.locator(".answer")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("   ", "Write a question first."),
        ("x" * 4001, "This question has 4,001 characters; shorten it to 4,000."),
        ("is it down?", "The database is down; start it and ask again."),
        ("is it broken?", "I couldn't finish this (reference "),
    ],
    ids=["empty", "too long", "a service down", "a defect"],
)
def test_what_cannot_be_answered_is_said_and_kept(
    engine: Browser, site: Served, question: str, sentence: str
) -> None:
    """A sentence stands by the composer, and the question is still there to ask again."""
    with browsing(engine, site) as page:
        ask(page, question)
        expect(page.get_by_role("alert")).to_contain_text(sentence)
        expect(page.get_by_label("Your question")).to_have_value(question)
        expect(page.locator(".exchange")).to_have_count(0)
        ask(page, "a sale item?")
        expect(page.locator(".answer")).to_have_count(1)
        expect(page.get_by_role("alert")).to_be_empty()


@pytest.mark.browser
def test_an_unreachable_server_is_said(engine: Browser, site: Served) -> None:
    """When the server is gone the page says so and keeps the question."""
    with browsing(engine, site) as page:
        page.context.set_offline(True)
        ask(page, "a sale item?")
        expect(page.get_by_role("alert")).to_contain_text("could not reach Footnote")
        expect(page.get_by_label("Your question")).to_have_value("a sale item?")
        expect(page.get_by_role("button", name="Ask")).to_be_enabled()


@pytest.mark.browser
def test_works_without_scripts(engine: Browser, site: Served) -> None:
    """With scripts off, forms do everything: ask, choose, read, start again."""
    with browsing(engine, site, java_script_enabled=False) as page:
        page.get_by_label("Your question").fill("how much leave?")
        page.get_by_role("button", name="Ask").click()
        page.get_by_role("button", name="Annual leave").click()
        expect(page.locator(".exchange .question")).to_have_text(
            ["how much leave?", "Annual leave"]
        )
        page.get_by_label("Your question").fill(" ")
        page.get_by_role("button", name="Ask").click()
        expect(page.get_by_role("alert")).to_have_text("Write a question first.")
        page.get_by_role("button", name="New conversation").click()
        expect(page.locator(".answer")).to_have_count(0)


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fits_a_phone(engine: Browser, site: Served, scheme: str) -> None:
    """At 360 px nothing has to be scrolled sideways, whatever the words, light or dark."""
    size = {"width": 360, "height": 740}
    with browsing(engine, site, viewport=size, color_scheme=scheme, is_mobile=True) as page:
        page.get_by_label("Your question").fill("a sale item " + "x" * 300)
        page.get_by_role("button", name="Ask").click()
        expect(page.locator(".answer")).to_have_count(1)
        picture(page, f"phone-{scheme}")
        for address in (page.url, f"{site.url}/documents/2", f"{site.url}/nowhere"):
            page.goto(address)
            overhang = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert overhang <= 0, address


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_follows_the_system_scheme(engine: Browser, site: Served, scheme: str) -> None:
    """The page is dark where the system is, with text that stands out from it."""
    with browsing(engine, site, color_scheme=scheme) as page:
        ask(page, "a sale item?")
        colours = page.locator(".answer").evaluate(
            "(answer) => [document.documentElement, answer].map(getComputedStyle)"
            ".map((style, at) => at ? style.color : style.backgroundColor)"
        )
        paper, ink = (sum(map(int, re.findall(r"\d+", colour)[:3])) for colour in colours)
        assert (paper > ink) is (scheme == "light")
        assert abs(paper - ink) > 450  # of 765: far above what WCAG AA asks of body text


def test_a_taken_port_is_told_before_anything_starts() -> None:
    """Where another program has the port, one sentence says which setting to change."""
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        app = create_app(ScriptedAnswerer(), InMemoryDocuments())
        sentence = f"Port {port} is in use by another program; set FOOTNOTE_PORT to a free one."
        with pytest.raises(PortTakenError, match=re.escape(sentence)):
            serve(app, HOST, port)


SERVING = """
from admin.app import create_app, serve_on
from core.listening import listen
from tests.unit.admin.scripted import InMemoryDocuments, ScriptedAnswerer
with listen("127.0.0.1", 0) as listener:
    print(listener.getsockname()[1], flush=True)
    serve_on(create_app(ScriptedAnswerer(), InMemoryDocuments()), listener)
print("stopped", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals to send")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_quietly(number: signal.Signals) -> None:
    """After either signal serving returns, with nothing printed and exit code 0."""
    with subprocess.Popen(
        [sys.executable, "-c", SERVING],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with socket.create_connection((HOST, port), PATIENCE) as connection:
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (out, err, process.returncode) == ("stopped\n", "", 0)
