// The campaign's facts as a form, built from the columns that the model names.

import { complaint, isMoney, label, money, number, roundStep, spoken, typedNumber } from "./words.js";

// Where the form starts, for the facts it knows; any other starts in the middle of its range, or with its first category.
const START = {
  goalamount: 20_000, raisedamount: 19_500, durationdays: 30, numbackers: 400, ownerexperience: 2,
  socialmediapresence: 5_000, numupdates: 6, country: "USA", currency: "USD", videoincluded: "Yes",
};
const GROUPS = [
  ["Money", "", (feature) => isMoney(feature) || feature.field === "currency"],
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

  /** Build the form anew; what was entered stays. */
  build(features) {
    this.features = features;
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
      this.build(features);
      this.form.querySelector("input, select").focus();
      this.changed();
    });
    this.form.replaceChildren(...groups.filter(Boolean), element("p", { className: "reset" }, reset));
    this.#currency();
  }

  get currency() {
    return this.values.currency;
  }

  get complete() {
    return Object.keys(this.faults).length === 0;
  }

  feature(field) {
    return this.features.find((feature) => feature.field === field);
  }

  /** Enter a value as if it had been typed. */
  set(field, value) {
    this.values[field] = value;
    this.show[field](value);
    this.fault(field, "");
    if (field === "currency") this.#currency();
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
    if (!feature.categories?.length) return this.#amount(feature);
    return isYesNo(feature) ? this.#toggle(feature) : this.#choice(feature);
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
      outside.hidden = value >= feature.low && value <= feature.high;
      if (!outside.hidden) outside.textContent = `Published campaigns: ${number(feature.low)} to ${number(feature.high)}.`;
    };
    this.show[field] = (value) => {
      typed.value = number(value);
      slide(value);
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
      this.faults[field] = true;
      this.fault(field, typed.value.trim() ? "is not a number" : "is missing");
      return this.changed();
    });
    typed.addEventListener("change", () => {
      if (!this.faults[field]) typed.value = number(this.values[field]);
    });
    const box = element("span", { className: isMoney(feature) ? "typed money" : "typed" });
    box.append(...(isMoney(feature) ? [unit, typed] : [typed, unit]));
    const described = ["hint", "outside", "fault"].map((part) => `${field}-${part}`).join(" ");
    typed.setAttribute("aria-describedby", described);
    const made = wrap("amount", feature, [box, slider, outside]);
    this.show[field](this.values[field]);
    return made;
  }

  #choice(feature) {
    const { field } = feature;
    const select = element("select", { id: field });
    select.append(...feature.categories.map((name) => element("option", { value: name, textContent: name })));
    select.setAttribute("aria-describedby", `${field}-hint ${field}-fault`);
    this.show[field] = (value) => (select.value = value);
    select.addEventListener("change", () => this.set(field, select.value));
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

const isYesNo = (feature) => feature.categories.map((name) => name.toLowerCase()).sort().join() === "no,yes";

/** What is known only after launch starts at nothing, whatever the published data began with. */
function reach({ low, high, known }) {
  const step = high - low > 200 ? roundStep((high - low) / 1000) : 1;
  const first = known === "at launch" ? low : Math.min(0, low);
  return { low: first, high: first + Math.ceil((high - first) / step) * step, step };
}

function start(feature, before) {
  const { field, categories, low, high } = feature;
  if (categories?.length) {
    return [before, START[field]].find((name) => categories.includes(name)) ?? categories[0];
  }
  return before ?? START[field] ?? Math.round((low + high) / 2);
}

/** Amounts, which take a row each, then choices, then toggles, which share rows of two. */
function inRows(features) {
  const size = (feature) => (feature.categories?.length ? (isYesNo(feature) ? 2 : 1) : 0);
  return features.sort((a, b) => size(a) - size(b));
}

function group(title, when, fields) {
  if (!fields.length) return null;
  const halves = fields.filter((field) => !field.classList.contains("amount"));
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
