// The command palette: Ctrl/Cmd-K opens it, arrows choose, Enter goes there, Escape closes it.
"use strict";

(() => {
  const dialog = document.getElementById("palette");
  const opener = document.getElementById("palette-open");
  if (!dialog) return;
  const input = dialog.querySelector("input");
  const list = dialog.querySelector("ul");
  let chosen = 0;
  let timer = 0;
  let running = null;
  let focused = null;
  let shown = null;

  const options = () => [...list.querySelectorAll("[role=option]:not([aria-disabled])")];

  function choose(index) {
    const all = options();
    chosen = all.length ? (index + all.length) % all.length : 0;
    all.forEach((one, place) => one.setAttribute("aria-selected", String(place === chosen)));
    if (all[chosen]) {
      input.setAttribute("aria-activedescendant", all[chosen].id);
      all[chosen].scrollIntoView({ block: "nearest" });
    } else {
      input.removeAttribute("aria-activedescendant");
    }
  }

  async function load() {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    const typed = input.value;
    try {
      const address = `/console/palette?q=${encodeURIComponent(typed)}`;
      const reply = await fetch(address, { signal: mine.signal });
      if (reply.redirected) { location.reload(); return; }
      if (!reply.ok) return;
      list.innerHTML = await reply.text();
      shown = typed;
      choose(0);
    } catch (error) {
      if (error.name !== "AbortError") list.replaceChildren();
    }
  }

  function open() {
    if (dialog.open) return;
    focused = document.activeElement;
    input.value = "";
    dialog.showModal();
    input.focus();
    load();
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      open();
    }
  });
  opener?.addEventListener("click", (event) => { event.preventDefault(); open(); });
  dialog.addEventListener("close", () => { running?.abort(); clearTimeout(timer); focused?.focus(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(load, 150); });
  input.addEventListener("keydown", async (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      // The list is of what was typed before, until the next one is loaded.
      if (input.value !== shown) { clearTimeout(timer); await load(); }
      options()[chosen]?.querySelector("a").click();
    }
  });
})();
