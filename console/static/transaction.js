// The page of a transaction: copies its address, and gives a verdict by one key.
"use strict";

{
  const copy = document.querySelector("[data-copy]");
  if (copy && navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(new URL(copy.dataset.copy, location.href).href);
      notify(copy.dataset.copied);
    });
  }
  document.addEventListener("keydown", (event) => {
    if (!areKeysUsed() || isTyping(event.target) || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const button = document.querySelector(`#verdict [data-key="${CSS.escape(event.key)}"]`);
    if (!button || document.querySelector("dialog[open]")) return;
    event.preventDefault();
    button.click();
  });
}
