// The phone's page: asks the sandbox's interface once a second for what is new, and says what the customer does.
import { $, ask, complain, content, post } from "./asking.js";
import { clean, el } from "./bubbles.js";
import { deliveries } from "./deliveries.js";
import { handset, LANGUAGES } from "./handset.js";
import { payments } from "./payments.js";
import { templates } from "./templates.js";

const EVERY = 1000;
const MOST_PEOPLE = 8;

const FAULTS = [
  ["duplicate", "Twice", "The next delivery to the hub comes twice at once."],
  ["reorder", "Out of order", "Your next message comes after the one behind it."],
  ["batch", "All at once", "So many of your messages come in one delivery."],
  ["status_first", "Status first", "Statuses come before the answer to the send."],
  ["status_lost", "Statuses lost", "No status ever comes for the next send."],
  ["timeout_after_accept", "Answer lost", "A send is taken, but the hub never hears so."],
  ["error", "Refused", "The next send is refused with the code above."],
  ["slow", "Slow", "The next send is answered after two seconds."],
  ["down", "WhatsApp away", "Every call is answered with 503."],
  ["bsuid_only", "No number", "Your next message comes without your number."],
];

const state = { people: new Map(), me: null, log: [] };

// --- the phones

const world = { refresh: () => refresh(), look, about };

function invited(person) {
  const phone = handset(person, world);
  state.people.set(phone.number, phone);
  $("phones").append(phone.node);
  return phone;
}

function people() {
  const buttons = [...state.people.values()].map((one) =>
    el("button", { type: "button", class: "chip", "aria-pressed": String(one === state.me), on: { click: () => pick(one) } },
      el("span", { class: "avatar", "aria-hidden": "true" }, clean(one.name).slice(0, 1).toUpperCase()), el("span", { dir: "auto" }, clean(one.name))));
  if (state.people.size < MOST_PEOPLE) buttons.push(el("button", { type: "button", class: "chip add", "aria-haspopup": "dialog", on: { click: invite } }, "+ Another customer"));
  const had = [...$("people").children].indexOf(document.activeElement);
  $("people").replaceChildren(...buttons);
  if (had >= 0) $("people").children[Math.min(had, buttons.length - 1)].focus();
  for (const one of state.people.values()) one.node.classList.toggle("current", one === state.me);
  $("together").hidden = state.people.size < 2;
}

// The phone whose rows are told beside it.
function look(phone) {
  if (phone === state.me) return;
  state.me = phone;
  history.replaceState(null, "", `#${phone.number}`);
  people();
  refresh();
}

function pick(phone) {
  look(phone);
  phone.node.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function together(wanted) {
  document.querySelector("main").dataset.together = String(wanted);
  $("together").setAttribute("aria-pressed", String(wanted));
  refresh();
}
const allShown = () => document.querySelector("main").dataset.together === "true";

let asked = null;
function about(phone) {
  asked = phone;
  $("about-title").textContent = clean(phone.name);
  choose($("about-zone"), phone.timezone);
  $("about-hides").checked = phone.hides_number;
  $("about-offers").checked = phone.takes_offers;
  $("about-blocks").checked = phone.blocks;
  $("about-number").value = "";
  $("about").showModal();
}

function invite() {
  $("person-number").value = String(34600000000 + Math.floor(Math.random() * 999999));
  choose($("person-zone"), state.me.timezone);
  $("person-hides").checked = false;
  $("person").showModal();
}

// --- showing the hub

const KINDS = { text: "text", interactive: "interactive message", button: "button", template: "template" };

function described(entry) {
  const body = entry.body ?? {};
  if (body.status === "read") return body.typing_indicator ? "marks as read, shows that it types" : "marks as read";
  if (body.type) return `sends ${body.type === "interactive" ? `a ${body.interactive?.type ?? ""} message` : KINDS[body.type] ?? body.type}`;
  return `${entry.method} ${entry.path.split("/").slice(2).join("/").replace(/\d{6,}/g, "…")}`;
}

const mine = (entry) => {
  const body = entry.body ?? {};
  if (body.to) return String(body.to).replace("+", "") === state.me.number;
  if (body.message_id) return state.me.messages.some((one) => one.id === body.message_id);
  return true;
};

function events() {
  const found = [];
  for (const one of state.me.messages) {
    if (one.direction === "inbound") {
      const status = one.webhook ?? "no answer";
      found.push({ at: one.at, rank: 0, dir: "in", what: `delivery: ${KINDS[one.type] ?? one.type}`, told: String(status), well: one.webhook === 200 });
    } else if (one.statuses.length) {
      found.push({ at: one.at, rank: 2, dir: "in", what: "delivery: statuses", told: one.statuses.join(" → "), well: !one.statuses.includes("failed") });
    }
  }
  for (const entry of state.log.filter(mine)) {
    const refusal = entry.answer?.error;
    found.push({
      at: entry.at, rank: 1, dir: "out", what: described(entry), fault: entry.fault,
      told: refusal ? `${entry.status}, code ${refusal.code}` : String(entry.status ?? "no answer"), well: entry.status === 200,
    });
  }
  return found.sort((a, b) => (a.at === b.at ? a.rank - b.rank : a.at < b.at ? -1 : 1)).reverse().slice(0, 60);
}

function journal() {
  const lines = events().map((one) =>
    el("li", { class: one.dir },
      el("span", { class: "arrow", "aria-hidden": "true" }, one.dir === "in" ? "→" : "←"),
      el("time", { datetime: one.at }, one.at.slice(11, 19)),
      el("span", { class: "grow" }, el("b", {}, one.dir === "in" ? "in " : "out "), clean(one.what), one.fault ? el("em", { class: "ordered-fault" }, ` fault: ${one.fault}`) : null),
      el("span", { class: `badge ${one.well ? "good" : "bad"}` }, clean(one.told))));
  $("journal").replaceChildren(...(lines.length ? lines : [el("li", { class: "muted" }, "Nothing yet: say something on the phone.")]));
}

const GOOD = new Set(["processed", "delivered", "read", "sent", "completed", "recovered", "active"]);
const BAD = new Set(["dead", "failed", "unconfirmed"]);
const badge = (word) => el("span", { class: `badge ${GOOD.has(word) ? "good" : BAD.has(word) ? "bad" : ""}` }, clean(word));
const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", { dir: "auto" }, ...value));

function cards() {
  const trace = state.me.trace;
  if (!trace) {
    $("cards").replaceChildren(el("div", { class: "panel muted" }, "The hub does not know this customer yet."));
    return;
  }
  const talk = trace.conversation;
  const cart = trace.cart;
  const found = [];
  if (talk) found.push(panel("Conversation", fact("State", badge(talk.status), ` ${talk.state}`), fact("Window closes", talk.window_closes_at ? stamp(talk.window_closes_at) : "shut"), fact("Messages", String(talk.messages))));
  if (cart) {
    const lines = cart.lines.map((line) => `${line.quantity} × ${clean(line.name)}`).join(", ");
    const slots = cart.reminders.filter(Boolean).length;
    found.push(panel("Cart", fact("State", badge(cart.status)), fact("Lines", lines || "empty"), fact("Goods", `${cart.total} ${cart.currency ?? ""}`), slots ? fact("Reminders", `${slots} of 3`) : null));
  }
  for (const one of trace.placements.slice(-2).reverse()) found.push(placement(one));
  if (trace.notices.length) found.push(panel("Notices", ...trace.notices.slice(-4).map((one) => fact(clean(one.type), badge(one.status)))));
  $("cards").replaceChildren(...found);
}

const panel = (title, ...facts) => el("div", { class: "panel" }, el("h3", {}, title), el("dl", {}, ...facts.filter(Boolean)));
const stamp = (moment) => `${moment.slice(0, 10)} ${moment.slice(11, 16)} UTC`;

function placement(saga) {
  const steps = new Map();
  for (const one of saga.steps) steps.set(one.step, one.event);
  return el("div", { class: "panel" }, el("h3", {}, "Order placement"),
    el("p", {}, badge(saga.outcome ?? saga.state), el("span", { class: "muted small" }, ` ${clean(saga.id)}`)),
    el("ol", { class: "steps" }, ...[...steps].map(([step, event]) =>
      el("li", { class: event === "done" ? "done" : event }, clean(step.replaceAll("_", " ")), el("span", { class: "unseen" }, `: ${event}`)))));
}

function rows() {
  const list = [...(state.me.trace?.messages ?? [])].reverse();
  $("rows").replaceChildren(...list.map((row) => el("tr", {},
    el("th", { scope: "row" }, `#${row.id}`),
    el("td", {}, `${row.direction === "inbound" ? "in" : "out"}, ${clean(row.type)}${row.class ? `, ${row.class}` : ""}`),
    el("td", {}, badge(row.status), row.error ? el("span", { class: "detail" }, clean(row.error)) : null),
    el("td", {}, String(row.attempts)),
    el("td", {}, row.at.slice(11, 19)))));
}

function tables(stats) {
  const flat = [];
  for (const [table, states] of Object.entries(stats.tables)) {
    const counted = [];
    for (const [word, value] of Object.entries(states)) {
      if (typeof value === "object") for (const [inner, count] of Object.entries(value)) counted.push([`${word} ${inner}`, count]);
      else counted.push([word, value]);
    }
    flat.push(el("div", {}, el("h4", {}, table), el("p", {}, ...counted.filter(([, count]) => count).map(([word, count]) => el("span", { class: "badge" }, `${word} ${count}`)),
      counted.some(([, count]) => count) ? null : el("span", { class: "muted small" }, "empty"))));
  }
  $("tables").replaceChildren(...flat);
}

function faults(active) {
  $("ordered").replaceChildren(...(active.length
    ? active.map((one) => el("li", {}, el("b", {}, FAULTS.find(([kind]) => kind === one.fault)?.[1] ?? one.fault), ` for ${one.share < 1 ? `${Math.round(one.share * 100)} % of ` : ""}${one.calls} more ${one.calls === 1 ? "call" : "calls"}`))
    : [el("li", { class: "muted" }, "Nothing: all goes well.")]));
}

// --- the round

let busy = null;
function refresh() {
  busy ??= round().finally(() => { busy = null; });
  return busy;
}

async function round() {
  const me = state.me;
  try {
    const after = state.log.at(-1)?.id ?? 0;
    const [said, log, trace, now, active] = await Promise.all([
      ask(`/customers/${me.number}/messages`), ask(`/graph-log?after=${pending(after)}`), ask(`/customers/${me.number}/trace`), ask("/clock/ahead"), ask("/faults"),
    ]);
    me.messages = said.data;
    merge(log.data);
    me.trace = trace.data;
    if (me === state.me) me.typing = typing();
    me.show();
    for (const one of state.people.values()) one.tick(now.now);
    if (allShown()) await Promise.all([...state.people.values()].map(others));
    journal(); cards(); rows(); faults(active.data);
    $("clock").textContent = stamp(now.now).replace(" UTC", "") + now.now.slice(16, 19) + " UTC";
    $("clock").dateTime = now.now;
    ahead(now);
    await Promise.all([payments(refresh), deliveries(refresh), templates()]);
    if ($("tables").closest("details").open) tables(await ask("/stats"));
    if ($("notice").textContent.startsWith("The hub does not answer")) content();
  } catch (error) {
    complain(error);
  }
}

async function others(phone) {
  if (phone === state.me) return;
  phone.typing = false;
  phone.messages = (await ask(`/customers/${phone.number}/messages`)).data;
  phone.show();
}

// Calls without an answer yet are asked for again.
const pending = (last) => {
  const open = state.log.find((one) => one.status === null && one.id > last - 50);
  return open ? open.id - 1 : last;
};

function merge(entries) {
  if (entries.length && state.log.length && entries.at(-1).id < state.log.at(-1).id) state.log = [];
  const byId = new Map(state.log.map((one) => [one.id, one]));
  for (const one of entries) byId.set(one.id, one);
  state.log = [...byId.values()].sort((a, b) => a.id - b.id).slice(-400);
}

function typing() {
  const last = state.me.messages.at(-1);
  return last?.direction === "inbound" && state.log.some((one) => one.body?.typing_indicator && one.body.message_id === last.id)
    && state.me.trace?.messages.some((row) => row.wa_message_id === last.id && row.status !== "processed" && row.status !== "dead");
}

async function remembered() {
  const wishes = {};
  try {
    for (const one of (await ask("/customers")).data.slice(0, MOST_PEOPLE)) invited({ number: one.wa_id, name: one.name, language: one.language });
  } catch (error) {
    complain(error);
  }
  if (!state.people.size) {
    invited({ number: "34600111222", name: "Maria" });
    wishes.timezone = "Europe/Madrid";
  }
  await Promise.all([...state.people.values()].map((one) => one.setUp(wishes).catch(complain)));
  state.me = state.people.get(location.hash.slice(1)) ?? state.people.values().next().value;
}

// --- what the page's buttons do

$("together").addEventListener("click", () => together(!allShown()));
$("person-language").append(...Object.entries(LANGUAGES).map(([code, [name]]) => el("option", { value: code }, name)));
$("new-person").addEventListener("submit", async (event) => {
  event.preventDefault();
  const number = $("person-number").value;
  const person = { number, name: $("person-name").value.trim() || number, language: $("person-language").value };
  $("person").close();
  try {
    const phone = state.people.get(number) ?? invited(person);
    await phone.setUp({ timezone: $("person-zone").value, hides_number: $("person-hides").checked });
    people();
    pick(phone);
    phone.focus();
    content();
  } catch (error) {
    complain(error);
  }
});

// A zone by its name; one that this browser lists under another name is added.
function choose(field, zone) {
  if (!field.options.length) field.append(...["UTC", ...Intl.supportedValuesOf("timeZone")].map((one) => el("option", {}, one)));
  if (![...field.options].some((one) => one.value === zone)) field.append(el("option", {}, zone));
  field.value = zone;
}
$("set-up").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("about").close();
  const wishes = { timezone: $("about-zone").value, hides_number: $("about-hides").checked, takes_offers: $("about-offers").checked, blocks: $("about-blocks").checked };
  await asked.setUp(wishes).then(content, complain);
  await refresh();
});
$("renumber").addEventListener("submit", (event) => {
  event.preventDefault();
  $("about").close();
  const to = $("about-number").value;
  post(`/customers/${asked.number}/number`, { to }).then(() => { location.hash = to; location.reload(); }, complain);
});

async function leap(span) {
  try {
    await post("/clock", { advance: span });
    content();
  } catch (error) {
    complain(error);
  }
  await refresh();
}

// What comes next by itself, named; the page moves the clock right there.
function ahead(told) {
  const first = told.data[0];
  $("go").disabled = !first;
  $("next").replaceChildren(...(first ? ["Next: ", el("b", {}, clean(first.what)), ` in ${span(told.now, first.at)}`] : ["Nothing waits for a moment yet."]));
}
function span(from, to) {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const parts = [[days, "d"], [hours, "h"], [minutes, "min"]].filter(([count]) => count).map(([count, unit]) => `${count} ${unit}`);
  return parts.join(" ") || `${seconds} s`;
}
$("go").addEventListener("click", async () => {
  $("go").disabled = true;
  try {
    await post("/clock/ahead", {});
    content();
  } catch (error) {
    complain(error);
  }
  await refresh();
});
$("leaps").addEventListener("click", (event) => { if (event.target.dataset.span) leap(event.target.dataset.span); });
$("leap").addEventListener("submit", (event) => { event.preventDefault(); leap($("span").value); });

$("faults").replaceChildren(...FAULTS.map(([kind, name, meaning]) => el("li", {},
  el("button", { type: "button", "data-fault": kind, "aria-describedby": `about-${kind}`, on: { click: () => order(kind) } }, name),
  el("span", { class: "detail", id: `about-${kind}` }, meaning))));

async function order(kind) {
  try {
    await post("/faults", { fault: kind, calls: Number($("calls").value), share: Number($("share").value) / 100, code: Number($("code").value) });
    content();
  } catch (error) {
    complain(error);
  }
  await refresh();
}
$("clear").addEventListener("click", () => ask("/faults", { method: "DELETE" }).then(refresh, complain));

$("anew").addEventListener("click", () => $("anew-asked").showModal());
$("anew-yes").addEventListener("click", () => {
  $("anew-asked").close();
  post("/anew", { yes: true }).then(() => location.reload(), complain);
});

for (const button of document.querySelectorAll("[data-view]:is(button)")) {
  button.addEventListener("click", () => {
    document.querySelector("main").dataset.view = button.dataset.view;
    for (const one of document.querySelectorAll("button[data-view]")) one.setAttribute("aria-pressed", String(one === button));
  });
}
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}

await remembered();
people();
await refresh();
setInterval(() => { if (!document.hidden) refresh(); }, EVERY);
