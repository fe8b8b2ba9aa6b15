/**
 * Sentences about problems and warnings, in the language of the page: made from code, situation and parameters, as the
 * API makes the English ones (exporter/sentences.py), from texts of the same form. English is the API's own.
 */
import { maybe, number, percent, when } from ".";
import { whoText } from "./people";
import { fieldType } from "./types";

export type Params = Readonly<Record<string, string | number>>;
export type Situation = "preview" | "waiting" | "ended" | "answered";

export interface Sentences {
  sentences: Record<string, string>;
  /** What a placeholder stands for in each situation. */
  phrases: Record<string, Record<Situation, string>>;
  /** What a placeholder stands for, by the parameter's value. */
  words: Record<string, Record<string, string>>;
}

let known: Sentences | null = null;

/** Take the sentences of a language; null: the API's own. */
export function takeSentences(sentences: Sentences | null): void {
  known = sentences;
}

/** The sentence of a code. `message` is the API's own, in English, and stands in where this language has none. */
export function problemText(
  code: string,
  params: Params | null | undefined,
  situation: Situation,
  message = "",
): string {
  return (known && sentenceOf(known, code, params ?? {}, situation)) ?? inPlace(message || code, params ?? {});
}

/** The API's own sentence with times, reasons and the names that the service gives itself as people read them. */
function inPlace(message: string, params: Params): string {
  return Object.entries(params).reduce((said, [name, value]) => {
    const ours = typeof value === "string" ? inWords(name, value) : null;
    return ours === null || ours === value ? said : said.replace(String(value), () => ours);
  }, message);
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

function inWords(name: string, value: string): string {
  if (INSTANT.test(value)) return when(value);
  return name === "reasons" ? reasonsText(value) : name === "by" ? whoText(value) : value;
}

/** "not_an_option: 4899, too_long: 2" of the API as people read it. */
function reasonsText(reasons: string): string {
  return reasons.replace(
    /(\w+): (\d+)/g,
    (_, code, n) => `${(maybe(`value.${code}`) ?? reasonText(code)).replace(/\.$/, "")}: ${number(Number(n))}`,
  );
}

/** The sentence that a language's texts make; null where they have none, or a parameter is missing. */
export function sentenceOf(texts: Sentences, code: string, params: Params, situation: Situation): string | null {
  const key = "case" in params ? `${code}.${params.case}` : code;
  let text = texts.sentences[`${key}@${situation}`] ?? texts.sentences[key];
  if (text === undefined) return null;
  for (const [name, phrases] of Object.entries(texts.phrases)) text = text.replaceAll(`{${name}}`, phrases[situation]);
  for (const [name, words] of Object.entries(texts.words)) {
    const word = words[String(params[name])];
    if (word !== undefined) text = text.replaceAll(`{${name}}`, word);
  }
  let whole = true;
  const made = text.replace(/\{\{|\}\}|\{(\w+)(?::([^}]*))?\}/g, (found, name?: string, form?: string) => {
    if (name === undefined) return found.charAt(0); // a doubled brace stands for one
    const value = params[name];
    if (value === undefined) whole = false;
    if (typeof value === "string") return name === "type" ? fieldType(value) : inWords(name, value);
    return name.endsWith("Id") ? String(value) : written(value ?? "", form);
  });
  return whole ? made : null;
}

/** A parameter as a sentence writes it. Forms are those of Python's format specifications that are used there. */
function written(value: string | number, form: string | undefined): string {
  if (typeof value === "string") return value;
  if (form?.endsWith("%")) return percent(value, Number(/\.(\d)/.exec(form)?.[1] ?? 0));
  return number(form === ".0f" ? Math.round(value) : value);
}

/** A warning of the API: a sentence, or code, sentence and parameters. */
export type Warning = { code: string; message: string; params?: Params | null | undefined };

export function warningText(warning: Warning, situation: Situation = "ended"): string {
  return problemText(warning.code, warning.params, situation, warning.message);
}

/** Why a row is where it is, by its reason code; the API's sentence where the page has none. */
export function reasonText(code: string, sentence = code): string {
  return maybe(`reason.${code}`) ?? sentence;
}
