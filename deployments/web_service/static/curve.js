// One what-if curve as SVG: axes, the present point, and a readout for pointer and keyboard.

import { element } from "./form.js";
import { percent, roundStep } from "./words.js";

const HEIGHT = 230;
const EDGE = { left: 44, right: 18, top: 10, bottom: 46 };
const KEYS = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };

export class Curve {
  /** `pick`, where there is one, is called with the amount that was clicked, or chosen with Enter. */
  constructor(title, pick) {
    this.pick = pick;
    this.svg = svg("svg", { role: "img", tabindex: 0, height: HEIGHT });
    this.readout = element("p", { className: "read" });
    this.meeting = element("span", { className: "meeting" });
    this.here = element("span", { className: "here" });
    this.rows = element("tbody");
    this.column = element("th", { scope: "col" });
    const table = element("table", {},
      element("thead", {}, element("tr", {}, this.column, element("th", { scope: "col", textContent: "Chance" }))), this.rows);
    this.figure = element("figure", { className: "curve" },
      element("figcaption", { textContent: title }),
      element("p", { className: "keys" }, this.here, this.meeting),
      this.svg, this.readout,
      element("details", {}, element("summary", { textContent: "As a table" }), table));
    this.svg.addEventListener("pointermove", (event) => this.#read(this.#nearest(event)));
    this.svg.addEventListener("pointerleave", () => this.#read());
    this.svg.addEventListener("click", (event) => {
      if (event.pointerType !== "touch") this.#choose(this.#nearest(event));
    });
    this.svg.addEventListener("keydown", (event) => this.#key(event));
    this.svg.addEventListener("focus", () => this.readout.setAttribute("aria-live", "polite"));
    this.svg.addEventListener("blur", () => {
      this.readout.setAttribute("aria-live", "off");
      this.#read();
    });
    this.readout.setAttribute("aria-live", "off");
    new ResizeObserver(() => this.data && this.#draw()).observe(this.figure);
  }

  /** `noun`: what the curve is of; `name` and `unit`: of the x axis; `write`: its values as text; `meets`: the other amount, and what to call where both are equal. */
  show(data) {
    this.data = data;
    this.at = undefined;
    this.#draw();
    this.#describe();
  }

  #draw() {
    const { x, probability, at, name, unit, write, meets } = this.data;
    const width = Math.max(this.svg.clientWidth || this.figure.clientWidth, 220);
    const [left, right, top, bottom] = [EDGE.left, width - EDGE.right, EDGE.top, HEIGHT - EDGE.bottom];
    const first = Math.min(x[0], x.at(-1));
    const end = x.at(-1) > first ? x.at(-1) : first + 1;
    this.toX = (amount) => left + ((amount - first) / (end - first)) * (right - left);
    this.toY = (chance) => bottom - chance * (bottom - top);
    this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const parts = [];
    for (const chance of [0, 0.25, 0.5, 0.75, 1]) {
      const y = this.toY(chance);
      parts.push(svg("line", { class: chance === 0.5 ? "grid even" : "grid", x1: left, x2: right, y1: y, y2: y }));
      parts.push(text(`${chance * 100}%`, { class: "tick", x: left - 8, y: y + 4, "text-anchor": "end" }));
    }
    const step = roundStep((end - first) / Math.max(2, Math.floor((right - left) / 76)));
    for (let amount = Math.ceil(first / step) * step; amount <= end + step / 1000; amount += step) {
      const place = this.toX(amount);
      parts.push(svg("line", { class: "grid", x1: place, x2: place, y1: bottom, y2: bottom + 4 }));
      const anchor = right - place < 14 ? "end" : "middle";
      parts.push(text(write(amount, true), { class: "tick", x: anchor === "end" ? right + 14 : place, y: bottom + 18, "text-anchor": anchor }));
    }
    parts.push(text(`${name}${unit ? ` (${unit})` : ""}`, { class: "axis", x: (left + right) / 2, y: HEIGHT - 6, "text-anchor": "middle" }));
    if (meets && meets.amount <= end) {
      const place = this.toX(meets.amount);
      parts.push(svg("line", { class: "meet", x1: place, x2: place, y1: top, y2: bottom }));
    }
    const line = x.map((amount, i) => `${this.toX(amount).toFixed(2)},${this.toY(probability[i]).toFixed(2)}`);
    parts.push(svg("path", { class: "area", d: `M${this.toX(x[0])},${bottom}L${line.join("L")}L${this.toX(end)},${bottom}Z` }));
    parts.push(svg("path", { class: "line", d: `M${line.join("L")}` }));
    this.cross = svg("line", { class: "cross", y1: top, y2: bottom, visibility: "hidden" });
    this.dot = svg("circle", { class: "dot", r: 4, visibility: "hidden" });
    const present = svg("circle", { class: "present", r: 6.5, cx: this.toX(x[at]), cy: this.toY(probability[at]) });
    this.svg.replaceChildren(...parts, this.cross, present, this.dot);
    this.#read(this.at);
  }

  /** What the picture shows, in words and as a table. */
  #describe() {
    const { x, probability, at, name, noun, write, rare, meets } = this.data;
    const say = (i) => `${percent(probability[i], rare)} at ${write(x[i])}`;
    const turns = x.slice(1).map((_, i) => i + 1).filter((i) => probability[i] > 0.5 !== probability[i - 1] > 0.5);
    const turn = turns.length
      ? `it ${probability[turns.at(-1)] > 0.5 ? "rises above" : "falls below"} even at about ${write(x[turns.at(-1)])}, `
      : "";
    this.svg.setAttribute("aria-label",
      `Chance of success by ${name.toLowerCase()}: ${say(0)}, ${turn}${say(x.length - 1)}. ` +
      `This ${noun}: ${say(at)}. Arrow keys read the curve, Enter tries an amount.`);
    this.here.textContent = `this ${noun}`;
    this.meeting.textContent = meets?.words ?? "";
    this.meeting.hidden = !meets;
    this.column.textContent = name;
    const every = Math.ceil(x.length / 12);
    const kept = x.map((_, i) => i).filter((i) => i % every === 0 || i === at || i === x.length - 1);
    this.rows.replaceChildren(...kept.map((i) => element("tr", { className: i === at ? "now" : "" },
      element("td", { textContent: write(x[i]) + (i === at ? " (now)" : "") }), element("td", { textContent: percent(probability[i], rare) }))));
  }

  /** Read the curve at one point; at the present one without a cross. */
  #read(i) {
    const { x, probability, at, write, rare } = this.data;
    this.at = i;
    const shown = i ?? at;
    this.readout.textContent = `${i === undefined ? "Now: " : ""}${percent(probability[shown], rare)} at ${write(x[shown])}`;
    for (const mark of [this.cross, this.dot]) mark.setAttribute("visibility", i === undefined ? "hidden" : "visible");
    for (const end of ["x1", "x2"]) this.cross.setAttribute(end, this.toX(x[shown]));
    this.dot.setAttribute("cx", this.toX(x[shown]));
    this.dot.setAttribute("cy", this.toY(probability[shown]));
  }

  #nearest(event) {
    const place = event.clientX - this.svg.getBoundingClientRect().left;
    const away = this.data.x.map((amount) => Math.abs(this.toX(amount) - place));
    return away.indexOf(Math.min(...away));
  }

  #key(event) {
    const { x, at } = this.data;
    const last = x.length - 1;
    if (event.key in KEYS) this.#read(Math.min(Math.max((this.at ?? at) + KEYS[event.key], 0), last));
    else if (event.key === "Home" || event.key === "End") this.#read(event.key === "Home" ? 0 : last);
    else if (event.key === "Escape") this.#read();
    else if (event.key === "Enter" && this.at !== undefined) this.#choose(this.at);
    else return;
    event.preventDefault();
  }

  #choose(i) {
    this.pick?.(Math.abs(this.data.x[i]) < 20 ? Number(this.data.x[i].toFixed(2)) : Math.round(this.data.x[i]));
  }
}

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function text(words, attributes) {
  const made = svg("text", attributes);
  made.textContent = words;
  return made;
}
