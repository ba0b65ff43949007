// Asks the sandbox's interface, and says on the page what it refused.
import { clean } from "./bubbles.js";

const API = "sandbox/api";
export const $ = (id) => document.getElementById(id);

export async function ask(path, options) {
  const answer = await fetch(`${API}${path}`, options);
  const told = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(told?.detail ?? `The sandbox answered ${answer.status}.`);
  return told;
}

export const post = (path, body) =>
  ask(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body ?? {}) });

export function complain(error) {
  $("notice").textContent = error instanceof TypeError ? "The hub does not answer: is wch serve still running?" : clean(error.message);
  $("notice").hidden = false;
}

export const content = () => { $("notice").hidden = true; };

// One press: what it asks for, and the button shut until it is done.
export async function pressed(button, act) {
  button.disabled = true;
  try {
    await act();
    content();
  } catch (error) {
    complain(error);
  } finally {
    button.disabled = false;
  }
}

// A list that has not changed keeps its nodes, so that focus stays where it is.
const shown = new Map();
export function relist(list, told, nodes) {
  const mark = JSON.stringify(told);
  if (shown.get(list) === mark) return;
  shown.set(list, mark);
  const had = [...list.querySelectorAll("button")].indexOf(document.activeElement);
  list.replaceChildren(...nodes());
  if (had >= 0) list.querySelectorAll("button")[had]?.focus({ preventScroll: true });
}
