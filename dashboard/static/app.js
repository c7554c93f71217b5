// What pages do better with a script. Everything works without it, except that nothing refreshes itself.
"use strict";

const dialog = document.getElementById("dialog");
const body = document.getElementById("dialog-body");

// Actions open in a dialog instead of a page of their own.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
    event.preventDefault();
    closeMenus();
    if (!dialog.open) {
      dialog.returnTo = link.closest(".menu")?.querySelector("summary") ?? link;
      dialog.returnPlace = place(dialog.returnTo);
    }
    htmx.ajax("GET", link.getAttribute("href"), { target: "#dialog-body", swap: "innerHTML" });
    return;
  }
  if (event.target.closest("[data-close]") && dialog.open) {
    event.preventDefault();
    dialog.close();
  }
  closeMenus(event.target.closest("details.menu"));
});

// A menu that comes when it is opened.
document.addEventListener("toggle", (event) => {
  const link = event.target.open && event.target.querySelector("a[data-load]");
  if (link) htmx.ajax("GET", link.href, { target: link.closest("ul"), swap: "innerHTML" });
}, true);

function closeMenus(except) {
  for (const menu of document.querySelectorAll("details.menu[open], details.burger[open]")) {
    if (menu !== except && !menu.contains(except ?? null)) menu.open = menu.classList.contains("burger") && menu.contains(document.activeElement);
  }
}

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details[open]");
  if (menu && event.key === "Escape") {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
  if (menu?.classList.contains("menu") && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    const items = [...menu.querySelectorAll("li > *")];
    const at = items.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    items[(at + items.length) % items.length].focus();
  }
  if (event.key?.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !dialog.open) {
    const search = document.getElementById("search");
    if (search) { event.preventDefault(); search.click(); }
  }
  const palette = event.target.closest?.(".palette");
  if (palette && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    const stops = [palette.querySelector("#find"), ...palette.querySelectorAll("#found a")];
    const next = stops.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
    stops[(next + stops.length) % stops.length].focus();
  }
  if (event.key === "Enter" && event.target.id === "find") {
    const first = palette.querySelector("#found a"); // what is found is where one wants to go
    if (first && event.target.value) { event.preventDefault(); first.click(); }
  }
  if (event.key === "/" && !event.target.closest("input, textarea, select") && !dialog.open) {
    const search = document.getElementById("q");
    if (search) { event.preventDefault(); search.focus(); }
  }
});

dialog.addEventListener("close", () => {
  body.replaceChildren();
  // A refresh may have replaced it before the dialog came.
  const left = dialog.returnTo?.isConnected ? dialog.returnTo : dialog.returnPlace && live()?.querySelector(dialog.returnPlace);
  left?.focus();
});

document.addEventListener("htmx:afterSwap", (event) => {
  if (event.detail.target === body) {
    if (!dialog.open) dialog.showModal();
    (body.querySelector("[role=alert]") ?? body.querySelector("input:not([type=hidden]), select, textarea, button"))?.focus();
  }
  const opened = event.detail.target.closest("details.menu[open]"); // where the focus was in what is replaced
  if (opened && document.activeElement === document.body) opened.querySelector("li > *")?.focus();
  if (focused && document.activeElement === document.body) live()?.querySelector(focused)?.focus({ preventScroll: true });
  focused = "";
  follow();
  prepare();
});

// A log that is followed: its end stays in sight, unless somebody has scrolled to what was before.
let atEnd = true;
function follow() {
  const log = document.querySelector("[data-follow]");
  if (atEnd && log) log.scrollTop = log.scrollHeight;
}

// What a page shows is asked for again when the server says that something of its kind has changed. Without that stream, or
// if it says nothing for long, a page with something that is changing asks by itself.
const POLL_MS = 3000, STREAMING_POLL_MS = 15000, RETRY_MS = 60000;
let stream = null, asked = Date.now(), failed = 0, missed = false, wanted = false, focused = "";

function live() { return document.querySelector("[data-live]"); }

function watch() {
  const shown = live();
  if (!shown || document.hidden || Date.now() - failed < RETRY_MS) return;
  stream = new EventSource(shown.hasAttribute("data-everyone") ? "/live/?everyone" : "/live/");
  stream.addEventListener("changed", (event) => {
    const kinds = live()?.dataset.live.split(" ") ?? [];
    if (event.data.split(" ").some((kind) => kinds.includes(kind))) { wanted = true; refresh(); }
  });
  stream.addEventListener("open", () => { // after a pause, in which nobody told of changes
    if (missed) { missed = false; wanted = true; refresh(); }
  });
  stream.addEventListener("error", () => {
    missed = true;
    if (stream?.readyState === EventSource.CLOSED) { stream = null; failed = Date.now(); }
  });
}

// A selector that finds the same element in content that comes anew, so that the keyboard stays where it was.
function place(element) {
  const row = element.closest("[data-id]"), name = ["href", "formaction", "value"].find((each) => element.hasAttribute(each));
  return (row ? `[data-id="${CSS.escape(row.dataset.id)}"] ` : "") + element.localName
    + (name ? `[${name}="${CSS.escape(element.getAttribute(name))}"]` : "");
}

// Whether somebody works in what a refresh would replace.
function inUse(shown) {
  return dialog.open || shown.querySelector("details[open], input[name=id]:checked")
    || shown.contains(document.activeElement) && document.activeElement.matches("input, select, textarea")
    || !getSelection().isCollapsed && shown.contains(getSelection().anchorNode); // somebody copies a text
}

function refresh() {
  const shown = live();
  if (!shown || document.hidden || inUse(shown)) return;
  if (shown.classList.contains("htmx-request")) return; // what is on its way may be older than this change
  wanted = false;
  focused = shown.contains(document.activeElement) ? place(document.activeElement) : "";
  asked = Date.now();
  const log = document.querySelector("[data-follow]");
  atEnd = !log || log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
  htmx.trigger(shown, "refresh");
}

setInterval(() => {
  const follows = live()?.querySelector("[data-follow]");
  const often = stream?.readyState === EventSource.OPEN && !follows ? STREAMING_POLL_MS : POLL_MS;
  if (wanted || (follows || live()?.hasAttribute("data-busy")) && Date.now() - asked >= often) refresh();
  if (!stream) watch();
}, 1000);
// A browser opens few connections to a server, so only pages that are seen have one.
document.addEventListener("visibilitychange", () => {
  stream?.close();
  stream = null;
  if (!document.hidden) { watch(); wanted = Boolean(live()); }
});

// A form is sent once, however often its button is pressed. An answer that is a download leaves the page, so not for ever.
const SENT_MS = 10000;
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented || event.submitter?.formTarget) return; // htmx sends it, with hx-sync; a new window leaves this one as it is
  const form = event.target;
  if (Date.now() - (form.dataset.sent ?? 0) < SENT_MS) event.preventDefault();
  else if (form.method === "post") form.dataset.sent = Date.now();
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

// What a refresh could not get is left as it is; a resource that is gone leads back to its list. A dialog shows every refusal and
// failure, and an upload each refusal.
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr: { status, responseText }, target, requestConfig } = event.detail;
  if (requestConfig?.triggeringEvent?.type === "refresh" && inUse(target)) { // a menu was opened meanwhile, for example
    event.detail.shouldSwap = false;
    wanted = true;
    return;
  }
  const shows = target === body ? responseText : target.matches("[data-upload]") && responseText.includes("data-upload");
  if (status >= 400 && !shows) {
    event.detail.shouldSwap = false;
    if (status === 404 && target.matches("[data-live]")) location.reload();
  }
});

for (const name of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(name, (event) => {
    const { target, xhr: { responseText } } = event.detail;
    if (responseText && (target === body || responseText.includes("data-upload"))) return; // the form says what failed
    const announce = document.getElementById("announce");
    announce.textContent = announce.dataset.unreachable;
  });
}
document.addEventListener("htmx:afterOnLoad", (event) => {
  if (event.detail.xhr.status < 500) document.getElementById("announce").textContent = "";
});

// A session says that it ends soon; who stays keeps the page, with what was typed.
const ending = document.getElementById("ending"), SOON_MS = 600000;
function sayEnd() {
  if (ending) ending.hidden = ending.dataset.ends * 1000 - Date.now() > SOON_MS;
}
setInterval(sayEnd, 10000);
document.addEventListener("stayed", (event) => {
  ending.dataset.ends = event.detail.value;
  const time = new Date(event.detail.value * 1000).toISOString().slice(11, 16);
  ending.querySelector("span").textContent = ending.dataset.text.replace("{time}", time);
  sayEnd();
  dialog.close();
});

// How far an upload is. If it fails, its file stays chosen, also in the form that comes as the answer.
let chosen = null;
document.addEventListener("htmx:xhr:progress", (event) => {
  const bar = event.target.querySelector?.("progress.upload");
  if (bar && event.detail.lengthComputable) {
    bar.hidden = false;
    bar.value = (100 * event.detail.loaded) / event.detail.total;
  }
});
document.addEventListener("htmx:beforeRequest", (event) => {
  const form = event.target.closest?.("[data-upload]");
  if (form) form.querySelector("[data-stopped]").hidden = true;
});
document.addEventListener("htmx:beforeSwap", (event) => {
  chosen = event.detail.target.matches("[data-upload]") ? event.detail.target.querySelector("[type=file]").files : null;
});
document.addEventListener("htmx:afterSwap", () => {
  const form = chosen?.length && document.querySelector("[data-upload]");
  if (form) {
    form.querySelector("[type=file]").files = chosen;
    form.querySelector("#again").hidden = true;
  }
  chosen = null;
});
for (const name of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(name, (event) => {
    const form = event.target.closest?.("[data-upload]"), bar = form?.querySelector("progress.upload");
    if (!form || event.detail.xhr.responseText.includes("data-upload")) return;
    const said = form.querySelector("[data-stopped]");
    said.textContent = said.dataset.stopped.replace("{share}", Math.floor(bar.value));
    said.hidden = false;
    bar.hidden = true;
  });
}

// A file that is dropped on the form; its name says what the image may be called, and its format.
document.addEventListener("dragover", (event) => {
  if (document.querySelector("[data-upload]") && event.dataTransfer.types.includes("Files")) event.preventDefault();
});
document.addEventListener("drop", (event) => {
  const form = document.querySelector("[data-upload]"), files = event.dataTransfer.files;
  if (!form || !files.length) return;
  event.preventDefault(); // or else the browser would open it
  if (files.length > 1 || form.classList.contains("htmx-request")) return;
  form.querySelector("[type=file]").files = files;
  form.querySelector("[type=file]").dispatchEvent(new Event("change", { bubbles: true }));
});
document.addEventListener("change", (event) => {
  const form = event.target.closest("[data-upload]");
  if (!form || !event.target.matches("[type=file]") || !event.target.files.length) return;
  const [, name, , ending] = /^(.*?)(\.([^.]*))?$/.exec(event.target.files[0].name), format = form.querySelector("#f-disk_format");
  if (!form.querySelector("#f-name").value) form.querySelector("#f-name").value = name;
  const found = { img: "raw" }[ending?.toLowerCase()] ?? ending?.toLowerCase();
  if ([...format.options].some((option) => option.value === found)) format.value = found;
});

// The box that chooses all rows.
document.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) {
    for (const box of document.querySelectorAll("#listing input[name=id]")) box.checked = event.target.checked;
  }
});

function prepare() {
  const tab = document.querySelector(".tabs [aria-current]"), tabs = tab?.parentElement; // in sight, of more than there is room for
  if (tab) tabs.scrollLeft = tab.offsetLeft - tabs.offsetLeft - (tabs.clientWidth - tab.offsetWidth) / 2;
  const entry = document.querySelector(".side [aria-current]"), menu = entry?.closest("div"); // also in sight
  if (menu && entry.offsetTop + entry.offsetHeight > menu.clientHeight) menu.scrollTop = entry.offsetTop - menu.clientHeight / 2;
  for (const part of document.querySelectorAll("[data-droppable]")) part.hidden = false;
}
prepare();
watch();
follow();
document.querySelector("main [role=alert]")?.focus();
