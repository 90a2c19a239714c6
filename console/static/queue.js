// The queue by keyboard: verdicts that are held for ten seconds, claims, and what is new.
"use strict";

(() => {
  const HOLD_S = 10, POLL_S = 10, STAND_MS = 400, CLAIM_AGAIN_MS = 5 * 60_000;
  const LABELS = { f: "confirmed_fraud", l: "false_positive", e: "escalated" };
  const queue = document.getElementById("queue");
  const form = document.getElementById("chosen");
  const help = document.getElementById("help"), confirming = document.getElementById("confirm");
  const text = JSON.parse(queue.dataset.text);
  const rows = [...queue.querySelectorAll("tbody tr")];
  const known = new Set(queue.dataset.known.split(" "));
  const held = []; // groups {rows, label, rationale, timer, close}, the oldest first
  let current = null, claimed = null, claimedAt = 0, standing = 0, closeNotice = () => {};

  const box = (row) => row.querySelector("input");
  const idOf = (row) => box(row).value.split(".")[0];
  const link = (row) => row.querySelector(".open");
  const fill = (template, values) => template.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  const chosen = () => rows.filter((row) => box(row).checked);

  // Requests

  function send(path, fields, options = {}) {
    const body = new URLSearchParams([["csrf", form.elements.csrf.value], ...fields]);
    return fetch(path, { method: "POST", body, headers: { Accept: "application/json" }, ...options })
      .then((reply) => {
        if (reply.redirected) throw new Error(text.signed_out);
        if (!reply.ok) throw new Error(text.failed);
        return reply.json();
      });
  }

  // The row that the person stands on

  function stand(row, { focus = true } = {}) {
    if (!row) return;
    current?.removeAttribute("aria-current");
    current = row;
    row.setAttribute("aria-current", "true");
    if (focus) link(row).focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
    clearTimeout(standing);
    standing = setTimeout(() => claim(row), STAND_MS);
  }

  function claim(row, options) {
    if (claimed === row && Date.now() - claimedAt < CLAIM_AGAIN_MS) return;
    const leave = claimed && claimed !== row ? [["leave", idOf(claimed)]] : [];
    claimed = row;
    claimedAt = Date.now();
    send("/console/queue/claims", [["item", idOf(row)], ...leave], options)
      .then((state) => showWho(row, state)).catch(() => { claimed = null; });
  }

  function move(step) {
    const at = rows.indexOf(current);
    stand(rows[at < 0 ? 0 : Math.min(rows.length - 1, Math.max(0, at + step))]);
  }

  function showWho(row, { who, other }) {
    row.querySelector(".on").textContent = who;
    row.toggleAttribute("data-other", other);
  }

  function showVerdict(row, label, by = "") {
    const given = row.querySelector(".given");
    given.replaceChildren();
    if (label) {
      const chip = document.createElement("span");
      chip.className = `chip ${label}`;
      chip.textContent = text[label];
      const who = document.createElement("span");
      who.className = "quiet";
      who.textContent = by;
      given.append(chip, " ", who);
      row.dataset.given = label;
    } else {
      delete row.dataset.given;
    }
    const here = rows.filter((one) => one.dataset.given && one.dataset.given !== "escalated").length;
    const said = here === 1 ? text.decided_one : fill(text.decided_other, { n: here });
    document.getElementById("decided-here").textContent = here ? ` · ${said}` : "";
    const isDone = rows.length > 0 && rows.every((one) => one.dataset.given);
    const done = document.getElementById("done");
    done.hidden = !isDone;
    if (isDone && document.activeElement?.closest("#queue")) done.querySelector("a").focus();
  }

  // Verdicts: held by the browser, sent after ten seconds or when the page is left

  function decide(row, label) {
    if (row.hasAttribute("data-other") && row.dataset.warned !== label) {
      row.dataset.warned = label;
      notify(fill(text.on_it, { who: row.querySelector(".on").textContent }));
      return;
    }
    hold([row], label, "");
    const rest = rows.slice(rows.indexOf(row) + 1);
    const next = rest.find((one) => !one.dataset.given) ?? rows.find((one) => !one.dataset.given);
    if (next) stand(next);
  }

  function hold(those, label, rationale) {
    those.forEach(sendHeldOf);
    const group = { rows: those, label, rationale, before: those.map((row) => row.querySelector(".given").cloneNode(true)) };
    group.given = those.map((row) => row.dataset.given);
    group.timer = setTimeout(() => sendGroup(group), HOLD_S * 1000);
    held.push(group);
    those.forEach((row) => { box(row).checked = false; showVerdict(row, label); });
    showChosen();
    const what = those.length === 1 ? link(those[0]).textContent : String(those.length);
    closeNotice();
    const undo = { action: text.undo, onAction: () => undoGroup(group), seconds: HOLD_S };
    group.close = closeNotice = notify(fill(text.held, { label: text[label], what }), undo);
  }

  /** Send what is held of a row before it gets another verdict, so that they are stored in order. */
  function sendHeldOf(row) {
    held.filter((group) => group.rows.includes(row)).forEach((group) => undoGroup(group, false));
  }

  function undoGroup(group, isShown = true) {
    const at = held.indexOf(group);
    if (at < 0) return;
    held.splice(at, 1);
    clearTimeout(group.timer);
    group.close();
    putBack(group);
    if (!isShown) return;
    stand(group.rows[0]);
    notify(text.undone, { seconds: 2 });
  }

  function putBack(group) {
    group.rows.forEach((row, i) => {
      showVerdict(row, group.given[i]);
      row.querySelector(".given").replaceWith(group.before[i]);
    });
  }

  function sendGroup(group, options) {
    const at = held.indexOf(group);
    if (at < 0) return Promise.resolve();
    held.splice(at, 1);
    clearTimeout(group.timer);
    const items = group.rows.map((row) => ["item", box(row).value]);
    const fields = [["label", group.label], ["rationale", group.rationale], ...items];
    return send("/console/verdicts", fields, options).then(({ rows: states }) => {
      group.rows.forEach((row) => {
        const { stored, verdict } = states[idOf(row)];
        box(row).value = `${idOf(row)}.${verdict.seen}`;
        showVerdict(row, verdict.label, verdict.by);
        showWho(row, { who: "", other: false });
        if (!stored) notify(fill(text.not_stored, { by: verdict.by, label: verdict.text }), { seconds: 20 });
      });
    }).catch((error) => {
      putBack(group);
      notify(error instanceof TypeError ? text.failed : error.message, { seconds: 20 });
    });
  }

  const sendAll = (options) => Promise.all([...held].map((group) => sendGroup(group, options)));

  /** Follow a link once everything is stored, so that the next page does not show it again. */
  function leaveFor(event) {
    if (!held.length || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const target = event.currentTarget.href;
    sendAll().then(() => location.assign(target));
  }

  // Choosing several

  function showChosen() {
    const count = chosen().length;
    const template = count === 1 ? text.chosen_one : text.chosen_other;
    document.getElementById("chosen-count").textContent = count ? fill(template, { n: count }) : "";
  }

  function toggle(row) {
    box(row).checked = !box(row).checked;
    showChosen();
  }

  function assign(those) {
    const items = those.map((row) => ["item", box(row).value]);
    send("/console/queue/assignments", items).then((state) => {
      those.forEach((row) => { showWho(row, state); box(row).checked = false; });
      showChosen();
      notify(state.message);
    }).catch((error) => notify(error.message));
  }

  // What changes while the page is open

  function poll() {
    if (document.hidden) return;
    const address = new URL(queue.dataset.changes, location.href);
    rows.forEach((row) => address.searchParams.append("shown", idOf(row)));
    fetch(address, { headers: { "X-Refresh": "1", Accept: "application/json" } })
      .then((reply) => (reply.ok && !reply.redirected ? reply.json() : Promise.reject()))
      .then(showChanges).catch(() => {});
  }

  function showChanges({ newer, rows: states }) {
    const count = newer.filter((id) => !known.has(id)).length;
    const pill = document.getElementById("newer");
    pill.hidden = count === 0;
    const label = count === 1 ? text.newer_one : fill(text.newer_other, { n: count });
    if (pill.textContent !== label) pill.textContent = label;
    const isHeld = new Set(held.flatMap((group) => group.rows));
    rows.filter((row) => !isHeld.has(row)).forEach((row) => {
      const state = states[idOf(row)];
      if (!state) return;
      showWho(row, state);
      const seen = box(row).value.split(".")[1];
      // Whoever decides from now on has seen it.
      if (state.verdict && String(state.verdict.seen) !== seen) {
        showVerdict(row, state.verdict.label, state.verdict.by);
        box(row).value = `${idOf(row)}.${state.verdict.seen}`;
      }
    });
  }

  // Keys

  document.addEventListener("keydown", (event) => {
    const isBox = event.target instanceof HTMLInputElement && event.target.type === "checkbox";
    if (isBox && event.key === "Enter") event.preventDefault(); // else it would submit the form
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.querySelector("dialog[open]") || (isTyping(event.target) && !isBox)) return;
    if (!areKeysUsed() || (event.repeat && !"jk".includes(event.key))) return;
    if (act(event)) event.preventDefault();
  });

  function act(event) {
    const several = chosen();
    switch (event.key) {
      case "j": move(1); return true;
      case "k": move(-1); return true;
      case "x": if (current) toggle(current); return true;
      case "u": if (held.length) undoGroup(held.at(-1)); return true;
      case "/": document.getElementById("entity").focus(); return true;
      case "?": help.showModal(); return true;
      case "Enter":
        if (!current || event.target !== document.body) return false;
        link(current).click();
        return true;
      case "a":
        if (several.length || current) assign(several.length ? several : [current]);
        return true;
      case "f": case "l": case "e":
        if (several.length) form.querySelector(`[value=${LABELS[event.key]}]`).click();
        else if (current) decide(current, LABELS[event.key]);
        else notify(text.first_row);
        return true;
      default: return false;
    }
  }

  // Events

  rows.forEach((row) => {
    link(row).addEventListener("focus", () => { if (current !== row) stand(row, { focus: false }); });
    link(row).addEventListener("click", () => {
      history.replaceState(null, "", `#${idOf(row)}`);
      claim(row, { keepalive: true });
    });
    box(row).addEventListener("change", showChosen);
  });
  const all = document.getElementById("all");
  all.closest("label").hidden = false;
  all.addEventListener("change", () => {
    rows.filter((row) => !row.dataset.given).forEach((row) => { box(row).checked = all.checked; });
    showChosen();
  });
  form.querySelector("[formaction]").addEventListener("click", (event) => {
    event.preventDefault();
    if (chosen().length) assign(chosen());
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "confirm-body") return;
    confirming.showModal();
    confirming.querySelector("[autofocus]")?.focus();
  });
  confirming.addEventListener("click", (event) => {
    if (!event.target.closest("[data-close]")) return;
    event.preventDefault();
    confirming.close();
  });
  confirming.addEventListener("submit", (event) => {
    event.preventDefault();
    const fields = new FormData(event.target);
    const ids = new Set(fields.getAll("item").map((item) => item.split(".")[0]));
    confirming.close();
    hold(rows.filter((row) => ids.has(idOf(row))), fields.get("label"), fields.get("rationale"));
    stand(rows.find((row) => !row.dataset.given) ?? current, { focus: !rows.every((row) => row.dataset.given) });
  });
  document.querySelectorAll("#newer, #done a, .tabs a, a[rel=next]").forEach((one) => {
    one.addEventListener("click", leaveFor);
  });
  addEventListener("pagehide", () => { sendAll({ keepalive: true }); });
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  document.addEventListener("visibilitychange", poll);
  setInterval(poll, POLL_S * 1000);

  document.querySelectorAll(".keys").forEach((one) => { one.hidden = false; });
  document.getElementById("keys-button").addEventListener("click", () => help.showModal());
  const use = document.getElementById("keys-use");
  use.checked = areKeysUsed();
  use.addEventListener("change", () => localStorage.setItem("sentinel.queue.keys", use.checked ? "on" : "off"));
  const back = rows.find((row) => `#${idOf(row)}` === location.hash);
  if (back) stand(back);
})();
