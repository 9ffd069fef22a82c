// What drives the prediction: a diverging bar for every fact, and the sum in words.

import { element } from "./form.js";
import { label, percent, points, spoken } from "./words.js";

const SMALL = 0.01; // facts that change less stay in the form's order, so that the list keeps still

export function showDrivers(section, answer, facts) {
  const { contributions, baseline, probability, method } = answer;
  section.hidden = false;
  section.classList.toggle("none", !contributions.length);
  if (!contributions.length) {
    section.querySelector(".lead").textContent = method;
    for (const part of [".sum", ".method", "ol"]) section.querySelector(part).replaceChildren();
    return;
  }
  const place = (one) => facts.seen.findIndex((feature) => feature.field === one.field);
  const sorted = [...contributions].sort((a, b) => size(b) - size(a) || place(a) - place(b));
  const widest = Math.max(...sorted.map((one) => Math.abs(one.contribution)), 0.1);
  section.querySelector(".lead").replaceChildren(...lead(sorted, baseline, facts));
  section.querySelector("ol").replaceChildren(...sorted.map((one) => row(one, widest, facts)));
  const moved = probability - baseline;
  section.querySelector(".sum").textContent =
    `${(baseline * 100).toFixed(1)}% to begin with ${moved < 0 ? "−" : "+"} ${Math.abs(moved * 100).toFixed(1)} points ` +
    `from all facts together = ${(probability * 100).toFixed(1)}%.`;
  section.querySelector(".method").textContent = method ?? "";
}

function lead(sorted, baseline, facts) {
  const strong = sorted.filter((one) => size(one) > 0).slice(0, 2);
  const start = `A typical ${facts.words.noun} starts at ${percent(baseline)}.`;
  if (!strong.length) return [`${start} No fact of this one changes that by as much as one point.`];
  const said = strong.map((one, i) => {
    const feature = facts.feature(one.field);
    const name = i ? label(feature).toLowerCase() : label(feature);
    const turn = one.contribution > 0 ? "raises" : "lowers";
    const size = Math.abs(one.contribution * 100).toFixed(0);
    return `${name} of ${spoken(feature, one.value, facts.currency)} ${turn} it by ${size} points`;
  });
  return [`${start} `, element("strong", { textContent: `${said.join(", ")}.` })];
}

const size = (one) => (Math.abs(one.contribution) < SMALL ? 0 : Math.abs(one.contribution));

function row(one, widest, facts) {
  const feature = facts.feature(one.field);
  const bar = element("i", { className: one.contribution < 0 ? "lowers" : "raises" });
  bar.style.width = `${(Math.abs(one.contribution) / widest) * 50}%`;
  const track = element("span", { className: "track" }, bar);
  track.setAttribute("aria-hidden", "true");
  return element("li", { className: size(one) ? "" : "small" },
    element("span", { className: "name" }, `${label(feature)} `, element("small", { textContent: spoken(feature, one.value, facts.currency) })),
    track,
    element("span", { className: "points" }, points(one.contribution), element("span", { className: "unseen", textContent: " points" })));
}
