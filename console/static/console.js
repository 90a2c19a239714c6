// What every page shares: notices, and errors of requests that htmx sends.
"use strict";

/** Show a sentence for a few seconds; returns a function that removes it. */
function notify(text, { action, onAction, seconds = 6 } = {}) {
  const notice = document.createElement("div");
  notice.className = "notice";
  const sentence = document.createElement("span");
  sentence.textContent = text;
  notice.append(sentence);
  const remove = () => notice.remove();
  if (action) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = action;
    button.addEventListener("click", () => { remove(); onAction(); });
    notice.append(button);
  }
  document.getElementById("notices")?.append(notice);
  setTimeout(remove, seconds * 1000);
  return remove;
}

/** Whether somebody is typing, so that a letter is no command. */
function isTyping(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Whether one letter is a command; the queue's help switches it off, in this browser. */
function areKeysUsed() {
  return localStorage.getItem("sentinel.queue.keys") !== "off";
}

// On a phone the pages lie in one line: the one that is open comes into view.
document.querySelector(".side nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center", behavior: "instant" });

/** Buttons that copy what is shown once: a link, a key. */
document.querySelectorAll("[data-copy-of]").forEach((button) => {
  if (!navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copyOf).value);
    notify(button.dataset.copied);
  });
});

document.addEventListener("htmx:responseError", (event) => {
  const page = new DOMParser().parseFromString(event.detail.xhr.responseText, "text/html");
  const detail = page.querySelector("main p")?.textContent.trim();
  notify(detail || `${event.detail.xhr.status} ${event.detail.xhr.statusText}`);
});
document.addEventListener("htmx:sendError", () => {
  notify(document.documentElement.lang === "de" ? "Der Server antwortet nicht." : "The server does not answer.");
});
