// SPDX-License-Identifier: Apache-2.0
// The curves of the page. Colours are told apart by people with any colour vision (Okabe, Ito).
"use strict";
const told = JSON.parse(document.getElementById("data").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const colours = { light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"],
  dark: ["#56b4e9", "#f0804a", "#2cc498", "#dd98bf", "#e6b422", "#8ab4ff", "#a6a6a6"] };
const colour = run => colours[dark.matches ? "dark" : "light"][run % colours.light.length];
const styles = { thin: { borderWidth: 0.7 }, dashed: { borderWidth: 1.5, borderDash: [5, 4] },
  line: { borderWidth: 2 }, point: { showLine: false, pointRadius: 6 } };

function axis(title) {
  const ink = getComputedStyle(document.body).color;
  const line = getComputedStyle(document.documentElement).getPropertyValue("--line");
  return { type: "linear", title: { display: Boolean(title), text: title, color: ink },
    ticks: { color: ink, maxRotation: 0, precision: title === "epoch" ? 0 : undefined },
    grid: { color: line, borderColor: line } };
}

function draw(curve, canvas) {
  return new Chart(canvas, {
    type: "line",
    data: { datasets: curve.lines.map(l => ({
      label: told.runs[l.run], data: l.points.map(([x, y]) => ({ x, y })), ...styles[l.style],
      borderColor: colour(l.run), backgroundColor: colour(l.run),
      pointRadius: styles[l.style].pointRadius || (l.points.length < 30 && l.style !== "thin" ? 2 : 0), pointHitRadius: 8 })) },
    options: { animation: false, maintainAspectRatio: false,
      interaction: { mode: "nearest", intersect: false },
      scales: { x: axis(curve.x), y: axis("") },
      plugins: { legend: { display: false },
        title: { display: true, text: curve.title, color: getComputedStyle(document.body).color } } },
  });
}

let charts = [];
function drawAll() {
  for (const mark of document.querySelectorAll(".mark")) mark.style.background = colour(mark.dataset.run);
  for (const chart of charts) chart.destroy();
  for (const place of document.querySelectorAll(".charts")) place.replaceChildren();
  charts = told.curves.map(curve => {
    const box = document.createElement("div");
    box.className = "chart";
    const canvas = document.createElement("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", curve.title);
    box.append(canvas);
    document.getElementById(curve.place || "curves").append(box);
    return draw(curve, canvas);
  });
}
drawAll();
dark.addEventListener("change", drawAll);
