// The campaign's facts as a form, built from the columns that the model names.

import { complaint, isMoney, label, money, number, roundStep, spoken, typedNumber } from "./words.js";

const LONG = 25; // categories, from which on a list is searched
const INPUTS = { text: "text", date: "date", time: "datetime-local" };
const GROUPS = [
  ["Money", "", (feature) => isMoney(feature) || feature.role === "currency"],
  ["The plan", "known at launch", (feature) => feature.known === "at launch"],
  ["How it is going", "known while it runs or at its end", () => true],
];

export class Facts {
  /** `changed` is called after every change, with whether all facts can be sent. */
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.values = {};
    this.features = [];
    form.addEventListener("submit", (event) => event.preventDefault());
  }

  /** Build the form anew, of the fields that are asked for; what was entered stays. `seen` are what the model sees of them. */
  build(features, seen) {
    this.features = features;
    this.seen = seen;
    const before = this.values;
    this.values = Object.fromEntries(features.map((feature) => [feature.field, start(feature, before[feature.field])]));
    this.show = {};
    this.faults = {};
    const left = new Set(features);
    const groups = GROUPS.map(([title, when, belongs]) => {
      const mine = [...left].filter(belongs);
      mine.forEach((feature) => left.delete(feature));
      return group(title, when, inRows(mine).map((feature) => this.#field(feature)));
    });
    const reset = element("button", { type: "button", className: "quiet", textContent: "Start over" });
    reset.addEventListener("click", () => {
      this.values = {};
      this.build(features, seen);
      this.form.querySelector("input, select").focus();
      this.changed();
    });
    this.form.replaceChildren(...groups.filter(Boolean), element("p", { className: "reset" }, reset));
    this.#currency();
  }

  /** That of the campaign, or else the unit of its goal where that is a currency. */
  get currency() {
    const unit = this.withRole("goal")?.unit ?? "";
    return this.values[this.withRole("currency")?.field] ?? (/^[A-Z]{3}$/.test(unit) ? unit : undefined);
  }

  /** The goal, the amount raised or the currency, where the model says which fact that is. */
  withRole(role) {
    return this.features.find((feature) => feature.role === role);
  }

  get complete() {
    return Object.keys(this.faults).length === 0;
  }

  feature(field) {
    return [...this.features, ...this.seen].find((feature) => feature.field === field);
  }

  /** Enter a value as if it had been typed. */
  set(field, value) {
    this.values[field] = value;
    this.show[field](value);
    this.fault(field, "");
    if (this.feature(field).role === "currency") this.#currency();
    this.changed();
  }

  /** Say what is wrong with a field next to it, or nothing; gives whether there is such a field. */
  fault(field, reason) {
    const feature = this.feature(field);
    if (!feature) return false;
    const line = this.form.querySelector(`#${field}-fault`);
    const words = reason && complaint(label(feature), reason);
    line.textContent = words;
    line.hidden = !words;
    for (const input of line.parentElement.querySelectorAll("input, select")) {
      if (words) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    return true;
  }

  /** All facts are fine. */
  accepted() {
    for (const { field } of this.features) this.fault(field, "");
  }

  #field(feature) {
    if (feature.kind !== "category" && feature.kind !== "number") return this.#text(feature);
    if (feature.kind !== "category") return this.#amount(feature);
    if (feature.categories.length > LONG) return this.#search(feature);
    return isYesNo(feature) && !feature.nullable ? this.#toggle(feature) : this.#choice(feature);
  }

  #text(feature) {
    const { field } = feature;
    const typed = element("input", { id: field, type: INPUTS[feature.kind], autocomplete: "off" });
    typed.setAttribute("aria-describedby", `${field}-hint ${field}-fault`);
    this.show[field] = (value) => (typed.value = value ?? "");
    typed.addEventListener("input", () => {
      this.values[field] = typed.value;
      this.#check(field, typed.value.trim() || feature.nullable ? "" : "is missing");
    });
    this.show[field](this.values[field]);
    return wrap("text", feature, [typed]);
  }

  #amount(feature) {
    const { field } = feature;
    const { low, high, step } = reach(feature);
    const typed = element("input", { id: field, type: "text", inputMode: "decimal", autocomplete: "off" });
    const slider = element("input", { id: `${field}-slider`, type: "range", min: low, max: high, step });
    const unit = element("span", { className: "unit", textContent: isMoney(feature) ? "" : feature.unit });
    const outside = element("p", { className: "outside", id: `${field}-outside`, hidden: true });
    slider.setAttribute("aria-label", `${label(feature)}, slider`);
    const slide = (value) => {
      slider.value = value;
      slider.style.setProperty("--filled", `${((Math.min(Math.max(value, low), high) - low) / (high - low || 1)) * 100}%`);
      slider.setAttribute("aria-valuetext", spoken(feature, value, this.currency));
      outside.hidden = !isOutside(feature, value);
      if (!outside.hidden) outside.textContent = `What it learnt from: ${number(feature.seen[0])} to ${number(feature.seen[1])}.`;
    };
    this.show[field] = (value) => {
      typed.value = value === null ? "" : number(value);
      if (value !== null) slide(value);
    };
    const enter = (value) => {
      this.values[field] = value;
      delete this.faults[field];
      this.fault(field, "");
      slide(value);
      this.changed();
    };
    slider.addEventListener("input", () => {
      typed.value = number(slider.valueAsNumber);
      enter(slider.valueAsNumber);
    });
    typed.addEventListener("input", () => {
      const value = typedNumber(typed.value);
      if (Number.isFinite(value)) return enter(value);
      if (feature.nullable && !typed.value.trim()) return this.set(field, null);
      this.faults[field] = true;
      this.fault(field, typed.value.trim() ? "is not a number" : "is missing");
      return this.changed();
    });
    typed.addEventListener("change", () => {
      if (!this.faults[field] && this.values[field] !== null) typed.value = number(this.values[field]);
    });
    const box = element("span", { className: isMoney(feature) ? "typed money" : "typed" });
    box.append(...(isMoney(feature) ? [unit, typed] : [typed, unit]));
    const described = ["hint", "outside", "fault"].map((part) => `${field}-${part}`).join(" ");
    typed.setAttribute("aria-describedby", described);
    const made = wrap("amount", feature, [box, slider, outside]);
    this.show[field](this.values[field]);
    return made;
  }

  /** One of a long list, found by typing a part of it. */
  #search(feature) {
    const { field, categories } = feature;
    const known = new Map(categories.map((name) => [name.toLowerCase(), name]));
    const typed = element("input", { id: field, type: "text", autocomplete: "off", placeholder: "type a part of it" });
    const list = element("datalist", { id: `${field}-list` }, ...categories.map((name) => element("option", { value: name })));
    typed.setAttribute("list", list.id);
    typed.setAttribute("aria-describedby", `${field}-hint ${field}-fault`);
    typed.addEventListener("focus", () => typed.select());
    const matches = (part) => (part ? categories.filter((name) => name.toLowerCase().includes(part)) : []);
    this.show[field] = (value) => (typed.value = value ?? "");
    typed.addEventListener("input", () => {
      const part = typed.value.trim().toLowerCase();
      this.values[field] = known.get(part) ?? null;
      this.#check(field, known.has(part) || (feature.nullable && !part) ? "" : `has ${matches(part).length || "none"} that match; choose one`);
    });
    typed.addEventListener("change", () => {
      const found = matches(typed.value.trim().toLowerCase());
      if (this.faults[field] && found.length === 1) {
        delete this.faults[field];
        this.set(field, found[0]);
      }
    });
    this.show[field](this.values[field]);
    return wrap("search", feature, [typed, list]);
  }

  /** Mark a field that cannot be sent, or take the mark away. */
  #check(field, reason) {
    if (reason) this.faults[field] = true;
    else delete this.faults[field];
    this.fault(field, reason);
    this.changed();
  }

  #choice(feature) {
    const { field } = feature;
    const select = element("select", { id: field });
    if (feature.nullable) select.append(element("option", { value: "", textContent: "not given" }));
    select.append(...feature.categories.map((name) => element("option", { value: name, textContent: name })));
    select.setAttribute("aria-describedby", `${field}-hint ${field}-fault`);
    this.show[field] = (value) => (select.value = value ?? "");
    select.addEventListener("change", () => this.set(field, select.value || null));
    this.show[field](this.values[field]);
    return wrap("choice", feature, [select]);
  }

  #toggle(feature) {
    const { field } = feature;
    const yes = feature.categories.find((name) => name.toLowerCase() === "yes");
    const no = feature.categories.find((name) => name.toLowerCase() === "no");
    const box = element("input", { id: field, type: "checkbox" });
    const state = element("span", { className: "state" });
    box.setAttribute("role", "switch");
    box.setAttribute("aria-describedby", `${field}-hint ${field}-fault`);
    state.setAttribute("aria-hidden", "true");
    this.show[field] = (value) => {
      box.checked = value === yes;
      state.textContent = value;
    };
    box.addEventListener("change", () => this.set(field, box.checked ? yes : no));
    this.show[field](this.values[field]);
    return wrap("toggle", feature, [element("span", { className: "switch" }, box, state)]);
  }

  /** The currency that was chosen stands in every field of money. */
  #currency() {
    for (const unit of this.form.querySelectorAll(".money .unit")) unit.textContent = this.currency ?? "";
    for (const feature of this.features.filter(isMoney)) {
      const slider = this.form.querySelector(`#${feature.field}-slider`);
      slider.setAttribute("aria-valuetext", money(this.values[feature.field], this.currency));
    }
  }
}

/** Whether a number lies outside what training saw. */
export const isOutside = ({ seen }, value) => Boolean(seen) && typeof value === "number" && (value < seen[0] || value > seen[1]);

const isYesNo = (feature) => feature.categories.map((name) => name.toLowerCase()).sort().join() === "no,yes";

/** What is known only after launch starts at nothing, whatever training began with. */
function reach({ low, high, known }) {
  const span = high - low;
  const step = span > 200 ? roundStep(span / 1000) : span > 0 && span < 20 && !Number.isInteger(low + high) ? roundStep(span / 100) : 1;
  const first = known === "at launch" ? low : Math.min(0, low);
  return { low: first, high: first + Math.ceil((high - first) / step) * step, step };
}

function start(feature, before) {
  const { kind, categories, low, high, nullable } = feature;
  if (kind === "category") {
    return [before, feature.start].find((name) => categories.includes(name)) ?? (nullable ? null : categories[0] ?? "");
  }
  if (kind === "time" || kind === "date") {
    return before ?? new Date(Date.now() + feature.start * 86_400_000).toISOString().slice(0, kind === "date" ? 10 : 16);
  }
  if (kind === "text") return before ?? feature.start;
  return before ?? feature.start ?? (low === null ? 0 : Math.round((low + high) / 2));
}

/** Amounts, which take a row each, then choices, then toggles, which share rows of two. */
function inRows(features) {
  const size = ({ kind, categories }) => (kind !== "category" || categories.length > LONG ? 0 : isYesNo({ categories }) ? 2 : 1);
  return features.sort((a, b) => size(a) - size(b));
}

function group(title, when, fields) {
  if (!fields.length) return null;
  const halves = fields.filter((field) => !["amount", "text", "search"].some((kind) => field.classList.contains(kind)));
  if (halves.length % 2) halves.at(-1).classList.add("wide");
  const legend = element("legend", { textContent: title });
  if (when) legend.append(" ", element("small", { textContent: when }));
  return element("fieldset", {}, legend, element("div", { className: "fields" }, ...fields));
}

function wrap(kind, feature, controls) {
  const { field } = feature;
  const fault = element("p", { id: `${field}-fault`, className: "fault", hidden: true });
  const hint = element("p", { id: `${field}-hint`, className: "hint", textContent: feature.meaning });
  const name = element("label", { htmlFor: field, textContent: label(feature) });
  return element("div", { className: `field ${kind}` }, element("div", { className: "name" }, name, hint), ...controls, fault);
}

export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
