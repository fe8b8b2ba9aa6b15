/** What the list of exports says of each: who needs somebody, in which order, and how soon to look again. */
import type { Model } from "../api/types";
import type { Key } from "../texts";
import { GOING } from "./going";
import { rowsOf } from "./segments";
import { type Part, partsOfTally } from "./tally";

export type Export = Model<"ExportView">;
export type Run = Model<"RunGlance">;

/** Who needs you comes first, what is done comes last. */
export const STANDINGS = ["you", "running", "look", "rest", "done"] as const;
export type Standing = (typeof STANDINGS)[number];

/** From so many exports on, the list is in groups. */
export const GROUPS_FROM = 12;

type Going = Run & { status: (typeof GOING)[number] };

export function isGoing(run: Run | null | undefined): run is Going {
  return run != null && (GOING as readonly string[]).includes(run.status);
}

/** Whether the last run made way for a newer refresh, which is still to be exported. */
export function madeWay(run: Run | null | undefined): boolean {
  return run?.status === "skipped" && run.problem?.code === "superseded";
}

/** Where an export belongs. A run that waits for something that a user has to mend needs you. */
export function standing(each: Export): Standing {
  const run = each.lastRun;
  if (isGoing(run)) return run.status === "waiting" && run.waiting?.culprit === "user" ? "you" : "running";
  if (run?.only && run.status === "failed") return "look"; // a try costs nobody anything
  if (each.state === "onHold" || run?.status === "held") return "you";
  if (each.state === "paused") return "rest";
  if (run?.status === "failed") return "you";
  if (each.state === "noConnection") return "rest";
  if (run?.status === "completedWithWarnings" || run?.status === "canceled") return "look";
  return run && !madeWay(run) ? "done" : "rest";
}

/** In the order of the list; within a standing, by name. */
export function inOrder(all: readonly Export[]): Export[] {
  return [...all].sort(
    (a, b) =>
      STANDINGS.indexOf(standing(a)) - STANDINGS.indexOf(standing(b)) ||
      a.displayName.localeCompare(b.displayName, undefined, { numeric: true }),
  );
}

const YOUNG_MS = 60_000;
const OFTEN_MS = 2_000;
const SELDOM_MS = 10_000;

/** How long until the next look: often while a run is in its first minute, never if nothing runs. */
export function lookAgainMs(all: readonly Export[], now: number): number | null {
  const going = all.map((each) => each.lastRun).filter(isGoing);
  if (!going.length) return null;
  const young = going.some((run) => Math.abs(now - Date.parse(run.requestedUtc)) < YOUNG_MS);
  return young ? OFTEN_MS : SELDOM_MS;
}

/** When an export runs next by itself: a text, and the time if it is known. */
export interface Next {
  key: Key;
  at?: string;
}

/** When it runs next. A time that is over is owed: the schedule looks every few minutes. */
export function nextOf(each: Export, now: number): Next {
  if (each.state === "noConnection") return { key: "exports.next.noConnection" };
  const held = each.lastRun?.status === "held";
  if (each.state === "inactive") return { key: held ? "exports.next.approve" : "exports.next.demand" };
  if (each.state === "paused") return { key: each.paused ? "exports.next.paused" : "exports.next.connectionPaused" };
  if (each.state === "onHold") return { key: "exports.next.onHold" };
  if (each.nextRunUtc)
    return Date.parse(each.nextRunUtc) > now
      ? { key: "exports.next.at", at: each.nextRunUtc }
      : { key: "exports.next.soon" };
  return { key: held ? "exports.next.approve" : "exports.next.refresh" };
}

/** What the columns of the list say anyway: when it runs next, or what the state names. */
const SAID = new Set([
  "waits_time",
  "waits_refresh",
  "waits_on_demand",
  "waits_run",
  "waits_no_connection",
  "waits_on_hold",
  "waits_approval",
  "waits_after_failure",
]);

/** Why it does not run now, if a person should read that beside its state. */
export function notNowOf(each: Export): Model<"Warned"> | null {
  return each.notNow && !SAID.has(each.notNow.code) ? each.notNow : null;
}

/** Whether it can be paused or unpaused; an administrator takes over what is on hold by unpausing it. */
export function pauseOf(each: Export, isAdmin: boolean): "pause" | "unpause" | null {
  if (each.state === "noConnection") return null;
  if (each.paused || (each.state === "onHold" && isAdmin)) return "unpause";
  return each.state === "active" || each.state === "paused" ? "pause" : null;
}

/** What is drawn of the last run, and how many of how many are on the list. */
export interface Drawn {
  /** Empty where only the two numbers are known. */
  parts: Part[];
  there: number;
  of: number;
  at: string;
  /** Whether it is going; then `of` are the people to be sent, else the rows. */
  going: boolean;
}

/** The last run as a picture; of one that read nothing, the one before that counts. Null if there is nothing to draw. */
export function drawn(each: Export): Drawn | null {
  const run = each.lastRun;
  if (isGoing(run) && run.progress) {
    const { confirmed, sent, contacts, rejectedByActiveCampaign: refused } = run.progress;
    const amounts = [
      { look: "confirmed", group: "there", rows: confirmed },
      { look: "sent", group: "open", rows: sent - confirmed - refused },
      { look: "planned", group: "open", rows: contacts - sent },
      { look: "refused", group: "missing", rows: refused },
    ] as const;
    const parts = amounts.filter((part) => part.rows > 0).map((part) => ({ ...part, reason: null }));
    return { parts, there: confirmed, of: contacts, at: run.requestedUtc, going: true };
  }
  if (run?.tally?.rowsRead && !isGoing(run)) {
    const at = run.endedUtc ?? run.requestedUtc;
    return { parts: partsOfTally(run.tally), there: run.tally.confirmed, of: run.tally.rowsRead, at, going: false };
  }
  const good = each.lastSuccess;
  return good ? { parts: [], there: good.confirmed, of: good.rowsRead, at: good.endedUtc, going: false } : null;
}

/** A number that is known anyway of how many a run for everybody concerns; its text says which, since none is exact. */
export interface HowMany {
  key: Key;
  n: number;
}

/**
 * For how many the export ran the last time: the people of its newest run, if that was for everybody and came to its end;
 * else of the newest that went well; else the rows that another export read of its segment, where `all` are known.
 */
export function howMany(each: Export, all: readonly Export[] = []): HowMany | null {
  const run = each.lastRun;
  if (run?.tally && !run.only && (run.status === "successful" || run.status === "completedWithWarnings")) {
    const { rowsRead, duplicates, rejected } = run.tally;
    return { key: "howMany.last", n: rowsRead - duplicates - rejected };
  }
  if (each.lastSuccess) return { key: "howMany.success", n: each.lastSuccess.confirmed };
  const [segment, ...others] = each.segments;
  const found = segment !== undefined && !others.length ? rowsOf(segment, all) : null;
  return found && { key: "howMany.rows", n: found.rows };
}

/** Whether a pause stops nothing: the export has no schedule that could start it. */
export function pausedOnDemand(each: Export): boolean {
  return Boolean(each.paused) && each.state === "inactive";
}

/** How many people did not arrive in the last run, by who left them out. */
export function missing(each: Export): { left: number; refused: number; open: number } {
  const tally = each.lastRun?.tally;
  const parts = tally ? partsOfTally(tally).filter((part) => part.group === "missing") : [];
  const rows = (...looks: string[]) =>
    parts.filter((part) => looks.includes(part.look)).reduce((n, part) => n + part.rows, 0);
  return { left: rows("left"), refused: rows("refused"), open: rows("unconfirmed", "notSent") };
}

/** The names that look most like what was typed, at most three: those that share pairs of letters with it. */
export function nearest(typed: string, names: readonly string[]): string[] {
  const pairs = (text: string) => {
    const letters = text.toLowerCase().replace(/\s/g, "");
    return new Set(Array.from({ length: Math.max(0, letters.length - 1) }, (_, at) => letters.slice(at, at + 2)));
  };
  const wanted = pairs(typed);
  const likeness = (name: string) => {
    const found = pairs(name);
    return (2 * [...found].filter((pair) => wanted.has(pair)).length) / (found.size + wanted.size || 1);
  };
  return names
    .map((name) => ({ name, like: likeness(name) }))
    .filter((each) => each.like > 0.3)
    .sort((a, b) => b.like - a.like)
    .slice(0, 3)
    .map((each) => each.name);
}

/** An id made from a name, as the API takes it: lower-case letters, digits and single hyphens, at most 63. */
export function idFrom(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-|-$/g, "");
}

/** The first id of this name that is not taken. */
export function freeId(name: string, taken: ReadonlySet<string>): string {
  const stem = idFrom(name) || "export";
  if (!taken.has(stem)) return stem;
  for (let n = 2; ; n++) {
    const next = `${stem.slice(0, 59).replace(/-$/, "")}-${n}`;
    if (!taken.has(next)) return next;
  }
}

const ID = /^[a-z0-9](-?[a-z0-9]){0,62}$/;

export function isId(id: string): boolean {
  return ID.test(id);
}
