// Questions to the service this page came from. What goes wrong arrives as a Refusal, in words.

import { complaint } from "./words.js";

const KEY = "campaign-api-key";
const TIMEOUT = 20_000;

export class Refusal extends Error {
  /** `fields`: what is wrong with which field. `again`: seconds after which asking again may help, else undefined.
   * `technical`: what only helps whoever runs the service. */
  constructor(message, { status = 0, fields = {}, again, technical } = {}) {
    super(message);
    Object.assign(this, { status, fields, again, technical });
  }
}

export const useKey = (key) => sessionStorage.setItem(KEY, key);
export const hasKey = () => sessionStorage.getItem(KEY) !== null;

export const model = () => ask("/model", inJson);

export function explain(campaign) {
  const headers = { "Content-Type": "application/json" };
  return ask("/explain", inJson, { method: "POST", headers, body: JSON.stringify(campaign) });
}

/** The scored table as text, and the values in it that the model does not know, each with its rows, by column. */
export function scoreTable(file) {
  const isParquet = /\.(parquet|parq|pq)$/i.test(file.name);
  const type = isParquet ? "application/vnd.apache.parquet" : "text/csv"; // which text it is, its beginning says
  const headers = { "Content-Type": type, Accept: "text/csv" };
  const read = async (answer) => ({
    text: await answer.text(),
    unknown: JSON.parse(answer.headers.get("X-Values-Not-Known") ?? "{}"),
  });
  return ask("/predict/batch", read, { method: "POST", headers, body: file, timeout: 120_000 });
}

const inJson = (answer) => answer.json();

async function ask(path, read, { timeout = TIMEOUT, headers = {}, ...rest } = {}) {
  const key = sessionStorage.getItem(KEY);
  const signed = key === null ? headers : { ...headers, "X-API-Key": key };
  let answer;
  let told;
  try {
    answer = await fetch(path, { ...rest, headers: signed, signal: AbortSignal.timeout(timeout) });
    told = await (answer.ok ? read(answer) : answer.json().catch(() => ({})));
  } catch (error) {
    const late = error.name === "TimeoutError";
    throw new Refusal(late ? "The service takes too long to answer." : "The service cannot be reached.", { again: 5 });
  }
  if (answer.ok) return told;
  throw refusal(answer, told.detail);
}

function refusal(answer, detail) {
  const { status } = answer;
  const after = Number(answer.headers.get("Retry-After"));
  const said = typeof detail === "string" ? detail : "";
  if (status === 401) return new Refusal(said, { status });
  if (status === 413) return new Refusal(said || "That is more than the service takes at once.", { status });
  if (status === 429 || status >= 500) {
    const again = after || 5;
    if (status === 503) {
      const technical = said.replace(/(\w+:\/)?\/[^\s,;)]+/g, "…"); // where things lie is no reader's business
      return new Refusal("The service has no model to answer with yet.", { status, again, technical });
    }
    return new Refusal(said || "The service could not answer.", { status, again });
  }
  const fields = {};
  const others = [];
  // FastAPI's own way of naming a field is understood as well.
  for (const { loc = ["body"], msg, field = loc.at(-1), reason = msg } of Array.isArray(detail) ? detail : []) {
    if (field === "body") others.push(complaint("This", reason));
    else fields[String(field).toLowerCase()] = String(reason);
  }
  return new Refusal(said || others.join(" ") || `The service refused this (${status}).`, { status, fields });
}
