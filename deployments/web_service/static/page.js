// The page of one campaign: asks the service as facts change, and shows the newest answer.

import { Curve } from "./curve.js";
import { showDrivers } from "./drivers.js";
import { Facts, element } from "./form.js";
import * as service from "./service.js";
import { watchTable } from "./table.js";
import { complaint, label, money, number, percent, verdict } from "./words.js";

const PAUSE = 60; // milliseconds between two questions while a slider moves
const FLYING = 4; // questions on their way at most
const QUIET = 700; // milliseconds without a change after which a screen reader is told
const MARKED = "Put the marked field right to see the chance.";
const GOAL = "goalamount";
const RAISED = "raisedamount";

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

function meet(told) {
  const kinds = ({ features }) => JSON.stringify(features);
  const other = !model || kinds(told) !== kinds(model);
  model = told;
  if (other) facts.build(told.features);
  for (const part of ["facts", "knows", "table"]) at(part).hidden = false;
  showModel();
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
  const words = nothing === "yet" ? "Cannot tell yet" : nothing ? "Cannot tell" : verdict(probability);
  at("probability").textContent = percent(probability);
  at("verdict").textContent = words;
  at("answer").dataset.leans = nothing ? "nowhere" : probability > 0.6 ? "up" : probability < 0.4 ? "down" : "either";
  at("scale").querySelector("b").style.left = `${probability * 100}%`;
  at("scale").querySelector("i").style.width = `${probability * 100}%`;
  showPosition(probability);
  showCurves(answer.curves);
  showDrivers(at("drivers"), answer, facts);
  say(nothing ? at("unknowable").textContent : `${percent(probability)}. ${words}.`);
  if (answer.model_version !== model.version) service.model().then(meet, () => {});
}

function showCurves(told) {
  const pair = at("curves").querySelector(".pair");
  at("curves").hidden = !told.length;
  for (const [field, { figure }] of Object.entries(curves)) figure.hidden = !told.some((one) => one.field === field);
  for (const { field, ...points } of told) {
    const name = label(facts.feature(field));
    if (!curves[field]) {
      const title = field === GOAL ? "If the goal were another" : "If another amount were raised";
      curves[field] = new Curve(title, (amount) => facts.set(field, amount));
      pair.append(curves[field].figure);
    }
    const other = told.find((one) => one.field !== field);
    const amount = other?.x[other.at];
    const words = other && `${label(facts.feature(other.field)).toLowerCase()}: ${money(amount, facts.currency)}`;
    curves[field].show({ ...points, name, currency: facts.currency, meets: other && { amount, words } });
  }
}

/** Where the campaign stands, and whether the model can say anything about it. */
function showPosition(probability) {
  const { [GOAL]: goal, [RAISED]: raised } = facts.values;
  const say = (amount) => money(amount, facts.currency);
  const part = goal > 0 && raised !== undefined ? `, ${number(Math.floor((raised / goal) * 1000) / 10)}% of it` : "";
  const inexact = probability !== undefined && probability > 0.5 !== raised >= goal;
  const blur = inexact ? " The model is not exact here: it learnt to compare from examples." : "";
  at("position").textContent = raised === undefined || goal === undefined ? ""
    : `${say(raised)} raised towards a goal of ${say(goal)}${part}. ${raised >= goal ? "The goal is met." : `${say(goal - raised)} to go.`}${blur}`;
  const notice = at("unknowable");
  const blind = unknowable() === "ever";
  notice.hidden = !unknowable();
  const least = facts.feature(RAISED)?.low;
  const none = least > 0 ? `No published campaign had raised less than ${say(least)}, so` : "So";
  notice.querySelector("strong").textContent = blind
    ? "This model cannot tell."
    : "With nothing raised yet, this model cannot tell.";
  notice.querySelector("span").textContent = blind
    ? "It sees only what is known at launch, and on test campaigns that told it nothing: " +
      `ROC-AUC ${skill().toFixed(2)}, where 0.50 is a coin.`
    : "It compares the amount raised with the goal, and here there is nothing to compare. " +
      `${none} the figure above says nothing about this one.`;
}

/** ROC-AUC on test rows. */
const skill = () => model?.metrics?.test_roc_auc ?? model?.metrics?.roc_auc;

/** "yet" where nothing is raised, "ever" for a model without the amount raised that is no better than a coin. */
function unknowable() {
  if (facts.values[RAISED] === 0) return "yet";
  return model && !facts.feature(RAISED) && skill() < 0.6 ? "ever" : "";
}

function showModel() {
  const { name, version, trained, leaks } = model;
  const chance = skill();
  const day = trained?.when && new Intl.DateTimeFormat("en", { dateStyle: "long", timeZone: "UTC" }).format(new Date(trained.when));
  at("about").textContent = [
    `Model ${name}, version ${version}`, day && `trained on ${day}`,
    typeof chance === "number" && `ROC-AUC on test campaigns ${chance.toFixed(4)} (1 is perfect, 0.5 is a coin)`,
  ].filter(Boolean).join(" · ");
  at("leaks").textContent = (leaks ?? "").replaceAll("`", "");
  const sees = facts.feature(RAISED);
  const told = sees
    ? [
      ["It compares, it does not foresee.", "In the data it learnt from, a campaign succeeded exactly when the amount " +
        "raised reached the goal. Those two figures decide; the others hardly matter."],
      ["It takes the amount raised as final.", "Half-way through, an amount below the goal counts as falling short, " +
        "however much time is left."],
      ["With nothing raised yet, this model cannot tell.", ""],
      ["It describes, it does not advise.", "More updates or a video would not move a real campaign the way they move " +
        "this figure."],
    ]
    : [
      ["It sees only what is known at launch.", "Not the amount raised, the backers or the updates."],
      ["It describes, it does not advise.", "A video would not move a real campaign the way it moves this figure."],
    ];
  at("knows").querySelector("ul").replaceChildren(
    ...told.map(([first, rest]) => element("li", {}, element("strong", { textContent: first }), ` ${rest}`)));
  showPosition();
}

/** Tell a screen reader, once things have come to rest. */
function say(words) {
  clearTimeout(quiet);
  quiet = setTimeout(() => (at("said").textContent = words), QUIET);
}

watchTable(at("table"), facts, lock);
begin();
