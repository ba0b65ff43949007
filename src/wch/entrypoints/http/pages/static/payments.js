// The payments that were opened at the simulated gateways, and what the customer does with them.
import { $, ask, post, pressed, relist } from "./asking.js";
import { clean, el } from "./bubbles.js";

const MOST = 12;
const WHOLE_UNITS = new Set(["mercadopago"]);
const DEEDS = [
  ["pay", "Pay", "primary"],
  ["decline", "Decline"],
  ["pay_late", "Pay late"],
  ["wrong_amount", "Wrong amount"],
];
const TONES = { open: "warn", paid: "good", cancelled: "", expired: "" };

export async function payments(refresh) {
  const told = (await ask("/payments")).data.slice(-MOST).reverse();
  relist($("payments"), told, () => told.length
    ? told.map((one) => payment(one, refresh))
    : [el("li", { class: "muted" }, "None yet: choose to pay online at checkout.")]);
}

// Gateways name amounts in their own units: most in the smallest of the currency.
export function amount(one, figure = one.amount) {
  const money = new Intl.NumberFormat("en", { style: "currency", currency: one.currency, currencyDisplay: "code" });
  const places = WHOLE_UNITS.has(one.gateway) ? 0 : money.resolvedOptions().maximumFractionDigits;
  return money.format(Number(figure) / 10 ** places);
}

function payment(one, refresh) {
  const possible = DEEDS.filter(([deed]) => one.state === "open" || (deed === "pay_late" && one.state !== "paid"));
  const facts = [clean(one.gateway)];
  if (one.received !== null) facts.push(`${amount(one, one.received)} came`);
  if (Number(one.refunded)) facts.push(`${amount(one, one.refunded)} went back`);
  if (one.state === "open") facts.push(`until ${one.expires_at.slice(11, 16)} UTC`);
  return el("li", {},
    el("p", {}, el("b", {}, amount(one)), " ", el("span", { class: `badge ${TONES[one.state] ?? ""}` }, clean(one.state))),
    el("p", { class: "detail" }, facts.join(", ")),
    possible.length ? el("div", { class: "row", role: "group", "aria-label": `Payment over ${amount(one)}` },
      ...possible.map(([deed, label, look]) => el("button", { type: "button", class: look, on: { click: (event) => act(event.currentTarget, one, deed).then(refresh) } }, label))) : null);
}

const act = (button, one, deed) =>
  pressed(button, () => post(`/payments/${encodeURIComponent(one.gateway)}/${encodeURIComponent(one.id)}`, { do: deed }));
