/**
 * What the page says. A language is one file beside this one: flat JSON, the same keys, texts with `{placeholders}`.
 *
 * A key that ends in `.one` and `.other` (more where a language has more) is a pair of plural forms, chosen by `{n}`.
 * `**strong**` marks what weighs more. The language is `?lang`, else what was chosen before, else the browser's.
 */
import { type Sentences, takeSentences } from "./problems";

type English = typeof import("./en.json");
export type Key = keyof English extends infer K ? (K extends `${infer Stem}.${"one" | "other"}` ? Stem : K) : never;
export type Values = Record<string, string | number>;
type Texts = Record<string, string>;

export const LANGUAGES = { en: "English", id: "Bahasa Indonesia" } as const;
export type Language = keyof typeof LANGUAGES;
const STORED = "language";

let texts: Texts = {};
export let language: Language = "en";
let locale = "en-GB";
let plural = new Intl.PluralRules(locale);

export async function loadTexts(): Promise<void> {
  await use(chosen());
}

/** Show everything in another language; the caller draws again. */
export async function use(next: Language): Promise<void> {
  await read(next);
  takeSentences(next === "en" ? null : ((await import("./problems.id.json")).default as Sentences));
  language = next;
  locale = next === "en" ? englishOf(navigator.languages) : "id-ID";
  plural = new Intl.PluralRules(locale);
  localStorage.setItem(STORED, next);
  document.documentElement.lang = next;
}

/** Read the texts of a language, and nothing else: only the one that is shown is fetched. */
export async function read(next: Language): Promise<void> {
  texts = (await (next === "en" ? import("./en.json") : import("./id.json"))).default as Texts;
}

function chosen(): Language {
  const wishes = [
    new URLSearchParams(location.search).get("lang"),
    localStorage.getItem(STORED),
    ...navigator.languages,
  ];
  for (const wish of wishes) {
    const short = wish?.slice(0, 2).toLowerCase();
    if (short && short in LANGUAGES) return short as Language;
  }
  return "en";
}

/** The reader's own English, for the form of dates and numbers. */
function englishOf(languages: readonly string[]): string {
  return languages.find((tag) => tag.toLowerCase().startsWith("en-")) ?? "en-GB";
}

/** The text of a key; numbers in `values` are written as the language writes them. */
export function t(key: Key, values: Values = {}): string {
  return fill(lookUp(key, values), values);
}

/** Like `t`, for a key made at run time, such as `reason.` and a code; null where there is no text. */
export function maybe(key: string, values: Values = {}): string | null {
  const text = texts[key] ?? pluralOf(key, values);
  return text === undefined ? null : fill(text, values);
}

function lookUp(key: string, values: Values): string {
  return texts[key] ?? pluralOf(key, values) ?? key;
}

function pluralOf(key: string, values: Values): string | undefined {
  if (typeof values.n !== "number") return undefined;
  return texts[`${key}.${plural.select(values.n)}`] ?? texts[`${key}.other`];
}

function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (found, name: string) => {
    const value = values[name];
    if (value === undefined) return found;
    return typeof value === "number" ? number(value) : value;
  });
}

export function number(value: number): string {
  return new Intl.NumberFormat(locale).format(value);
}

/** A number with its unit; its symbol, or its name if it is `long`. */
export function amount(value: number, unit: string, digits = 0, unitDisplay: "short" | "long" = "short"): string {
  const form = { style: "unit", unit, unitDisplay, maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(locale, form).format(value);
}

/** A share between 0 and 1 as per cent. */
export function percent(share: number, digits = 0): string {
  const form = { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits } as const;
  return new Intl.NumberFormat(locale, form).format(share);
}

/** Hundredths of a per cent as per cent, two digits: shares that add up to 100.00 have been made so before. */
export function hundredths(share: number): string {
  return percent(share / 10_000, 2);
}

export type Instant = string | Date;

/** Date and time, in the reader's own zone. */
export function when(at: Instant): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(at));
}

/** Weekday, date and time in a zone; in the reader's own where the browser does not know that. */
export function whenIn(at: Instant, timeZone: string): string {
  const form = { weekday: "short", day: "numeric", month: "short", year: "numeric" } as const;
  const time = { hour: "2-digit", minute: "2-digit" } as const;
  try {
    return new Intl.DateTimeFormat(locale, { ...form, ...time, timeZone }).format(new Date(at));
  } catch {
    return when(at);
  }
}

/** The name of a day of the week; 1 is Monday, 7 is Sunday. */
export function dayName(day: number, weekday: "short" | "long"): string {
  return new Intl.DateTimeFormat(locale, { weekday, timeZone: "UTC" }).format(Date.UTC(2024, 0, day));
}

/** The time for what is today or tomorrow, else the date as well. */
export function soon(at: Instant, now: Date = new Date()): string {
  const tomorrow = new Date(now);
  tomorrow.setDate(now.getDate() + 1);
  return new Date(at).toDateString() === tomorrow.toDateString()
    ? t("time.tomorrow", { time: hours(at) })
    : recently(at, now);
}

/** The time for what was today, else the date as well. */
export function recently(at: Instant, now: Date = new Date()): string {
  const then = new Date(at);
  if (then.toDateString() !== now.toDateString()) return when(then);
  return t("time.today", { time: new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(then) });
}

/** Hours and minutes. */
export function hours(at: Instant): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: "short" }).format(new Date(at));
}

export function clock(at: Instant): string {
  return new Intl.DateTimeFormat(locale, { timeStyle: "medium" }).format(new Date(at));
}

/** A duration in words, its largest one or two units. */
export function duration(seconds: number): string {
  const unit = (value: number, name: "second" | "minute" | "hour" | "day") =>
    new Intl.NumberFormat(locale, { style: "unit", unit: name, unitDisplay: "long" }).format(value);
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return unit(s, "second");
  if (s < 3600)
    return s < 600 && s % 60
      ? `${unit(Math.floor(s / 60), "minute")} ${unit(s % 60, "second")}`
      : unit(Math.round(s / 60), "minute");
  if (s < 86_400) {
    const minutes = Math.round((s % 3600) / 60);
    return minutes && minutes < 60
      ? `${unit(Math.floor(s / 3600), "hour")} ${unit(minutes, "minute")}`
      : unit(Math.round(s / 3600), "hour");
  }
  return unit(Math.round(s / 86_400), "day");
}

/** How long ago, in words. */
export function ago(at: Instant, now: Date = new Date()): string {
  const form = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const seconds = (new Date(at).getTime() - now.getTime()) / 1000;
  const size = Math.abs(seconds);
  if (size < 60) return form.format(Math.round(seconds), "second");
  if (size < 3600) return form.format(Math.round(seconds / 60), "minute");
  if (size < 86_400) return form.format(Math.round(seconds / 3600), "hour");
  return form.format(Math.round(seconds / 86_400), "day");
}

/** Names in a sentence: "a, b and c". */
export function list(names: readonly string[]): string {
  return new Intl.ListFormat(locale).format(names);
}

/** The first names, at most `most`, and how many there are besides: "a, b and 7 more". */
export function some(names: readonly string[], most: number): string {
  const few = names.slice(0, most);
  return list(names.length > most ? [...few, t("list.more", { n: names.length - most })] : few);
}
