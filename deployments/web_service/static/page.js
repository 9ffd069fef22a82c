// The page of one campaign: asks the service as facts change, and shows the newest answer.

import { Curve } from "./curve.js";
import { showDrivers } from "./drivers.js";
import { Facts, element, isOutside } from "./form.js";
import * as service from "./service.js";
import { watchTable } from "./table.js";
import { complaint, isLopsided, isMoney, label, money, number, percent, spoken, verdict } from "./words.js";

const PAUSE = 60; // milliseconds between two questions while a slider moves
const FLYING = 4; // questions on their way at most
const QUIET = 700; // milliseconds without a change after which a screen reader is told
const MARKED = "Put the marked field right to see the chance.";

const at = (id) => document.getElementById(id);
const facts = new Facts(at("facts"), changed);
const curves = {};
let model;
let asked = 0;
let shown = 0;
let flying = 0;
let waiting = false;
let pause;
let quiet;
let again;

// Asking

async function begin() {
  try {
    meet(await service.model());
  } catch (error) {
    refuse(error, begin);
    return;
  }
  settle();
  ask();
}

function meet(answer) {
  const kinds = ({ asked, features }) => JSON.stringify([asked, features]);
  const other = !model || kinds(answer) !== kinds(model);
  model = answer;
  beginClearly();
  facts.words = model.words;
  facts.id = model.id;
  if (other) facts.build(model.asked, model.features);
  document.title = model.title;
  document.querySelector("h1").textContent = model.title;
  for (const part of document.querySelectorAll("[data-noun]")) part.textContent = model.words.noun;
  const [no, , yes] = document.querySelectorAll(".ends span");
  no.textContent = `will ${model.words.no}`;
  yes.textContent = `will ${model.words.yes}`;
  for (const part of ["facts", "knows", "table"]) at(part).hidden = false;
  showModel();
}

/** Where the amounts decide, the first campaign is one of which everybody sees that the model is right. */
function beginClearly() {
  const [goal, raised] = ["goal", "raised"].map((role) => model.asked.find((field) => field.role === role));
  if (model.decisive && typeof goal?.start === "number" && raised) raised.start = Math.round(1.3 * goal.start);
}

function changed() {
  at("answer").setAttribute("aria-busy", "true");
  showPosition();
  pause ??= setTimeout(() => {
    pause = undefined;
    if (facts.complete) ask();
    else refuse(new service.Refusal(MARKED), ask);
  }, PAUSE);
}

async function ask() {
  waiting = flying >= FLYING;
  if (waiting) return;
  flying += 1;
  asked += 1;
  const question = asked;
  try {
    const answer = await service.explain(facts.values);
    if (question > shown) { // else a later question was answered first
      shown = question;
      if (question === asked && facts.complete) {
        facts.accepted();
        settle();
      }
      show(answer);
    }
  } catch (error) {
    if (question === asked) refuse(error, ask);
  }
  flying -= 1;
  if (waiting) ask();
}

// When it does not go well

function refuse(error, retry) {
  clearTimeout(again);
  stale(error.message);
  at("key").hidden = error.status !== 401;
  if (error.status === 401) {
    lock();
    return;
  }
  const faults = Object.entries(error.fields ?? {});
  const strange = faults.filter(([field, reason]) => !facts.fault(field, reason));
  const marked = faults.length > strange.length;
  const others = strange.map(([field, reason]) => complaint(field, reason)).join(" ");
  const words = others || (marked ? MARKED : error.message);
  const trouble = at("trouble");
  trouble.querySelector("p").textContent = error.again ? `${words} It is tried again every ${error.again} seconds.` : words;
  trouble.querySelector("button").hidden = !error.again;
  trouble.querySelector("details").hidden = !error.technical;
  trouble.querySelector("details p").textContent = error.technical ?? "";
  trouble.querySelector("button").onclick = retry;
  trouble.hidden = false;
  if (error.again) again = setTimeout(retry, error.again * 1000);
}

function lock() {
  at("key").hidden = false;
  at("key-hint").textContent = service.hasKey()
    ? "That key was not accepted. Please check it."
    : "Whoever runs the service has it. It is kept until you close this tab.";
  at("trouble").hidden = true;
}

at("key").addEventListener("submit", (event) => {
  event.preventDefault();
  service.useKey(at("key-value").value.trim());
  if (model) ask();
  else begin();
});

/** What is on the page answers an earlier question. */
function stale(words) {
  document.body.classList.add("stale");
  at("answer").setAttribute("aria-busy", "false");
  if (!shown) at("verdict").textContent = "No answer yet";
  say(words);
}

function settle() {
  clearTimeout(again);
  document.body.classList.remove("stale");
  at("answer").setAttribute("aria-busy", "false");
  at("trouble").hidden = true;
  at("key").hidden = true;
}

// Showing

function show(answer) {
  const { probability } = answer;
  const nothing = unknowable();
  const fact = contradicted(probability);
  const strange = outside();
  const beyond = strange.length ? "Outside what the model has seen" : "";
  const words = nothing === "yet" ? "Cannot tell yet" : nothing ? "Cannot tell" : fact || beyond || verdict(probability, model);
  const [low, high] = isLopsided(model) ? [model.threshold, model.threshold] : [0.4, 0.6];
  at("probability").textContent = nothing ? "–" : percent(probability, isLopsided(model));
  at("verdict").textContent = words;
  at("answer").classList.toggle("doubtful", Boolean(nothing || fact || beyond));
  at("answer").dataset.leans = nothing || fact || beyond ? "nowhere" : probability > high ? "up" : probability < low ? "down" : "either";
  at("scale").querySelector("b").style.left = `${nothing ? 50 : probability * 100}%`;
  at("scale").querySelector("i").style.width = `${nothing ? 0 : probability * 100}%`;
  showPosition(probability);
  showCurves(answer.curves);
  showDrivers(at("drivers"), answer, facts);
  say(nothing ? at("unknowable").textContent : `${percent(probability, isLopsided(model))}. ${words}.`);
  if (answer.model_version !== model.version) service.model().then(meet, () => {});
}

function showCurves(shownCurves) {
  const pair = at("curves").querySelector(".pair");
  at("curves").hidden = !shownCurves.length;
  for (const [field, { figure }] of Object.entries(curves)) figure.hidden = !shownCurves.some((curve) => curve.field === field);
  for (const { field, ...points } of shownCurves) {
    const feature = facts.feature(field);
    const name = label(feature);
    if (!curves[field]) {
      const titles = { goal: "If the goal were another", raised: "If another amount were raised" };
      const pick = feature.derived ? undefined : (amount) => facts.set(field, amount);
      curves[field] = new Curve(titles[feature.role] ?? `If ${name.toLowerCase()} were another`, pick);
      pair.append(curves[field].figure);
    }
    const other = isMoney(feature) && shownCurves.find((curve) => curve.field !== field && isMoney(facts.feature(curve.field)));
    const amount = other?.x?.[other.at];
    const words = other && `${label(facts.feature(other.field)).toLowerCase()}: ${money(amount, facts.currency)}`;
    const write = (value, short) => (isMoney(feature) ? money(value, facts.currency, short) : short ? number(value) : spoken(feature, value));
    const unit = isMoney(feature) ? facts.currency : feature.unit;
    curves[field].show({ ...points, noun: model.words.noun, name, unit, write, rare: isLopsided(model), meets: other && { amount, words } });
  }
}

/** Goal and amount raised, where the facts have them. */
function amounts() {
  const [goal, raised] = ["goal", "raised"].map((role) => facts.withRole(role));
  return { goal: facts.values[goal?.field], raised: facts.values[raised?.field], least: raised?.seen?.[0] };
}

/** What the amounts say, where they decide and the model says something else. */
function contradicted(probability) {
  const { goal, raised } = amounts();
  if (!model.decisive || typeof goal !== "number" || typeof raised !== "number") return "";
  if (probability > model.threshold === raised >= goal) return "";
  return raised >= goal ? "The goal is met" : "The goal is not met";
}

/** The facts that lie outside what training saw. */
function outside() {
  return facts.features.filter((feature) => isOutside(feature, facts.values[feature.field]));
}

/** Where the campaign stands, and whether the model can say anything about it. */
function showPosition(probability) {
  const { goal, raised, least } = amounts();
  const say = (amount) => money(amount, facts.currency);
  const part = goal > 0 && raised !== undefined ? `, ${number(Math.floor((raised / goal) * 1000) / 10)}% of it` : "";
  const blur = probability !== undefined && contradicted(probability)
    ? ` The model says ${percent(probability)}: it is not exact here, for it learnt to compare from examples.` : "";
  const strange = outside().map((feature) => label(feature).toLowerCase());
  const beyond = strange.length && unknowable() !== "yet" ? `The model never saw such a value of ${strange.join(" or ")}: its figure is a guess.` : "";
  const towards = typeof raised !== "number" || typeof goal !== "number" ? ""
    : `${say(raised)} raised towards a goal of ${say(goal)}${part}. ${raised >= goal ? "The goal is met." : `${say(goal - raised)} to go.`}${blur}`;
  at("position").textContent = [towards, beyond].filter(Boolean).join(" ");
  const notice = at("unknowable");
  const blind = unknowable() === "ever";
  notice.hidden = !unknowable();
  const none = least > 0 ? `None that it learnt from had raised less than ${say(least)}, so` : "So";
  notice.querySelector("strong").textContent = blind
    ? "This model cannot tell."
    : "With nothing raised yet, this model cannot tell.";
  notice.querySelector("span").textContent = blind
    ? `What it sees told it nothing about ${model.words.noun}s that it was tested on: ROC-AUC ${skill().toFixed(2)}, where 0.50 is a coin.`
    : "It compares the amount raised with the goal, and here there is nothing to compare. " +
      `${none} no chance is given.`;
}

/** ROC-AUC to expect: on the latest rows where time is known, else on test rows. */
const skill = () => model?.metrics?.later_roc_auc ?? model?.metrics?.roc_auc;

/** "yet" where the comparison decides and nothing is raised, "ever" for a model that is no better than a coin. */
function unknowable() {
  if (model?.decisive && amounts().raised === 0) return "yet";
  return model && skill() < 0.6 && !model.decisive && model.features.every(({ known }) => known === "at launch") ? "ever" : "";
}

/** What follows from the model: what its audit found, what it sees and when that is known, how good it is. */
function limits() {
  const { noun } = model.words;
  const later = model.features.filter(({ known }) => known !== "at launch").map((feature) => label(feature).toLowerCase());
  const advice = ["It describes, it does not advise.", `Changing a fact would not move a real ${noun} the way it moves this figure.`];
  if (model.decisive) {
    return [
      ["It compares, it does not foresee.", `In the data it learnt from, a ${noun} succeeded exactly when the amount ` +
        "raised reached the goal. Those two figures decide; the others hardly matter."],
      ["It takes the amount raised as final.", "Half-way through, an amount below the goal counts as falling short, " +
        "however much time is left."],
      ["With nothing raised yet, this model cannot tell.", ""],
      advice,
    ];
  }
  const when = later.length
    ? ["It sees what is known only later.", `${later.join(", ")}: before that is known, its figure means little.`]
    : ["It sees only what is known at launch.", "Nothing that happens later reaches it."];
  const base = model.base_rate;
  const usual = typeof base === "number" && isLopsided(model)
    ? [[`Of a hundred ${noun}s it learnt from, ${number(Math.round(base * 1000) / 10)} did ${model.words.yes}.`, "Read its figure beside that."]] : [];
  return [when, ...usual, advice];
}

function showModel() {
  const { name, version, trained, leaks } = model;
  const chance = skill();
  const day = trained?.when && new Intl.DateTimeFormat("en", { dateStyle: "long", timeZone: "UTC" }).format(new Date(trained.when));
  at("about").textContent = [
    `Model ${name}, version ${version}`, day && `trained on ${day}`,
    trained?.made_up && "learnt from made-up campaigns",
    typeof chance === "number" && `of two ${model.words.noun}s of which one did ${model.words.yes}, it gives that one the higher chance ` +
      `${number(Math.floor(chance * 1000) / 10)} times in 100; a coin would 50 times (ROC-AUC ${chance.toFixed(4)} on ` +
      `${model.metrics.later_roc_auc === undefined ? "test" : "the latest"} ${model.words.noun}s)`,
  ].filter(Boolean).join(" · ");
  at("leaks").textContent = (leaks ?? "").replaceAll("`", "");
  at("knows").querySelector("ul").replaceChildren(
    ...limits().map(([first, rest]) => element("li", {}, element("strong", { textContent: first }), ` ${rest}`)));
  showPosition();
}

/** Tell a screen reader, once things have come to rest. */
function say(words) {
  clearTimeout(quiet);
  quiet = setTimeout(() => (at("said").textContent = words), QUIET);
}

watchTable(at("table"), facts, lock);
begin();
