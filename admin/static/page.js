// What plain forms cannot do: Enter asks, the question shows at once, focus and scroll follow.
// Without this file every form still works by itself.
"use strict";

(() => {
  const conversation = document.getElementById("conversation");
  if (!conversation) return;
  const composer = document.getElementById("composer");
  const box = document.getElementById("question");
  const problem = document.getElementById("problem");
  const asOf = document.getElementById("as-of");
  const pending = document.getElementById("pending");
  const withKeyboard = matchMedia("(hover: hover) and (pointer: fine)").matches;
  const unreachable =
    "The page could not reach Footnote. See whether it still runs, then ask again.";

  if (withKeyboard) {
    document.getElementById("hint").textContent = "Enter to ask, Shift + Enter for a new line";
    if (!location.hash) box.focus({ preventScroll: true });
  }

  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || !withKeyboard) return;
    event.preventDefault();
    composer.requestSubmit();
  });

  const showWhen = () => asOf.parentElement.classList.toggle("set", asOf.value !== "");
  asOf.addEventListener("change", showWhen);
  showWhen();

  const say = (sentence) => {
    const line = document.createElement("p");
    line.textContent = sentence;
    problem.replaceChildren(line);
  };

  const busy = (yes) => {
    for (const button of document.querySelectorAll("main button")) button.disabled = yes;
    conversation.setAttribute("aria-busy", String(yes));
  };

  const stopWaiting = () => {
    for (const waiting of conversation.querySelectorAll(".pending")) waiting.remove();
  };

  const wait = (question) => {
    const waiting = pending.content.cloneNode(true).firstElementChild;
    waiting.querySelector(".question").textContent = question;
    conversation.append(waiting);
    waiting.scrollIntoView({ block: "start" });
  };

  const giveBack = (question) => {
    if (box.value === "") box.value = question;
  };

  document.addEventListener("htmx:before:request", (event) => {
    const { request, sourceElement } = event.detail.ctx;
    const question = request.body.get("question");
    problem.replaceChildren();
    if (question.trim() === "") return; // the server says what to do
    if (sourceElement === composer) box.value = "";
    busy(true);
    wait(question);
  });

  document.addEventListener("htmx:before:swap", stopWaiting);

  document.addEventListener("htmx:after:swap", (event) => {
    const { response, request } = event.detail.ctx;
    if (response.status >= 400) {
      giveBack(request.body.get("question"));
      return;
    }
    conversation.lastElementChild.scrollIntoView({ block: "start" });
  });

  document.addEventListener("htmx:error", (event) => {
    const { request } = event.detail.ctx ?? {};
    say(unreachable);
    if (request) giveBack(request.body.get("question"));
  });

  document.addEventListener("htmx:finally:request", () => {
    stopWaiting();
    busy(false);
    if (withKeyboard) box.focus({ preventScroll: true });
  });
})();
