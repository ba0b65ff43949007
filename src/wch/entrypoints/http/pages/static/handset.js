// One customer's phone: what it shows, and what can be said and tapped on it.
import { $, ask, complain, content, post } from "./asking.js";
import { bubble, clean, el } from "./bubbles.js";

// What a customer says first, by language; the hub hears the language from the words.
export const LANGUAGES = {
  en: ["English", ["hi", "lamp", "¿Qué tienes?"]],
  es: ["Español", ["hola", "lámpara", "ver catálogo"]],
  pt_BR: ["Português", ["oi", "luminária", "ver catálogo"]],
  ar: ["العربية", ["مرحبا", "السلة"]],
  hi: ["हिन्दी", ["नमस्ते", "कार्ट"]],
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

async function basket(say) {
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

const clockFace = (moment, timeZone) => new Date(moment).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit", timeZone });
const day = (moment, timeZone) => new Date(moment).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", timeZone });

function place(parent, wanted) {
  wanted.forEach((node, at) => {
    if (parent.childNodes[at] !== node) parent.insertBefore(node, parent.childNodes[at] ?? null);
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild.remove();
}

// `refresh` asks for all that is new; `look` makes this phone the one whose rows the page tells.
export function handset({ number, name, language = "en" }, { refresh, look, about }) {
  const node = $("handset").content.firstElementChild.cloneNode(true);
  const part = (name) => node.querySelector(`.${name}`);
  const chat = part("chat");
  const field = node.querySelector("textarea");
  const phone = { number, name, language: LANGUAGES[language] ? language : "en", node, messages: [], trace: null, typing: false, timezone: "UTC", hides_number: false, blocks: false, takes_offers: true,
    say, show, tick, setUp, focus: () => field.focus() };
  let shown = "";

  // What the sandbox knows of this phone, asked for or changed.
  async function setUp(wishes = {}) {
    const told = await post(`/customers/${number}`, { name, language: phone.language, ...wishes });
    for (const key of ["timezone", "hides_number", "blocks", "takes_offers"]) phone[key] = told[key];
    part("zone").textContent = phone.timezone.replaceAll("_", " ");
    part("blocked").hidden = !phone.blocks;
    part("composer").hidden = phone.blocks;
    part("owner").replaceChildren(el("b", { dir: "auto" }, clean(name)), ` ${phone.hides_number ? "no number" : `+${number}`}, ${LANGUAGES[phone.language][0]}`);
    nodes.clear();
    show();
  }

  function tick(now) {
    part("here").textContent = clockFace(now, phone.timezone);
    part("here").dateTime = now;
  }

  async function say(body) {
    try {
      await post(`/customers/${number}/messages`, { name, language: phone.language, ...body });
      content();
    } catch (error) {
      complain(error);
    }
    await refresh();
  }

  const doing = {
    reply: (kind, one) => say({ type: "interactive", interactive: { type: kind, [kind]: kept(one) } }),
    tap: (label) => say({ tap: label }),
    list: (action) => sheet(action.button ?? "Choose", (action.sections ?? []).map((section) =>
      el("section", { class: "choices" }, section.title ? el("h3", { dir: "auto" }, clean(section.title)) : null,
        ...section.rows.map((row) => choice(row.title, row.description, () => doing.reply("list_reply", row)))))),
    link: (url) => sheet("A link", [el("p", {}, "On a phone this would open:"), el("p", { class: "address", dir: "ltr" }, clean(url ?? "no address"))]),
    place: () => sheet("Send a place", PLACES.map(([name, address, latitude, longitude]) =>
      choice(name, address, () => say({ type: "location", location: { latitude, longitude, name, address } })))),
    basket: () => basket(say),
  };

  function attachments() {
    sheet("Send something else", [
      choice("Place", "a spot on the map", () => doing.place()),
      choice("Picture", "the sandbox adds the file", () => say({ type: "image", image: { caption: field.value.trim() || undefined } })),
      choice("Voice message", "a short recording", () => say({ type: "audio", audio: { voice: true } })),
      choice("Contact", "a card of a friend", () => say({ type: "contacts", contacts: [{ name: { formatted_name: "Ana Ruiz", first_name: "Ana" }, phones: [{ phone: "+34 600 555 666", type: "CELL" }] }] })),
      choice("Catalogue order", "a basket from the catalogue", () => doing.basket()),
      choice("Thumbs up", "a reaction to the latest message", () => react()),
      choice("STOP", "end the shop's offers in words", () => say({ type: "text", text: { body: "STOP" } })),
    ]);
  }

  function react() {
    const latest = phone.messages.findLast((one) => one.direction === "outbound");
    if (latest) say({ type: "reaction", reaction: { message_id: latest.id, emoji: "👍" } });
  }

  function show() {
    const mark = JSON.stringify([phone.typing, phone.timezone, phone.messages.map((one) => [one.id, one.statuses, one.webhook, one.error])]);
    if (mark === shown) return;
    const atEnd = chat.scrollHeight - chat.scrollTop - chat.clientHeight < 120 || !shown;
    shown = mark;
    const wanted = [];
    let date = "";
    for (const message of phone.messages.filter((one) => !one.withheld)) {
      if (day(message.at, phone.timezone) !== date) {
        date = day(message.at, phone.timezone);
        wanted.push(el("p", { class: "day" }, date));
      }
      wanted.push(known(message));
    }
    if (!wanted.length) wanted.push(welcome());
    if (phone.typing) wanted.push(el("div", { class: "turn theirs typing" }, el("div", { class: "bubble theirs" }, el("span", { class: "dots", role: "img", "aria-label": "The shop is typing" }, el("i"), el("i"), el("i")))));
    place(chat, wanted);
    if (atEnd) chat.scrollTop = chat.scrollHeight;
    part("presence").textContent = phone.typing ? "typing…" : "business account";
  }

  // A message that has not changed keeps its node, so that focus and the reader's place stay.
  const nodes = new Map();
  function known(message) {
    const mark = JSON.stringify([message.statuses, message.webhook, message.error]);
    const old = nodes.get(message.id);
    if (old?.mark === mark) return old.node;
    const node = bubble(message, doing, clockFace(message.at, phone.timezone));
    if (old?.node.contains(document.activeElement)) {
      const which = [...old.node.querySelectorAll("button")].indexOf(document.activeElement);
      queueMicrotask(() => node.querySelectorAll("button")[which]?.focus({ preventScroll: true }));
    }
    nodes.set(message.id, { mark, node });
    return node;
  }

  function welcome() {
    return el("div", { class: "welcome" },
      el("p", { class: "headline" }, "Say hello to your shop"),
      el("p", {}, "You are the customer now. Say hi, look through the categories, and order something: it goes all the way to a placed order."),
      el("div", { class: "row centred", lang: phone.language.replace("_", "-") }, ...LANGUAGES[phone.language][1].map((text) =>
        el("button", { type: "button", class: "chip", dir: "auto", on: { click: () => say({ type: "text", text: { body: text } }) } }, text))));
  }

  function grow() {
    field.style.height = "auto";
    field.style.height = `${Math.min(field.scrollHeight, 120)}px`;
  }

  part("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    field.value = "";
    grow();
    say({ type: "text", text: { body: text } });
  });
  field.addEventListener("input", grow);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      part("composer").requestSubmit();
    }
  });
  part("attach").addEventListener("click", attachments);
  part("read").addEventListener("click", () => post(`/customers/${number}/read`).then(refresh, complain));
  part("about").addEventListener("click", () => about(phone));
  part("unblock").addEventListener("click", () => setUp({ blocks: false }).then(content, complain));
  node.addEventListener("focusin", () => look(phone));
  node.addEventListener("pointerdown", () => look(phone));
  node.setAttribute("aria-label", `Phone of ${clean(name)}`);
  return phone;
}
