// How a message looks on the phone. Everything a customer or the shop wrote becomes text nodes, never markup.

export function el(tag, facts = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(facts)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") for (const [event, act] of Object.entries(value)) node.addEventListener(event, act);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

// Control characters are shown as a mark; they would otherwise be able to hide what stands there.
export const clean = (text) =>
  String(text ?? "").replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");

const MARKS = [["```", "code"], ["*", "strong"], ["_", "em"], ["~", "s"]];

// WhatsApp's own marks: *bold*, _italic_, ~struck~ and ```code```, around words and not across lines.
function styled(line) {
  for (const [mark, tag] of MARKS) {
    const start = line.indexOf(mark);
    if (start < 0) continue;
    const end = line.indexOf(mark, start + mark.length + 1);
    if (end < 0) continue;
    const inner = line.slice(start + mark.length, end);
    const before = line[start - 1];
    const after = line[end + mark.length];
    const apart = (letter) => letter === undefined || !/[\p{L}\p{N}]/u.test(letter);
    if (inner !== inner.trim() || !apart(before) || !apart(after)) continue;
    return [
      ...styled(line.slice(0, start)),
      el(tag, {}, ...(tag === "code" ? [inner] : styled(inner))),
      ...styled(line.slice(end + mark.length)),
    ];
  }
  return line ? [line] : [];
}

export function words(text, tag = "p") {
  const node = el(tag, { class: "words", dir: "auto" });
  clean(text).split("\n").forEach((line, at) => node.append(...(at ? [el("br")] : []), ...styled(line)));
  return node;
}

const small = (text) => el("p", { class: "footnote", dir: "auto" }, clean(text));
const title = (text) => el("p", { class: "headline", dir: "auto" }, clean(text));

function card(icon, heading, detail) {
  return el("div", { class: "card" },
    el("span", { class: "card-icon", "aria-hidden": "true" }, icon),
    el("div", {}, el("strong", { dir: "auto" }, clean(heading)), detail ? el("span", { class: "detail", dir: "auto" }, clean(detail)) : null));
}

const MEDIA = {
  image: ["▧", "Picture"], video: ["▶", "Video"], audio: ["♪", "Voice message"],
  document: ["▤", "Document"], sticker: ["★", "Sticker"],
};

function media(kind, file = {}) {
  const [icon, name] = MEDIA[kind];
  const nodes = [card(icon, file.filename || name, file.link || file.mime_type)];
  if (file.caption) nodes.push(words(file.caption));
  return nodes;
}

function header(head) {
  if (!head) return null;
  if (head.type === "text") return title(head.text);
  return MEDIA[head.type] ? media(head.type, head[head.type])[0] : null;
}

function money(figure, currency) {
  const value = figure && figure.offset ? figure.value / figure.offset : figure?.value;
  return `${value ?? ""} ${currency ?? ""}`.trim();
}

// What an interactive message has below its text: [label, what a tap does].
function actions(inner, doing) {
  const action = inner.action ?? {};
  const parameters = action.parameters ?? {};
  switch (inner.type) {
    case "button":
      return (action.buttons ?? []).map((one) => [one.reply.title, () => doing.reply("button_reply", one.reply)]);
    case "list":
      return [[action.button ?? "Choose", () => doing.list(action), "list"]];
    case "cta_url":
      return [[parameters.display_text ?? "Open", () => doing.link(parameters.url), "link"]];
    case "location_request_message":
      return [["Send location", () => doing.place(), "place"]];
    case "product":
    case "product_list":
    case "catalog_message":
      return [[inner.type === "product" ? "View" : "View items", () => doing.basket(), "list"]];
    case "order_details":
      return [[`Review and pay ${money(parameters.total_amount, parameters.currency)}`, () => doing.link(parameters.payment_settings?.[0]?.payment_link?.uri), "link"]];
    default:
      return [];
  }
}

function interactive(inner, doing) {
  const nodes = [header(inner.header), inner.body ? words(inner.body.text) : null];
  if (inner.type === "product") nodes.push(card("▣", "Product", inner.action?.product_retailer_id));
  if (inner.type === "order_status") nodes.push(card("▣", "Order", inner.action?.parameters?.order?.status));
  if (inner.footer) nodes.push(small(inner.footer.text));
  return [nodes, actions(inner, doing)];
}

function template(message, doing) {
  const parts = message.body.template ?? {};
  const given = (parts.components ?? []).flatMap((one) => (one.parameters ?? []).map((two) => two.text ?? two.payload ?? ""));
  const nodes = [message.text ? words(message.text) : card("❐", parts.name, given.filter(Boolean).join(" · "))];
  nodes.push(small(`Template ${parts.name ?? ""}, ${parts.language?.code ?? ""}`));
  return [nodes, (message.buttons ?? []).map((label) => [label, () => doing.tap(label)])];
}

// The nodes of a message's content, and what can be tapped below it.
function content(message, doing) {
  const body = message.body ?? {};
  const kind = message.type;
  if (kind === "text") return [[words(body.text?.body)], []];
  if (kind === "interactive") {
    const reply = body.interactive?.button_reply ?? body.interactive?.list_reply;
    if (reply) return [[words(reply.title), reply.description ? small(reply.description) : null], []];
    return interactive(body.interactive ?? {}, doing);
  }
  if (kind === "button") return [[words(body.button?.text)], []];
  if (kind === "template") return template(message, doing);
  if (MEDIA[kind]) return [media(kind, body[kind]), []];
  if (kind === "location") {
    const place = body.location ?? {};
    return [[card("◎", place.name ?? "Location", place.address ?? `${place.latitude}, ${place.longitude}`)], []];
  }
  if (kind === "contacts") return [(body.contacts ?? []).map((one) => card("☺", one.name?.formatted_name ?? "Contact", one.phones?.[0]?.phone)), []];
  if (kind === "order") {
    const items = body.order?.product_items ?? [];
    const pieces = items.reduce((sum, one) => sum + Number(one.quantity ?? 0), 0);
    return [[card("▣", "Catalogue order", `${pieces} ${pieces === 1 ? "piece" : "pieces"} of ${items.length} ${items.length === 1 ? "product" : "products"}`), body.order?.text ? words(body.order.text) : null], []];
  }
  if (kind === "reaction") return [[card(clean(body.reaction?.emoji) || "–", "Reaction")], []];
  return [[card("?", kind)], []];
}

const ICONS = { list: "☰", link: "↗", place: "◎" };
const TOLD = { sent: "sent", delivered: "delivered", read: "read", failed: "failed" };

// One tick taken by the hub, two arrived, two in colour read; the words say the same to those who do not see it.
export function ticks(message) {
  const words = message.statuses ?? [];
  if (message.error || words.includes("failed")) return el("span", { class: "ticks failed" }, "! not delivered");
  if (message.direction === "inbound") {
    if (words.includes("read")) return mark("✓✓", "read", true);
    if (message.webhook === 200) return mark("✓", "taken by the hub");
    return el("span", { class: "ticks" }, message.webhook ? `refused with ${message.webhook}` : "not taken yet");
  }
  const last = ["read", "delivered", "sent"].find((word) => words.includes(word));
  if (!last) return el("span", { class: "ticks" }, "no status told");
  return mark(last === "sent" ? "✓" : "✓✓", TOLD[last], last === "read");
}

function mark(sign, meaning, read = false) {
  return el("span", { class: read ? "ticks read" : "ticks", title: meaning }, el("span", { "aria-hidden": "true" }, sign), el("span", { class: "unseen" }, meaning));
}

export function bubble(message, doing, at) {
  const [nodes, taps] = content(message, doing);
  const mine = message.direction === "inbound";
  const node = el("article", { class: `bubble ${mine ? "mine" : "theirs"} ${message.type}`, "data-id": message.id },
    el("span", { class: "unseen" }, mine ? "You: " : "The shop: "), ...nodes);
  if (message.error) node.append(el("p", { class: "fault" }, `${message.error.code}: ${clean(message.error.title)}`));
  node.append(el("p", { class: "stamp" }, el("time", { datetime: message.at }, at), ticks(message)));
  const whole = el("div", { class: `turn ${mine ? "mine" : "theirs"}` }, node);
  if (taps.length) {
    whole.append(el("div", { class: "taps" }, ...taps.map(([label, act, icon]) =>
      el("button", { type: "button", class: "tap", dir: "auto", on: { click: act } }, icon ? el("span", { "aria-hidden": "true", class: "tap-icon" }, ICONS[icon]) : null, clean(label)))));
  }
  return whole;
}
