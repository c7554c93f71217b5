// What of a page does not fit its window: a list of complaints.
async () => {
  // Charts are drawn again in the frame after the window has another size.
  const frame = () => new Promise(requestAnimationFrame);
  if (document.querySelector("[data-charts]")) await frame().then(frame);
  const found = [], root = document.documentElement, width = root.clientWidth;
  const named = (e) => `<${e.tagName.toLowerCase()} class="${e.getAttribute("class") ?? ""}"> ${(e.textContent ?? "").trim().slice(0, 30)}`;
  if (root.scrollWidth > width) found.push(`the page is ${root.scrollWidth - width} px too wide`);
  const hidden = (e) => !e.checkVisibility() || e.closest(".away, .skip, thead");
  const scrolls = (e) => {
    for (let up = e.parentElement; up && up !== document.body; up = up.parentElement) {
      if (["auto", "scroll"].includes(getComputedStyle(up).overflowX)) return true;
    }
    return false;
  };
  for (const e of document.body.querySelectorAll("*")) {
    if (hidden(e) || e.closest("svg svg, option")) continue;
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    if (!box.width || !box.height) continue;
    if ((box.right > width + 1 || box.left < -1) && !scrolls(e)) found.push(`outside: ${named(e)}`);
    // What long texts need more is taken from the margin of the page.
    const room = e.parentElement.getBoundingClientRect();
    if (e.matches("table") && !scrolls(e) && box.width > room.width + 24) found.push(`wider than its place: ${named(e)}`);
    // Text that is cut off must be found elsewhere: in its title.
    const cut = e.scrollWidth > e.clientWidth + 1 && style.overflowX === "hidden" && style.display !== "inline" && e.clientWidth;
    if (e.matches(".options, .names, .menu ul, dialog") && e.scrollWidth > e.clientWidth + 1) found.push(`scrolls sideways: ${named(e)}`);
    if (cut && !e.closest("[title]") && !e.matches("input, textarea, select")) found.push(`cut off: ${named(e)}`);
    if (e.matches("td.first > a, td.first > span, h1 > span, h3 > a, .names a") && box.height > 5 * parseFloat(style.lineHeight)) found.push(`too many lines: ${named(e)}`);
    // WCAG 2.2, 2.5.8: 24 by 24 px, except links in a text.
    if (e.matches("a, button, summary, select, input:not([type=hidden]), textarea") && !e.closest("p, dd, .alert, svg, .line, code")) {
      const target = e.closest("label.check") ?? e.closest("label") ?? e, size = target.getBoundingClientRect();
      if (Math.round(size.height) < 24 || Math.round(size.width) < 24) {
        found.push(`small target, ${Math.round(size.width)} x ${Math.round(size.height)}: ${named(e)}`);
      }
    }
  }
  return [...new Set(found)].slice(0, 5);
}
