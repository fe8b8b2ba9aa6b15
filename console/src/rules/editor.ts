/** An export while it is edited: what differs line by line, what is missing, which field an answer of the API means. */
import type { Failure } from "../api/client";
import type { Model } from "../api/types";
import { isId } from "./exports";
import { cronFault } from "./schedule";

export type Draft = Model<"ExportDefinition">;
export type Match = Model<"FieldMatch">;
type Matching = Model<"DataMatching">;

/** The members of a contact that have a place of their own, in the order of the table. */
export const MEMBERS = ["email", "firstName", "lastName", "phone"] as const;
export type Member = (typeof MEMBERS)[number];

const ANSWER_ONLY = [
  ..."version createdBy createdUtc updatedBy updatedUtc id state".split(" "),
  ..."paused nextRunUtc notNow lastRun lastSuccess warnings".split(" "),
];

/** What is defined, without what the service adds to its answers. */
export function definitionOf(view: Draft | Model<"ExportView">): Draft {
  return Object.fromEntries(Object.entries(view).filter(([name]) => !ANSWER_ONLY.includes(name))) as unknown as Draft;
}

export function emptyDraft(): Draft {
  return {
    displayName: "",
    connectionId: null,
    listId: 0,
    segments: [],
    dataMatching: { email: "", fields: [] },
    schedule: { kind: "withEveryRefresh" },
    runAutomations: false,
  } as unknown as Draft;
}

/** The field of a match as one text, whichever way it is written: its tag in capitals, or its id. */
export function fieldKey(field: string): string {
  return field.replaceAll("%", "").toUpperCase();
}

type Lines = Map<string, unknown>;

/** The definition as lines that are compared and chosen one by one: `listId`, `match.email`, `field.BIRTHDAY`, … */
function linesOf(draft: Draft): Lines {
  const lines: Lines = new Map();
  for (const [name, value] of Object.entries(definitionOf(draft))) {
    if (name === "dataMatching") {
      const { fields, ...rest } = value as Matching;
      for (const [member, column] of Object.entries(rest)) lines.set(`match.${member}`, column);
      for (const each of fields ?? []) lines.set(`field.${fieldKey(each.field)}`, each);
    } else if (name === "guards") {
      for (const [guard, limit] of Object.entries(value as object)) lines.set(`guards.${guard}`, limit);
    } else lines.set(name, value);
  }
  return lines;
}

/** Equal for whoever reads it: what is absent, null, empty or false is one thing, and the order of members none. */
function text(value: unknown): string {
  if (value === undefined || value === null || value === "" || value === false) return "null";
  if (Array.isArray(value)) return value.length ? JSON.stringify(value.map(text)) : "null";
  if (typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).filter(([, each]) => text(each) !== "null");
  return JSON.stringify(members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, each]) => [name, text(each)]));
}

/** The names of the lines that differ between two definitions, in the order of the form. */
export function differences(a: Draft, b: Draft): string[] {
  const [left, right] = [linesOf(a), linesOf(b)];
  return [...new Set([...left.keys(), ...right.keys()])].filter(
    (line) => text(left.get(line)) !== text(right.get(line)),
  );
}

/** How many lines two definitions have in all, so that those that are the same can be counted. */
export function lineCount(a: Draft, b: Draft): number {
  return new Set([...linesOf(a).keys(), ...linesOf(b).keys()]).size;
}

export function lineOf(draft: Draft, line: string): unknown {
  return linesOf(draft).get(line);
}

/** `into` with the named lines of `from`. */
export function take(into: Draft, from: Draft, lines: readonly string[]): Draft {
  const taken = structuredClone(into) as Draft & Record<string, unknown>;
  const source = linesOf(from);
  const set = (target: object, name: string, value: unknown) => {
    if (value === undefined) delete (target as Record<string, unknown>)[name];
    else (target as Record<string, unknown>)[name] = value;
  };
  for (const line of lines) {
    const [part, name = ""] = [line.split(".")[0], line.slice(line.indexOf(".") + 1)];
    const value = structuredClone(source.get(line));
    if (part === "match") set(taken.dataMatching, name, value);
    else if (part === "guards") {
      taken.guards = { ...taken.guards } as Draft["guards"];
      set(taken.guards as object, name, value);
    } else if (part === "field") {
      const fields = (taken.dataMatching.fields ?? []).slice();
      const at = fields.findIndex((each) => fieldKey(each.field) === name);
      if (value === undefined) fields.splice(at, at < 0 ? 0 : 1);
      else fields.splice(at < 0 ? fields.length : at, at < 0 ? 0 : 1, value as Match);
      taken.dataMatching.fields = fields;
    } else set(taken, line, value);
  }
  return taken;
}

/** What says how the files of the segments are read, in the order of the form. */
export const READING = ["files", "ignore", "completeWhen", "encoding"] as const;
export type Reading = (typeof READING)[number];

/** By code, and case where there are several: the setting that the sentence says to change. */
const SETTLED_BY: Record<string, Reading> = {
  files_ambiguous: "files",
  "files_ambiguous.day_or_month": "ignore",
  "files_ambiguous.kinds": "ignore",
  "files_ambiguous.parts": "files",
  newest_is_smaller: "files",
  "newest_is_smaller.empty": "files",
  "segment_mixed.unlisted": "ignore",
  column_missing_in_file: "ignore",
  "files_not_read.otherFormat": "ignore",
  "files_not_read.subfolder": "ignore",
  "files_not_read.unlisted": "ignore",
  "refresh_in_flight.no_marker": "completeWhen",
  "refresh_in_flight.old_marker": "completeWhen",
  encoding_unknown: "encoding",
  "mapping_fits_no_row.encoding": "encoding",
  files_not_utf8: "encoding",
  rows_not_decoded: "encoding",
  "rows_not_decoded.likely": "encoding",
};

/** What is said of files: a problem, or a warning. */
export interface Told {
  code: string;
  params?: Readonly<Record<string, string | number>> | null | undefined;
}

/** Which setting of how files are read a problem or a warning says to change; null: none of them. */
export function readingOf({ code, params }: Told): Reading | null {
  return SETTLED_BY[params && "case" in params ? `${code}.${params.case}` : code] ?? null;
}

/** Whether the draft says already what a warning about a segment asks for: who looked at it did not know the draft. */
export function isSettled({ code, params }: Told, draft: Draft): boolean {
  if (code === "files_not_utf8") return Boolean(draft.encoding);
  if (code !== "files_ambiguous" && code !== "newest_is_smaller") return false;
  return draft.files === "all" || (draft.files === "newest" && code === "files_ambiguous" && !params?.case);
}

/** Whether the draft says anything of how files are read. */
export function saysReading(draft: Draft): boolean {
  return READING.some((each) => text(draft[each]) !== "null");
}

/** The patterns of a text, one per line: names of files may hold any other sign. */
export function patterns(typed: string): string[] {
  return typed
    .split("\n")
    .map((each) => each.trim())
    .filter(Boolean);
}

/** How many files a preview left out because the draft says so; null if its warnings cannot tell, as it has no pattern. */
export function ignoredIn(warnings: readonly Told[], draft: Draft): number | null {
  if (!draft.ignore?.length) return null;
  return warnings
    .filter((each) => each.code === "files_left_out" && each.params?.why === "ignored")
    .reduce((n, each) => n + Number(each.params?.files ?? 0), 0);
}

/** Something about one place of the form. `place` is the id of its control; `code` names a sentence of the page. */
export interface Fault {
  place: string;
  code?: string;
  /** A sentence of the API, where the page has none. */
  said?: string;
  /** The setting of how files are read that the sentence says to change, if it is not the place. */
  also?: Reading;
}

const MOST_PATTERNS = 20; // of the API, as what follows
const MOST_CHARACTERS = 128;
const MOST_MINUTES = 1440;

function readingFaults({ ignore, completeWhen, encoding }: Draft): Fault[] {
  const { marker, minutes } = completeWhen ?? {};
  const says = {
    ignore: ignore && (ignore.length > MOST_PATTERNS || ignore.some((each) => each.length > MOST_CHARACTERS)),
    marker: marker != null && (!marker.trim() || marker.length > MOST_CHARACTERS || marker.includes("/")),
    minutes:
      completeWhen &&
      marker == null &&
      !(Number.isInteger(minutes) && Number(minutes) >= 1 && Number(minutes) <= MOST_MINUTES),
    encoding: encoding && !/^[\w.:-]{1,32}$/.test(encoding),
  };
  return (["ignore", "marker", "minutes", "encoding"] as const).flatMap((code) =>
    says[code] ? [{ place: code === "marker" || code === "minutes" ? "completeWhen" : code, code }] : [],
  );
}

/** What is missing before the API need be asked. `id`: of an export that is new, else null. */
export function faultsOf(draft: Draft, id: string | null): Fault[] {
  const faults: Fault[] = [];
  const say = (place: string, code: string) => faults.push({ place, code });
  if (!draft.connectionId) say("connectionId", "connection");
  if (!draft.displayName.trim() || draft.displayName.trim().length > 200) say("displayName", "name");
  if (id !== null && !isId(id)) say("id", "id");
  if (!draft.listId) say("listId", "list");
  if (!draft.segments.length) say("segments", "segments");
  faults.push(...readingFaults(draft));
  if (!draft.dataMatching.email) say("match.email", "email");
  for (const each of draft.dataMatching.fields ?? []) if (!each.column) say(`field.${fieldKey(each.field)}`, "column");
  const schedule = draft.schedule;
  if (schedule?.kind === "cron" && schedule.cron != null && schedule.cron.trim().split(/\s+/).length !== 5)
    say("schedule.cron", cronFault(schedule.cron));
  const consent = draft.consentColumn;
  if (consent && consent.condition !== "isEmpty" && !consent.value) say("consentColumn", "consent");
  return faults;
}

const PLACE_OF: Record<string, string> = {
  list_not_found: "listId",
  list_not_email: "listId",
  connection_missing: "connectionId",
  connection_not_found: "connectionId",
  no_such_connection: "connectionId",
  connection_not_shared: "connectionId",
  credentials_refused: "connectionId",
  permission_refused: "connectionId",
  segment_not_found: "segments",
  segment_ambiguous: "segments",
  segment_without_columns: "segments",
  segment_mixed: "segments",
  email_column_missing: "match.email",
  mapping_fits_no_row: "match.email",
  exists_already: "id",
  invalid_id: "id",
};
const MEMBER_CODE: Record<string, string> = {
  displayName: "name",
  listId: "list",
  segments: "segments",
  "schedule.timeZone": "zone",
};

/** Which places of the form a refusal means; empty if it means none. Its sentence is `said`. */
export function faultsIn(failure: Pick<Failure, "code" | "params" | "members">, draft: Draft, said: string): Fault[] {
  const fields = draft.dataMatching.fields ?? [];
  if (failure.members.length) {
    const found = failure.members.flatMap((each): Fault[] => {
      const [path = "", sentence = ""] = each.split(/: (.*)/s);
      const place = placeOfMember(path, fields);
      const { schedule } = draft;
      const code =
        path === "schedule.cron" && schedule?.kind === "cron" ? cronFault(schedule.cron ?? "") : MEMBER_CODE[path];
      return place ? [{ place, ...(code ? { code } : { said: sentence || each }) }] : [];
    });
    return found.filter((each, at) => found.findIndex((other) => other.place === each.place) === at);
  }
  const reading = readingOf(failure);
  const { column, field } = failure.params;
  // A column that one file has not is either the wrong one, or the file is.
  if (reading && failure.code !== "column_missing_in_file") return [{ place: reading, said }];
  const also = reading ? { also: reading } : {};
  if (field !== undefined) {
    const key = fieldKey(String(field));
    const found = fields.find((each) => fieldKey(each.field) === key);
    if (found) return [{ place: `field.${fieldKey(found.field)}`, said }];
  }
  if (column !== undefined && failure.code !== "email_column_missing") {
    const member = MEMBERS.find((each) => draft.dataMatching[each] === column);
    const found = fields.find((each) => each.column === column);
    if (member) return [{ place: `match.${member}`, said, ...also }];
    if (found) return [{ place: `field.${fieldKey(found.field)}`, said, ...also }];
    if (draft.consentColumn?.column === column) return [{ place: "consentColumn", said, ...also }];
    if (reading) return [{ place: reading, said }];
  }
  const place = PLACE_OF[failure.code];
  return place ? [{ place, said }] : [];
}

function placeOfMember(path: string, fields: readonly Match[]): string | null {
  const [first = "", second = "", third = ""] = path.split(".");
  if (first === "dataMatching") {
    if (second !== "fields") return `match.${second}`;
    const match = fields[Number(third)];
    return match ? `field.${fieldKey(match.field)}` : null;
  }
  return ["guards", "schedule"].includes(first) && second ? `${first}.${second}` : first || null;
}

/** A name without what people write differently: `Date_Of-Birth` is `dateofbirth`. */
const bare = (name: string) => name.toLowerCase().replace(/[^\p{L}\p{N}]/gu, "");

/** What may be added with one click: the API's own suggestion, and columns named as a field that nothing fills. */
export interface Suggestion {
  member?: Member;
  field?: Model<"FieldView">;
  column: string;
}

export function suggestions(
  draft: Draft,
  suggested: Partial<Record<Member, string | null>>,
  columns: readonly string[],
  fields: readonly Model<"FieldView">[],
): Suggestion[] {
  const matching = draft.dataMatching;
  const used = new Set([
    ...MEMBERS.map((each) => matching[each]),
    ...(matching.fields ?? []).map((each) => each.column),
  ]);
  const filled = new Set((matching.fields ?? []).map((each) => fieldKey(each.field)));
  const members = MEMBERS.flatMap((member): Suggestion[] => {
    const column = suggested[member];
    return column && !matching[member] && !used.has(column) ? [{ member, column }] : [];
  });
  const same = fields.flatMap((field): Suggestion[] => {
    if (filled.has(fieldKey(field.tag)) || filled.has(String(field.id))) return [];
    const column = columns.find((each) => !used.has(each) && [bare(field.title), bare(field.tag)].includes(bare(each)));
    return column ? [{ field, column }] : [];
  });
  return [...members, ...same];
}

/** The members that differ between two data matchings. */
export function changedMembers(a: Matching, b: Matching): Member[] {
  return MEMBERS.filter((each) => (a[each] || null) !== (b[each] || null));
}

/** A data matching with what a segment suggests, for the members that nobody has chosen by hand. */
export function withSuggestion(
  matching: Matching,
  suggested: Partial<Record<Member, string | null>>,
  byHand: ReadonlySet<Member>,
): Matching {
  const free = MEMBERS.filter((each) => !byHand.has(each));
  const found = free.map((each) => [each, suggested[each] ?? (each === "email" ? "" : null)]);
  return { ...matching, ...Object.fromEntries(found) };
}

/** The columns of the segments, and before them the chosen one if they have none of that name. */
export function choosable(columns: readonly string[], chosen: string | null | undefined): readonly string[] {
  return chosen && !columns.includes(chosen) ? [chosen, ...columns] : columns;
}

/** What says whose rows are sent. Of an export where that has changed, its last run says nothing of the next. */
const WHOSE = new Set([...READING, "segments", "consentColumn", "match.email", "match.winner"] as string[]);

export function changesPeople(lines: readonly string[]): boolean {
  return lines.some((each) => WHOSE.has(each));
}

/** The addresses of a text: one per line, or parted by commas, semicolons or blanks; each once. */
export function addresses(text: string): string[] {
  return [...new Set(text.split(/[\s,;]+/).filter(Boolean))];
}
