// The phone's page: asks the sandbox's interface once a second for what is new, and says what the customer does.
import { bubble, clean, el } from "./bubbles.js";

const API = "sandbox/api";
const EVERY = 1000;
const MOST_PEOPLE = 8;
const $ = (id) => document.getElementById(id);

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

const state = {
  people: new Map([["34600111222", "Maria"]]),
  me: "34600111222",
  shown: "",
  messages: [],
  log: [],
  trace: null,
  typing: false,
};

// --- asking

async function ask(path, options) {
  const answer = await fetch(`${API}${path}`, options);
  const told = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(told?.detail ?? `The sandbox answered ${answer.status}.`);
  return told;
}

const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });

function complain(error) {
  const text = error instanceof TypeError ? "The hub does not answer: is wch serve still running?" : error.message;
  $("notice").textContent = text;
  $("notice").hidden = false;
}

const content = () => { $("notice").hidden = true; };

async function say(body) {
  const phone = state.me;
  try {
    await post(`/customers/${phone}/messages`, { name: state.people.get(phone), ...body });
    content();
  } catch (error) {
    complain(error);
  }
  await refresh();
}

// --- what a tap does

const doing = {
  reply: (kind, one) => say({ type: "interactive", interactive: { type: kind, [kind]: kept(one) } }),
  tap: (label) => say({ tap: label }),
  list: (action) => sheet(action.button ?? "Choose", (action.sections ?? []).map((section) =>
    el("section", { class: "choices" }, section.title ? el("h3", { dir: "auto" }, clean(section.title)) : null,
      ...section.rows.map((row) => choice(row.title, row.description, () => doing.reply("list_reply", row)))))),
  link: (url) => sheet("A link", [el("p", {}, "On a phone this would open:"), el("p", { class: "address", dir: "ltr" }, clean(url ?? "no address"))]),
  place: () => sheet("Send a place", PLACES.map(([name, address, latitude, longitude]) =>
    choice(name, address, () => say({ type: "location", location: { latitude, longitude, name, address } })))),
  basket: () => basket(),
};

const PLACES = [
  ["Plaza Mayor", "Plaza Mayor, 28012 Madrid", 40.4154, -3.7074],
  ["Avenida Paulista", "Av. Paulista 1578, São Paulo", -23.5614, -46.6559],
  ["Connaught Place", "Connaught Place, New Delhi", 28.6315, 77.2167],
];

const kept = ({ id, title, description }) => (description === undefined ? { id, title } : { id, title, description });

function choice(title, detail, act) {
  return el("button", { type: "button", class: "choice", on: { click: () => { $("sheet").close(); act(); } } },
    el("span", { class: "choice-title", dir: "auto" }, clean(title)), detail ? el("span", { class: "detail", dir: "auto" }, clean(detail)) : null);
}

function sheet(title, nodes) {
  $("sheet-title").textContent = clean(title);
  $("sheet-body").replaceChildren(...nodes);
  $("sheet").showModal();
}

async function basket() {
  let shelf;
  try {
    shelf = (await ask("/catalogue")).data;
  } catch (error) {
    complain(error);
    return;
  }
  const lines = shelf.map((one) => [one, el("input", { type: "number", min: 0, max: 99, value: 0, inputmode: "numeric", "aria-label": `How many of ${one.name}` })]);
  const order = () => {
    const items = lines.filter(([, field]) => Number(field.value) > 0).map(([one, field]) => ({
      product_retailer_id: one.retailer_id, quantity: Number(field.value), item_price: Number(one.price.amount), currency: one.price.currency,
    }));
    if (!items.length) return;
    $("sheet").close();
    say({ type: "order", order: { catalog_id: "sandbox", product_items: items, text: "" } });
  };
  sheet("Order from the catalogue", [
    ...lines.map(([one, field]) => el("div", { class: "shelf" },
      el("span", { class: "grow" }, el("span", { class: "choice-title", dir: "auto" }, clean(one.name)),
        el("span", { class: "detail" }, `${one.price.amount} ${one.price.currency}${one.stock === null ? "" : `, ${one.stock} there`}`)), field)),
    el("button", { type: "button", class: "primary wide", on: { click: order } }, "Send the order"),
  ]);
}

function attachments() {
  sheet("Send something else", [
    choice("Place", "a spot on the map", () => doing.place()),
    choice("Picture", "the sandbox adds the file", () => say({ type: "image", image: { caption: $("say").value.trim() || undefined } })),
    choice("Voice message", "a short recording", () => say({ type: "audio", audio: { voice: true } })),
    choice("Contact", "a card of a friend", () => say({ type: "contacts", contacts: [{ name: { formatted_name: "Ana Ruiz", first_name: "Ana" }, phones: [{ phone: "+34 600 555 666", type: "CELL" }] }] })),
    choice("Catalogue order", "a basket from the catalogue", () => basket()),
    choice("Thumbs up", "a reaction to the latest message", () => react()),
    choice("STOP", "end the shop's offers", () => say({ type: "text", text: { body: "STOP" } })),
  ]);
}

function react() {
  const latest = state.messages.findLast((one) => one.direction === "outbound");
  if (latest) say({ type: "reaction", reaction: { message_id: latest.id, emoji: "👍" } });
}

// --- showing the phone

const clockFace = (moment) => moment.slice(11, 16);
const day = (moment) => new Date(moment).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });

function people() {
  const buttons = [...state.people].map(([number, name]) =>
    el("button", { type: "button", class: "chip", "aria-pressed": String(number === state.me), on: { click: () => pick(number) } },
      el("span", { class: "avatar", "aria-hidden": "true" }, clean(name).slice(0, 1).toUpperCase()), el("span", { dir: "auto" }, clean(name))));
  if (state.people.size < MOST_PEOPLE) buttons.push(el("button", { type: "button", class: "chip add", "aria-haspopup": "dialog", on: { click: invite } }, "+ Another customer"));
  const had = [...$("people").children].indexOf(document.activeElement);
  $("people").replaceChildren(...buttons);
  if (had >= 0) $("people").children[Math.min(had, buttons.length - 1)].focus();
}

function pick(number) {
  state.me = number;
  state.messages = [];
  state.trace = null;
  state.shown = "";
  people();
  refresh();
}

function invite() {
  $("person-number").value = String(34600000000 + Math.floor(Math.random() * 999999));
  $("person").showModal();
}

function phone() {
  const shown = JSON.stringify([state.me, state.typing, state.messages.map((one) => [one.id, one.statuses, one.webhook, one.error])]);
  if (shown === state.shown) return;
  const chat = $("chat");
  const atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 120 || !state.shown;
  state.shown = shown;
  const nodes = [];
  let date = "";
  for (const message of state.messages) {
    if (day(message.at) !== date) {
      date = day(message.at);
      nodes.push(el("p", { class: "day" }, date));
    }
    nodes.push(known(message));
  }
  if (!nodes.length) nodes.push(welcome());
  if (state.typing) nodes.push(el("div", { class: "turn theirs typing" }, el("div", { class: "bubble theirs" }, el("span", { class: "dots", role: "img", "aria-label": "The shop is typing" }, el("i"), el("i"), el("i")))));
  place(chat, nodes);
  if (atEnd) chat.scrollTop = chat.scrollHeight;
  $("presence").textContent = state.typing ? "typing…" : "business account";
}

// A message that has not changed keeps its node, so that focus and the reader's place stay.
const nodes = new Map();
function known(message) {
  const mark = JSON.stringify([message.statuses, message.webhook, message.error]);
  const old = nodes.get(message.id);
  if (old?.mark === mark) return old.node;
  const node = bubble(message, doing, clockFace(message.at));
  if (old?.node.contains(document.activeElement)) {
    const which = [...old.node.querySelectorAll("button")].indexOf(document.activeElement);
    queueMicrotask(() => node.querySelectorAll("button")[which]?.focus({ preventScroll: true }));
  }
  nodes.set(message.id, { mark, node });
  return node;
}

function place(parent, wanted) {
  wanted.forEach((node, at) => {
    if (parent.childNodes[at] !== node) parent.insertBefore(node, parent.childNodes[at] ?? null);
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
}

function welcome() {
  return el("div", { class: "welcome" },
    el("p", { class: "headline" }, "Say hello to your shop"),
    el("p", {}, "You are the customer now. Say hi, look through the categories, and order something: it goes all the way to a placed order."),
    el("div", { class: "row centred" }, ...["hi", "lamp", "¿Qué tienes?"].map((text) =>
      el("button", { type: "button", class: "chip", on: { click: () => say({ type: "text", text: { body: text } }) } }, text))));
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
  if (body.to) return String(body.to).replace("+", "") === state.me;
  if (body.message_id) return state.messages.some((one) => one.id === body.message_id);
  return true;
};

function events() {
  const found = [];
  for (const one of state.messages) {
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
  const trace = state.trace;
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
  const list = [...(state.trace?.messages ?? [])].reverse();
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
    ? active.map((one) => el("li", {}, el("b", {}, FAULTS.find(([kind]) => kind === one.fault)?.[1] ?? one.fault), ` for ${one.calls} more ${one.calls === 1 ? "call" : "calls"}`))
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
      ask(`/customers/${me}/messages`), ask(`/graph-log?after=${pending(after)}`), ask(`/customers/${me}/trace`), ask("/clock"), ask("/faults"),
    ]);
    if (me !== state.me) return;
    state.messages = said.data;
    merge(log.data);
    state.trace = trace.data;
    state.typing = typing();
    phone(); journal(); cards(); rows(); faults(active.data);
    $("clock").textContent = stamp(now.now).replace(" UTC", "") + now.now.slice(16, 19) + " UTC";
    $("clock").dateTime = now.now;
    if ($("tables").closest("details").open) tables(await ask("/stats"));
    if ($("notice").textContent.startsWith("The hub does not answer")) content();
  } catch (error) {
    complain(error);
  }
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
  const last = state.messages.at(-1);
  return last?.direction === "inbound" && state.log.some((one) => one.body?.typing_indicator && one.body.message_id === last.id)
    && state.trace?.messages.some((row) => row.wa_message_id === last.id && row.status !== "processed" && row.status !== "dead");
}

async function remembered() {
  try {
    for (const one of (await ask("/customers")).data) if (state.people.size < MOST_PEOPLE) state.people.set(one.wa_id, one.name);
  } catch (error) {
    complain(error);
  }
}

// --- what the page's buttons do

function grow() {
  const field = $("say");
  field.style.height = "auto";
  field.style.height = `${Math.min(field.scrollHeight, 120)}px`;
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("say").value.trim();
  if (!text) return;
  $("say").value = "";
  grow();
  say({ type: "text", text: { body: text } });
});
$("say").addEventListener("input", grow);
$("say").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
});
$("attach").addEventListener("click", attachments);
$("look").addEventListener("click", () => post(`/customers/${state.me}/read`).then(refresh, complain));
$("new-person").addEventListener("submit", (event) => {
  event.preventDefault();
  const number = $("person-number").value;
  state.people.set(number, $("person-name").value.trim() || number);
  $("person").close();
  pick(number);
  $("say").focus();
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
$("leaps").addEventListener("click", (event) => { if (event.target.dataset.span) leap(event.target.dataset.span); });
$("leap").addEventListener("submit", (event) => { event.preventDefault(); leap($("span").value); });

$("faults").replaceChildren(...FAULTS.map(([kind, name, meaning]) => el("li", {},
  el("button", { type: "button", "data-fault": kind, "aria-describedby": `about-${kind}`, on: { click: () => order(kind) } }, name),
  el("span", { class: "detail", id: `about-${kind}` }, meaning))));

async function order(kind) {
  try {
    await post("/faults", { fault: kind, calls: Number($("calls").value), code: Number($("code").value) });
    content();
  } catch (error) {
    complain(error);
  }
  await refresh();
}
$("clear").addEventListener("click", () => ask("/faults", { method: "DELETE" }).then(refresh, complain));

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
