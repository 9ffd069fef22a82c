// How names, amounts and chances are written on the page.

/** "NumBackers" (unit people) as "Backers", "DurationDays" (unit days) as "Duration", "GoalUSD" as "Goal USD". */
export function label(feature) {
  const parts = feature.name.replace(/([a-z0-9])([A-Z])/g, "$1 $2").split(/[\s_]+/).filter(Boolean);
  const words = parts.map((word) => (/^[A-Z]{2,}$/.test(word) ? word : word.toLowerCase()));
  if (words.length > 1 && words[0] === "num") words.shift();
  if (words.length > 1 && words.at(-1) === feature.unit) words.pop();
  const text = words.join(" ");
  return text[0].toUpperCase() + text.slice(1);
}

export const isMoney = (feature) => feature.role === "goal" || feature.role === "raised";

const plain = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });

export const number = (value) => plain.format(value);

/** "$20,000", or "20,000" where the currency is none that is known. */
export function money(value, currency, short = false) {
  const rounding = short ? { notation: "compact", maximumFractionDigits: 1 } : { maximumFractionDigits: 0 };
  try {
    return new Intl.NumberFormat("en", { style: "currency", currency, minimumFractionDigits: 0, ...rounding }).format(value);
  } catch {
    return new Intl.NumberFormat("en", rounding).format(value);
  }
}

/** A value of a feature as one says it: "$20,000", "30 days", "Film". */
export function spoken(feature, value, currency) {
  if (value === null || value === undefined) return "not given";
  if (typeof value === "string") return value;
  if (isMoney(feature)) return money(value, currency);
  return feature.unit ? `${number(value)} ${feature.unit}` : number(value);
}

/** A forest is never certain: what rounds to 0 or 100 is said as less or more. Where success is rare, with a decimal. */
export function percent(probability, rare = false) {
  if (rare && probability >= 0.0005 && probability < 0.0995) return `${(probability * 100).toFixed(1)}%`;
  if (probability < 0.005) return "<1%";
  if (probability >= 0.995) return ">99%";
  return `${Math.round(probability * 100)}%`;
}

export function points(share) {
  const size = Math.abs(share * 100).toFixed(1);
  return size === "0.0" ? size : `${share < 0 ? "−" : "+"}${size}`;
}

/** Whether successes are so rare, or so usual, that every chance would sound alike beside an even one. */
export const isLopsided = ({ base_rate: base, threshold }) =>
  (typeof base === "number" && (base < 0.2 || base > 0.8)) || Math.abs(threshold - 0.5) > 0.1;

/** What a chance means in words: beside an even one, or beside the usual one and where it pays to act. */
export function verdict(probability, model) {
  const { yes, no } = model.words;
  if (probability > 0.95) return `Almost certain to ${yes}`;
  if (isLopsided(model)) {
    const base = model.base_rate ?? model.threshold;
    if (probability > model.threshold && probability > base) return `Likely enough to ${yes}`;
    if (probability > 1.5 * base) return `More likely than usual to ${yes}`;
    if (probability >= base / 1.5) return `About as likely as usual to ${yes}`;
    return `Less likely than usual to ${yes}`;
  }
  if (probability > 0.75) return `Likely to ${yes}`;
  if (probability > 0.6) return `More likely to ${yes} than not`;
  if (probability >= 0.4) return "Could go either way";
  if (probability > 0.25) return `More likely to ${no} than not`;
  if (probability > 0.05) return `Unlikely to ${yes}`;
  return `Almost certain to ${no}`;
}

const FACTORS = { k: 1e3, m: 1e6 };

/** The number that someone typed, with whatever groups its digits: "$20,000", "20k", "1,5 m EUR"; NaN if it is none. */
export function typedNumber(text) {
  const bare = text.trim().replace(/^([-−]?)\s*(?:\p{Sc}|[A-Z]{3}(?=[\s\d]))\s*/u, "$1").replace(/\s*(?:\p{Sc}|\b[A-Z]{3})$/u, "");
  const [, amount, factor] = bare.match(/^(.*\d)\s*([km])$/i) ?? [null, bare, ""];
  return digitsOf(amount) * (FACTORS[factor.toLowerCase()] ?? 1);
}

function digitsOf(text) {
  let digits = text.trim();
  if (/^[-−]?\d{1,3}([.,'’\s]\d{3})+([.,]\d{1,2})?$/.test(digits)) {
    const [, whole, rest] = digits.match(/^(.*?\d)(?:[.,](\d{1,2}))?$/);
    digits = whole.replace(/[.,'’\s]/g, "") + (rest ? `.${rest}` : "");
  } else if (/^[-−]?\d+,\d{1,2}$/.test(digits)) digits = digits.replace(",", ".");
  digits = digits.replace("−", "-");
  return digits === "" ? NaN : Number(digits);
}

/** The next round number: 1, 2 or 5 times a power of ten. */
export function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= size * 0.999);
}

/** What is wrong with something as a sentence: "is negative" and "Goal amount" as "Goal amount is negative." */
export function complaint(name, reason) {
  const said = /^(is|are|has|must|should) /.test(reason) ? `${name} ${reason}` : reason;
  return said[0].toUpperCase() + said.slice(1) + (/[.!?…]$/.test(said) ? "" : ".");
}
