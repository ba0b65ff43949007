// What the console does beyond plain pages: news without reloading, the countdown, and the latest words in view.
"use strict";

const body = document.body;

// --- the thread's end is what people look for
function toTheEnd() {
  const said = document.querySelector(".said");
  if (said) said.scrollTop = said.scrollHeight;
}

// --- the window's countdown, by the server's clock
let closesIn = null;
function readWindow() {
  const shown = document.querySelector(".window[data-closes]");
  closesIn = shown ? { until: performance.now() + (shown.dataset.closes - shown.dataset.now) * 1000 } : null;
}
function countDown() {
  const shown = document.querySelector("[data-left]");
  if (!closesIn || !shown) return;
  const seconds = Math.max(0, Math.floor((closesIn.until - performance.now()) / 1000));
  const minutes = Math.floor(seconds / 60);
  shown.textContent = minutes >= 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : minutes >= 5 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  if (seconds === 0) {
    closesIn = null;
    refresh(true);
  }
}

// --- news
const marks = new Map();
for (const name of Object.keys(body.dataset)) {
  if (!name.startsWith("mark-") && !/^mark\d/.test(name)) continue;
  const [topic, mark] = body.dataset[name].split(/=(?=[^=]*$)/);
  marks.set(topic, mark);
}

let fetching = false;
let wanted = false;
async function refresh(whole = false) {
  if (fetching) { wanted = true; return; }
  fetching = true;
  try {
    const answer = await fetch(location.href.replace(/([?&])done=[^&#]*/, "$1"), { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) { location.reload(); return; }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    swap("[data-live]", fresh);
    const form = document.querySelector("[data-composer] textarea");
    const isWriting = form && (form.value || document.activeElement === form);
    const acts = document.querySelector(".acts");
    const freshActs = fresh.querySelector(".acts");
    if (whole && !freshActs === !acts && !isWriting) swap(".composer", fresh);
    else if (acts && freshActs && !acts.contains(document.activeElement)) acts.replaceWith(freshActs);
    if (whole && fresh.querySelector(".composer") && !fresh.querySelector("[data-composer]")) swap(".composer", fresh);
    readWindow();
    countDown();
    document.getElementById("news").textContent = "The page has news.";
  } catch {
    offerRefresh();
  } finally {
    fetching = false;
    if (wanted) { wanted = false; refresh(); }
  }
}

function swap(what, fresh) {
  const old = document.querySelector(what);
  const made = fresh.querySelector(what);
  if (!old || !made) return;
  const said = old.querySelector(".said");
  const atEnd = !said || said.scrollHeight - said.scrollTop - said.clientHeight < 80;
  const focused = document.activeElement?.closest(what) ? document.activeElement.getAttribute("href") : null;
  const top = said?.scrollTop;
  for (const box of old.querySelectorAll("input[type=checkbox]:checked")) {
    const same = made.querySelector(`input[name="${CSS.escape(box.name)}"]`);
    if (same) same.checked = true;
  }
  old.replaceWith(made);
  if (atEnd) toTheEnd();
  else if (made.querySelector(".said")) made.querySelector(".said").scrollTop = top;
  if (focused) made.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

function offerRefresh() {
  if (document.querySelector(".stale")) return;
  const link = document.createElement("a");
  link.className = "button stale";
  link.href = location.href;
  link.textContent = "Live updates are off: refresh";
  document.querySelector(".head")?.append(link);
}

function listen() {
  if (!body.dataset.topics) return;
  const stream = new EventSource(`${body.dataset.events}?topics=${encodeURIComponent(body.dataset.topics)}`);
  stream.onmessage = (event) => {
    const { topic, version } = JSON.parse(event.data);
    if (marks.get(topic) === version) return;
    marks.set(topic, version);
    refresh();
  };
  stream.onopen = () => document.querySelector(".stale")?.remove();
  stream.onerror = () => { if (stream.readyState === EventSource.CLOSED) offerRefresh(); };
}

// --- Ctrl and Enter sends
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.matches("[data-composer] textarea")) {
    event.preventDefault();
    event.target.form.requestSubmit();
  }
});

// --- on a phone the navigation is wider than the screen
document.querySelector(".side [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

toTheEnd();
readWindow();
countDown();
setInterval(countDown, 1000);
listen();
