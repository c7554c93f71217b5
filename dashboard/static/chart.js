// Charts of the numbers that a table has; without this script, the table is there.
"use strict";

const HEIGHT = 150;

function drawCharts(again) {
  for (const table of document.querySelectorAll("table[data-chart]")) {
    const place = table.closest("section").querySelector("[data-charts]");
    const drawn = Boolean(place?.querySelector("[role=img]"));
    if (drawn && !again) continue;
    const rows = [...table.tBodies[0].rows];
    if (!place || !rows.length) continue;
    const shade = getComputedStyle(document.documentElement);
    const [ink, line, main] = ["--soft", "--line", "--main"].map((name) => shade.getPropertyValue(name).trim());
    const at = rows.map((row) => Number(row.dataset.at));
    const step = at.length > 1 ? at[1] - at[0] : 86400;
    const language = document.documentElement.lang, amounts = new Intl.NumberFormat(language);
    const days = new Intl.DateTimeFormat(language, { day: "2-digit", month: "2-digit", timeZone: "UTC" });
    const named = (seconds) => step >= 86400 && language !== "en" ? days.format(seconds * 1000)
      : new Date(seconds * 1000).toISOString().slice(...(step < 86400 ? [11, 16] : [5, 10]));
    for (const before of place.querySelectorAll("[role=img]")) before.remove();
    [...table.tHead.rows[0].cells].slice(1).forEach((head, index) => {
      const values = rows.map((row) => Number(row.cells[index + 1].dataset.value));
      const figure = place.children[index];
      const canvas = figure.appendChild(document.createElement("div"));
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", place.dataset.about.replace("{what}", head.textContent).replace("{most}", Math.max(...values)));
      const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
      const made = new uPlot({
        width: Math.max(200, figure.clientWidth), height: HEIGHT, legend: { show: false }, cursor: { show: false },
        scales: { x: { range: (u, low, high) => [low, high + step] }, y: { range: (u, low, high) => [0, high || 1] } },
        axes: [{ ...axis, values: (u, marks) => marks.map(named) }, { ...axis, size: 55, values: (u, marks) => marks.map((mark) => amounts.format(mark)) }],
        series: [{}, { stroke: main, fill: main, paths: uPlot.paths.bars({ size: [0.7, 60], align: 1 }), points: { show: false } }],
      }, [at, values], canvas);
      new ResizeObserver(() => made.setSize({ width: Math.max(200, figure.clientWidth), height: HEIGHT })).observe(figure);
    });
    const numbers = table.closest("details");
    if (!drawn) numbers.open = false;
    numbers.dataset.drawn = "";
  }
}

drawCharts(false);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawCharts(true));
document.addEventListener("htmx:afterSwap", () => drawCharts(false));
