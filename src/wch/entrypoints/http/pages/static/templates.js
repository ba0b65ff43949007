// The account's message templates, and what WhatsApp decides about them.
import { $, ask, post, pressed, relist } from "./asking.js";
import { clean, el } from "./bubbles.js";

const TONES = { APPROVED: "good", GREEN: "good", YELLOW: "warn", PAUSED: "bad", REJECTED: "bad", DISABLED: "bad", RED: "bad" };
const CHANGES = [
  ["Approve", { status: "APPROVED" }],
  ["Pause", { status: "PAUSED" }],
  ["Reject", { status: "REJECTED" }],
  ["Green", { quality: "GREEN" }],
  ["Yellow", { quality: "YELLOW" }],
  ["Red", { quality: "RED" }],
];
const key = (one) => `${one.name}/${one.language}`;
const badge = (word) => el("span", { class: `badge ${TONES[word] ?? ""}` }, clean(word.toLowerCase()));
let told = [];

export async function templates() {
  told = (await ask("/templates")).data;
  const field = $("template");
  relist(field, told.map(key), () => told.map((one) => el("option", { value: key(one) }, `${clean(one.name)}, ${clean(one.language)}`)));
  show();
}

function show() {
  const chosen = told.find((one) => key(one) === $("template").value);
  $("template-state").replaceChildren(...(chosen ? ["Status ", badge(chosen.status), " quality ", badge(chosen.quality)] : []));
  const odd = told.filter((one) => one.status !== "APPROVED" || one.quality !== "GREEN");
  relist($("templates"), odd, () => odd.map((one) => el("li", {}, el("p", {}, el("b", {}, `${clean(one.name)}, ${clean(one.language)} `), badge(one.status), " ", badge(one.quality)))));
}

$("template").addEventListener("change", show);
$("decisions").append(...CHANGES.map(([label, decision]) =>
  el("button", { type: "button", on: { click: (event) => pressed(event.currentTarget, async () => {
    told = (await post(`/templates/${$("template").value.split("/").map(encodeURIComponent).join("/")}`, decision)).data;
    show();
  }) } }, label)));
