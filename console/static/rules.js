// The form of a rule: names that are clicked go into the condition, and an error is marked in it.
"use strict";

(() => {
  const condition = () => document.getElementById("condition");

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-insert]");
    const field = condition();
    if (!button || !field) return;
    const { selectionStart: start, selectionEnd: end, value } = field;
    const before = start > 0 && !/[\s(]$/.test(value.slice(0, start)) ? " " : "";
    field.setRangeText(before + button.dataset.insert, start, end, "end");
    field.focus();
  });

  // A refused form comes back with its errors, and is shown like one that was accepted.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id === "editor" && event.detail.xhr.status === 422) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    }
  });

  // Saving may look at past decisions first.
  document.addEventListener("submit", (event) => {
    if (event.target.id === "rule-form") document.getElementById("working").classList.add("htmx-request");
  });
  addEventListener("pageshow", () => document.getElementById("working")?.classList.remove("htmx-request"));

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.target.id !== "editor") return;
    const field = condition();
    const { start, end } = document.getElementById("rule-form").dataset;
    if (document.getElementById("condition-problem")) {
      field.focus();
      field.setSelectionRange(Number(start), Number(end));
      return;
    }
    const shown = document.querySelector("#editor [aria-invalid=true], #conflict, #backtest");
    shown?.focus();
    shown?.scrollIntoView({ block: "nearest" });
  });
})();
