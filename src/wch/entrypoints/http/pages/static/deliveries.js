// The signed deliveries that went to the hub, and sending one again: as it was, or wrongly.
import { $, ask, complain, post, relist } from "./asking.js";
import { clean, el } from "./bubbles.js";

const MOST = 25;
const WAYS = [["once", "Again"], ["twice", "Twice"], ["out_of_order", "Out of order"], ["wrong_signature", "Wrongly signed"]];
const WENT = { new: "", once: "again", twice: "twice", out_of_order: "out of order", wrong_signature: "wrongly signed" };

let newest = 0;

export async function deliveries(refresh) {
  const told = (await ask(`/deliveries?after=${Math.max(0, newest - MOST)}`)).data.slice(-MOST).reverse();
  newest = told[0]?.id ?? 0;
  relist($("deliveries"), told, () => told.length
    ? told.map((one) => delivery(one, refresh))
    : [el("li", { class: "muted" }, "Nothing went out yet.")]);
}

function delivery(one, refresh) {
  const name = `${clean(one.what)}, number ${one.id}`;
  return el("li", {},
    el("p", { class: "line" }, el("b", { class: "grow" }, `#${one.id} ${clean(one.what)}`), el("time", { class: "detail", datetime: one.at }, one.at.slice(11, 19)),
      el("span", { class: `badge ${one.status === 200 ? "good" : "bad"}` }, String(one.status ?? "no answer"))),
    WENT[one.how] ? el("p", { class: "detail" }, `sent ${WENT[one.how]}`) : null,
    el("div", { class: "row", role: "group", "aria-label": `Send ${name} again` }, ...WAYS.map(([how, label]) =>
      el("button", { type: "button", on: { click: () => post(`/deliveries/${one.id}`, { how }).then((answer) => told(one, label, answer.statuses), complain).then(refresh) } }, label))));
}

function told(one, label, statuses) {
  $("went").textContent = `#${one.id}, ${label.toLowerCase()}: the hub answered ${statuses.map((status) => status ?? "nothing").join(" and ")}.`;
}
