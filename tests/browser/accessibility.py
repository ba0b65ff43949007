"""A page looked at with the eyes of those who do not see it, or see little: by axe-core, and by a look of our own."""

from typing import Any

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.async_api import Page

_AXE = Axe()
_ASKED = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}

_LOOK = r"""
() => {
  const found = [];
  const shown = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && !node.closest(".unseen, .skip");
  const name = (node) => (node.getAttribute("aria-label") || [...(node.labels || [])].map((one) => one.textContent).join(" ") ||
    (node.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent || "").join(" ") ||
    (node.matches("input, select, textarea") ? "" : node.textContent + [...node.querySelectorAll("img[alt]")].map((one) => one.alt).join(" ")) || node.title).trim();
  const say = (what, node) => found.push(`${what}: <${node.tagName.toLowerCase()} class="${node.className?.baseVal ?? node.className}"> ${(node.textContent || "").trim().slice(0, 40)}`);

  if (!document.documentElement.lang) found.push("no language");
  if (!document.title) found.push("no title");
  if (document.querySelectorAll("h1").length !== 1) found.push(`${document.querySelectorAll("h1").length} first headings`);
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) found.push(`id twice: ${id}`);
  for (const node of document.querySelectorAll("img:not([alt])")) say("no alt", node);
  for (const node of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, [role=region], [role=log], section[aria-labelledby]"))
    if (shown(node) && !name(node)) say("no name", node);
  for (const node of document.querySelectorAll("table")) if (!node.querySelector("th[scope]")) say("no header", node);
  let level = 0;
  for (const node of document.querySelectorAll("main h1, main h2, main h3, main h4")) {
    if (!node.checkVisibility()) continue;
    const now = Number(node.tagName[1]);
    if (now > level + 1) say(`heading jumps from ${level}`, node);
    level = now;
  }
  for (const node of document.querySelectorAll("button, input:not([type=hidden]), select, textarea, nav a")) {
    if (!shown(node)) continue;
    const box = node.getBoundingClientRect();
    if (box.width < 24 || box.height < 24) say(`small: ${Math.round(box.width)} x ${Math.round(box.height)}`, node);
  }
  for (const node of document.querySelectorAll("[tabindex]")) if (node.tabIndex > 0) say("order of its own", node);

  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data; return [r, g, b, a / 255]; };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const behind = (node) => {
    const layers = [];
    for (let at = node; at; at = at.parentElement) { const colour = rgba(getComputedStyle(at).backgroundColor); layers.push(colour); if (colour[3] === 1) break; }
    return layers.reverse().reduce((under, layer) => over(layer, under), rgba("Canvas"));
  };
  const light = ([r, g, b]) => [r, g, b].map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4)).reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || seen.has(node) || !shown(node) || node.closest("script, style, noscript, option, [disabled]")) continue;
    seen.add(node);
    const ground = behind(node);
    const ink = over(rgba(getComputedStyle(node).color), ground);
    const [low, high] = [light(ink), light(ground)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) say(`contrast ${contrast.toFixed(2)}`, node);
  }
  return found;
}
"""


async def findings(page: Page) -> list[Any]:
    """What is wrong with the page as it stands: names, headings, targets, order, contrast."""
    found: list[Any] = await page.evaluate(_LOOK)
    told = await _AXE.run(page, options=_ASKED)
    return found + [
        f"axe {one['id']}: {node['target']} {node['html'][:120]}"
        for one in told.response["violations"]
        for node in one["nodes"]
    ]
