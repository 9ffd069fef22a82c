// Many campaigns at once: a table goes to the service and comes back scored.

import { element } from "./form.js";
import { scoreTable } from "./service.js";
import { complaint, number } from "./words.js";

const SHOWN = 5; // rejected rows that are told one by one

export function watchTable(section, facts, locked) {
  const input = section.querySelector("#file");
  const zone = section.querySelector(".drop");
  let address;

  const send = async (file) => {
    const status = section.querySelector("#scoring");
    const refused = section.querySelector("#refused");
    refused.hidden = true;
    section.querySelector("#scored").hidden = true;
    status.textContent = `Scoring ${file.name} …`;
    try {
      if (!/\.(csv|tsv|jsonl|parquet|parq|pq)?(\.gz|\.zip)?$/i.test(file.name)) throw new Error(`${file.name} is neither CSV nor Parquet. Save the table as one of them.`);
      const { text, unknown } = await scoreTable(file);
      const scored = readScored(text, /\.(parquet|parq|pq|jsonl)/i.test(file.name) ? 1 : 2);
      URL.revokeObjectURL(address);
      address = URL.createObjectURL(new Blob([scored.text], { type: "text/csv" }));
      show(section, file.name, scored, address, facts);
      showUnknown(section.querySelector("#strange"), unknown);
      status.textContent = "";
    } catch (error) {
      status.textContent = "";
      refused.textContent = error.message.replace(/\bupload\.(csv|parquet): /, "");
      refused.hidden = false;
      if (error.status === 401) {
        refused.textContent = "The service asks for an API key: enter it above, then choose the table again.";
        locked();
      } else if (Object.keys(error.fields ?? {}).length) {
        refused.textContent = Object.entries(error.fields).map(([field, reason]) => complaint(field, reason)).join(" ");
      }
    }
    input.value = "";
  };

  input.addEventListener("change", () => input.files.length && send(input.files[0]));
  for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());
  zone.addEventListener("dragover", () => zone.classList.add("over"));
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    zone.classList.remove("over");
    if (event.dataTransfer.files.length) send(event.dataTransfer.files[0]);
  });
  section.querySelector("#template").addEventListener("click", (event) => {
    const names = [facts.id, ...facts.features.map((feature) => feature.source)];
    const values = ["my-first-campaign", ...facts.features.map((feature) => facts.values[feature.field])];
    const text = [names, values].map((line) => line.map(quoted).join(",")).join("\r\n");
    event.currentTarget.href = URL.createObjectURL(new Blob([text, "\r\n"], { type: "text/csv" }));
  });
}

/** What came back, with its counts and the rows that could not be scored. `first` is the number of the first row:
 * a spreadsheet counts the line of names as a row. */
function readScored(text, first) {
  const [header, ...rows] = lines(text);
  const [success, error] = ["success", "error"].map((name) => header.lastIndexOf(name));
  const isTrue = (row) => ["1", "true"].includes(row[success].toLowerCase());
  const bad = rows.map((row, i) => ({ row: i + first, why: row[error] ?? "" })).filter(({ why }) => why);
  const good = rows.filter((row) => !row[error]);
  const successful = good.filter(isTrue).length;
  return { text, bad, total: rows.length, successful, unsuccessful: good.length - successful };
}

function show(section, name, { bad, total, successful, unsuccessful }, address, facts) {
  const count = (value, words, kind) => element("div", { className: kind },
    element("dd", { textContent: number(value) }), element("dt", { textContent: words }));
  section.querySelector(".counts").replaceChildren(
    count(successful, `likely to ${facts.words.yes}`, "raises"),
    count(unsuccessful, `likely to ${facts.words.no}`, "lowers"),
    count(bad.length, bad.length === 1 ? "row that could not be read" : "rows that could not be read", bad.length ? "bad" : ""));
  const link = section.querySelector("#download");
  link.href = address;
  link.download = `${name.replace(/\.(csv|tsv|jsonl|parquet|parq|pq)?(\.gz|\.zip)?$/i, "")}-scored.csv`;
  link.textContent = `Download the scored table (${number(total)} ${total === 1 ? "row" : "rows"})`;
  const list = section.querySelector("#rejected");
  list.hidden = !bad.length;
  list.querySelector("h3").textContent = bad.length > SHOWN ? `The first ${SHOWN} rows that could not be read` : "Rows that could not be read";
  list.querySelector("ul").replaceChildren(...bad.slice(0, SHOWN).map(({ row, why }) => element("li", { textContent: `Row ${number(row)}: ${why}` })));
  section.querySelector("#scored").hidden = false;
}

/** What the model never met counts for it like any other value it never met: the chance says less there. */
function showUnknown(notice, unknown) {
  const told = Object.entries(unknown).map(([column, values]) => {
    const each = Object.entries(values).map(([value, rows]) => `${value} (${number(rows)} ${rows === 1 ? "row" : "rows"})`);
    return `${column}: ${each.join(", ")}.`;
  });
  notice.hidden = !told.length;
  notice.textContent = `The model never met these values, and takes no notice of which they are. ${told.join(" ")}`;
}

const quoted = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));

/** CSV as rows of texts. */
function lines(text) {
  const rows = [[""]];
  let inside = false;
  const body = text.replace(/^\uFEFF/, "").replace(/\r?\n$/, "");
  for (let i = 0; i < body.length; i += 1) {
    const sign = body[i];
    const row = rows.at(-1);
    if (inside && sign === '"' && body[i + 1] === '"') row[row.length - 1] += body[(i += 1)];
    else if (sign === '"') inside = !inside;
    else if (inside) row[row.length - 1] += sign;
    else if (sign === ",") row.push("");
    else if (sign === "\n") rows.push([""]);
    else if (sign !== "\r") row[row.length - 1] += sign;
  }
  return rows;
}
