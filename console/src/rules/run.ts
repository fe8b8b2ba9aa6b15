/**
 * What the page of a run says and offers, from what the API says about the run. No texts here: keys and their numbers.
 *
 * The first sentence answers, the second says what is missing, the third the next step.
 */
import type { Model } from "../api/types";
import type { Key, Values } from "../texts";
import { byLook, groupOf, type Look, type Part, partsOfProgress, partsOfTally } from "./tally";

export type Run = Model<"RunView">;
export type RunStatus = Model<"RunStatus">;

/** A text and what is filled in. `seconds` and `at` are written by the page, as durations and times of the reader. */
export interface Sentence {
  key: Key;
  with?: Values;
  /** Filled in for `{duration}`. */
  seconds?: number;
}

export interface Said {
  say: Sentence;
  /** Clauses of the second sentence, joined by the page. */
  more: Sentence[];
  next: Sentence | null;
}

const OVER: ReadonlySet<RunStatus> = new Set([
  "successful",
  "completedWithWarnings",
  "failed",
  "canceled",
  "held",
  "skipped",
]);

export function isOver(status: RunStatus): boolean {
  return OVER.has(status);
}

const YOUNG_MS = 120_000;
const LATER_LOOKS_MS = 15 * 60_000; // a sample is looked up, and late imports are counted, some minutes after the end

/** How long until the next look at a run, in milliseconds; null: nothing changes any more. */
export function watchOf(run: Run | null, now: number): number | null {
  if (!run) return null;
  if (!isOver(run.status)) return now - Date.parse(run.requestedUtc) < YOUNG_MS ? 2_000 : 10_000;
  const ended = run.endedUtc ? Date.parse(run.endedUtc) : 0;
  return run.plan && !run.sample && now - ended < LATER_LOOKS_MS ? 30_000 : null;
}

/** Every row of the run, as far as it is known; empty before planning, and where nothing was read. */
export function partsOf(run: Run): Part[] {
  if (isOver(run.status)) return run.tally ? partsOfTally(run.tally) : [];
  return run.plan && run.progress ? partsOfProgress(run.plan, run.progress, run.status === "canceling") : [];
}

const ADDRESS = /^(missing_email|invalid_email)/;
/** Nothing to do here: the person or the address is why. */
const THEIR_CHOICE = new Set(["unsubscribed", "bounced", "excluded", "address_not_taken"]);

/** The three sentences of a run, whatever its status and situation. */
export function saidOf(run: Run): Said {
  if (run.only != null && run.status !== "held" && run.status !== "skipped") return saidOfFew(run, run.only);
  switch (run.status) {
    case "queued":
      return said("run.say.queued", "run.then.goesOn");
    case "planning":
      return said("run.say.planning", "run.then.goesOn", [{ key: "run.more.nobodyYet" }]);
    case "waiting":
    case "running":
      return run.plan && run.progress
        ? saidOfProgress(run, run.plan, run.progress)
        : said(isYours(run) ? "run.say.waitsForYou" : "run.say.waiting", "run.then.goesOn", [
            { key: "run.more.nobodyYet" },
          ]);
    case "canceling":
      return saidOfCanceling(run);
    case "held":
      return saidOfHeld(run);
    case "skipped":
      return said(run.problem?.code === "superseded" ? "run.say.superseded" : "run.say.skipped", null);
    default:
      return saidOfEnd(run);
  }
}

/** Whether it waits for something that somebody has to do, such as a new key. */
function isYours(run: Run): boolean {
  return run.waiting?.culprit === "user";
}

function said(say: Key, next: Key | null, more: Sentence[] = []): Said {
  return { say: { key: say }, more, next: next && { key: next } };
}

function saidOfProgress(run: Run, plan: Model<"PlanView">, progress: Model<"Progress">): Said {
  const setAside = Object.values(plan.rejectedByReason).reduce((a, b) => a + b, 0);
  const carried = plan.carried?.confirmed ?? 0;
  const confirmed = progress.confirmed + carried;
  const waits = run.status === "waiting";
  return {
    say: { key: "run.say.sofar", with: { a: confirmed, n: progress.contacts + carried } },
    more: waits
      ? [{ key: isYours(run) ? "run.more.waitsForYou" : "run.more.waits" }]
      : [{ key: "run.more.left", seconds: progress.secondsLeft }],
    next:
      setAside || plan.duplicates
        ? { key: "run.then.settled", with: { a: setAside, b: plan.duplicates } }
        : { key: "run.then.goesOn" },
  };
}

function saidOfCanceling(run: Run): Said {
  const progress = run.progress;
  if (!run.plan || !progress) return said("run.say.canceling", null, [{ key: "run.more.nobody" }]);
  const open = progress.sent - progress.confirmed - progress.rejectedByActiveCampaign;
  return {
    say: { key: "run.say.notAnyMore", with: { n: progress.contacts - progress.sent } },
    more: open > 0 ? [{ key: "run.more.open", with: { n: open } }] : [],
    next: { key: "run.then.canceling" },
  };
}

function saidOfHeld(run: Run): Said {
  const cause = run.held?.causes[0];
  const rows = cause?.numbers.rowsRead ?? 0;
  let say: Sentence = { key: "run.say.held" };
  if (cause?.code === "size_changed") {
    const difference = rows - (cause.numbers.lastRowsRead ?? 0);
    say = { key: difference < 0 ? "run.say.fewer" : "run.say.moreRows", with: { n: Math.abs(difference) } };
  } else if (cause?.code === "segment_empty") say = { key: "run.say.empty" };
  else if (cause?.code === "too_many_rows_rejected")
    say = { key: "run.say.rejected", with: { n: cause.numbers.rejected ?? 0, b: rows } };
  return { say, more: [{ key: "run.more.nothing" }], next: { key: "run.then.held" } };
}

function saidOfFew(run: Run, asked: number): Said {
  const tally = run.tally;
  if (!isOver(run.status)) {
    const confirmed = run.progress?.confirmed ?? 0;
    return { say: { key: "run.say.few.going", with: { a: confirmed, n: asked } }, more: [], next: null };
  }
  if (!tally?.rowsRead) return said("run.say.nobody", "run.then.few");
  const missing = asked - tally.rowsRead;
  return {
    say: { key: "run.say.few", with: { a: tally.confirmed, n: asked } },
    more: [
      ...(missing > 0 ? [{ key: "run.more.notThere", with: { n: missing } } satisfies Sentence] : []),
      ...clauses(partsOf(run)),
    ],
    next: { key: "run.then.few" },
  };
}

function saidOfEnd(run: Run): Said {
  const tally = run.tally;
  if (!tally?.rowsRead) {
    if (run.status === "canceled") return said("run.say.canceledEarly", "run.then.canceled");
    return said(run.status === "failed" ? "run.say.nobody" : "run.say.emptyDone", null);
  }
  const parts = partsOf(run);
  const rest = parts.some((each) => each.group !== "there" && each.look !== "duplicate");
  const say: Sentence = !tally.confirmed
    ? { key: "run.say.nobody" }
    : rest
      ? { key: "run.say.some", with: { a: tally.confirmed, n: tally.rowsRead } }
      : { key: "run.say.all", with: { n: tally.confirmed } };
  return { say, more: clauses(parts, run.status === "canceled"), next: nextOf(run) };
}

const CLAUSE: Partial<Record<Look, Key>> = {
  left: "run.more.leftOut",
  rules: "run.more.rules",
  duplicate: "run.more.duplicates",
  refused: "run.more.refused",
  notSent: "run.more.notSent",
  unconfirmed: "run.more.unconfirmed",
};
const FIRST: readonly Look[] = ["notSent", "unconfirmed", "refused", "left", "rules", "duplicate"];

/** What is missing, the most pressing first. */
function clauses(parts: readonly Part[], canceled = false): Sentence[] {
  const rows = new Map(byLook(parts).map((each) => [each.look, each.rows]));
  return FIRST.flatMap((look) => {
    const key = canceled && look === "notSent" ? "run.more.canceled" : CLAUSE[look];
    const n = rows.get(look);
    return key && n ? [{ key, with: { n } }] : [];
  });
}

/** The next step of a run that is over and has read rows. */
function nextOf(run: Run): Sentence | null {
  const reasons = Object.entries(run.tally?.reasons ?? {});
  const count = (wanted: (reason: string) => boolean) =>
    reasons.reduce((n, [reason, rows]) => (wanted(reason) ? n + rows : n), 0);
  if (run.status === "failed") return null; // the problem says what to do
  if (run.status === "canceled") return { key: "run.then.canceled" };
  if (run.tally?.unconfirmed) return { key: "run.then.unconfirmed" };
  const addresses = count((reason) => ADDRESS.test(reason));
  if (addresses) return { key: "run.then.addresses", with: { n: addresses } };
  const theirs = count((reason) => THEIR_CHOICE.has(reason));
  const others = count((reason) => groupOf(reason) !== "purpose" && !THEIR_CHOICE.has(reason));
  if (others) return { key: "run.then.rows", with: { n: others } };
  if (theirs) return { key: "run.then.theirs", with: { n: theirs } };
  return run.plan?.filesNotRead ? { key: "run.then.files", with: { n: run.plan.filesNotRead } } : null;
}

export type Action = "cancel" | "again" | "resume" | "approve" | "edit";

/** What makes sense for the run in its state; whether the person may do it is another question. */
export function actionsOf(run: Run): Action[] {
  if (!isOver(run.status)) return run.status === "canceling" ? [] : ["cancel"];
  const resumable = run.only == null && (run.tally?.unconfirmed ?? 0) > 0;
  return [
    ...(resumable ? (["resume"] as const) : []),
    ...(run.held ? (["approve"] as const) : (["again"] as const)),
    "edit",
  ];
}

/** What holds a run, in numbers. `usual` is null where nothing is known to compare with. */
export interface Held {
  code: string;
  label: Key;
  usual: number | null;
  /** Whether `usual` is the most that the export allows, not what was last time. */
  limit?: boolean;
  now: number;
  difference: number | null;
}

/**
 * The comparison of each cause. `lastRows`: the rows that the export's last success read; `maxShare`: the share of them
 * that may be rejected; null where that is not known.
 */
export function heldOf(held: Model<"Held">, lastRows: number | null, maxShare: number | null): Held[] {
  const line = (code: string, label: Key, usual: number | null, now: number): Held => ({
    code,
    label,
    usual,
    now,
    difference: usual === null ? null : now - usual,
  });
  return held.causes.flatMap(({ code, numbers }) => {
    const rows = numbers.rowsRead ?? 0;
    if (code !== "too_many_rows_rejected") return [line(code, "run.held.rows", numbers.lastRowsRead ?? lastRows, rows)];
    const most = maxShare === null ? null : Math.floor(maxShare * rows);
    return [
      line("", "run.held.rows", lastRows, rows),
      { ...line(code, "run.held.rejected", most, numbers.rejected ?? 0), limit: true },
    ];
  });
}

/** The words of the button that approves, with the number that is approved. */
export function approvalOf(held: Model<"Held">): Sentence {
  const [cause] = held.causes;
  if (!cause || held.causes.length > 1) return { key: "run.approve.several", with: { n: held.causes.length } };
  const { rowsRead = 0, lastRowsRead = 0, rejected = 0 } = cause.numbers;
  switch (cause.code) {
    case "size_changed":
      return rowsRead < lastRowsRead
        ? { key: "run.approve.fewer", with: { n: lastRowsRead - rowsRead } }
        : { key: "run.approve.more", with: { n: rowsRead - lastRowsRead } };
    case "segment_empty":
      return { key: "run.approve.empty" };
    case "too_many_rows_rejected":
      return { key: "run.approve.rejected", with: { n: rejected } };
    default:
      return { key: "run.approve.several", with: { n: 1 } };
  }
}

export interface Moment {
  key: Key;
  /** Null: still to come. */
  at: string | null;
}

/** When what happened, in order, and what is still to come while the run is going. */
export function momentsOf(run: Run): Moment[] {
  const { timeline } = run;
  const over = isOver(run.status);
  const steps: [Key, string | null | undefined, boolean][] = [
    ["run.time.queued", timeline.queuedUtc, true],
    ["run.time.planned", timeline.plannedUtc, !over],
    ["run.time.first", timeline.firstSentUtc, !over],
    // While it is going, the newest request is not the last one.
    ["run.time.last", over ? timeline.lastSentUtc : null, !over && !timeline.canceledUtc],
    [
      over && run.tally?.unconfirmed ? "run.time.lastConfirmed" : "run.time.confirmed",
      over ? timeline.lastConfirmedUtc : null,
      !over && !timeline.canceledUtc,
    ],
    ["run.time.canceled", timeline.canceledUtc, false],
    timeline.canceledUtc
      ? ["run.time.counted", timeline.endedUtc, !over]
      : ["run.time.ended", timeline.lastConfirmedUtc ? null : timeline.endedUtc, false],
    [run.sample ? "run.time.sample" : "run.time.amended", timeline.amendedUtc, false],
  ];
  return steps
    .filter(([, at, shown]) => at || shown)
    .map(([key, at]) => ({ key, at: at ?? null }))
    .sort((a, b) => (a.at && b.at ? Date.parse(a.at) - Date.parse(b.at) : a.at ? -1 : b.at ? 1 : 0));
}

/** In how many of 100 runs a sample of so many people shows an error that concerns `share` of all. */
export function noticed(asked: number, share: number): number {
  return Math.floor(100 * (1 - (1 - share) ** asked));
}

export interface SampleSaid {
  tone: "ok" | "warn";
  say: Sentence;
  /** What else was seen, each with its number. */
  also: Sentence[];
}

const STANDINGS = {
  unsubscribed: "run.sample.unsubscribed",
  bounced: "run.sample.bounced",
  unconfirmed: "run.sample.unconfirmed",
  notOnTheList: "run.sample.notOnTheList",
  notThere: "run.sample.notThere",
  unknown: "run.sample.unknown",
  valuesDiffer: "run.sample.valuesDiffer",
} as const satisfies Partial<Record<keyof Model<"Sample">, Key>>;

export function sampleOf(sample: Model<"Sample">): SampleSaid {
  const also = Object.entries(STANDINGS).flatMap(([member, key]) => {
    const n = sample[member as keyof typeof STANDINGS] ?? 0;
    return n ? [{ key, with: { n } }] : [];
  });
  const fine = sample.onTheList === sample.asked && !also.length;
  return {
    tone: fine ? "ok" : "warn",
    say: { key: fine ? "run.sample.ok" : "run.sample.some", with: { a: sample.onTheList ?? 0, n: sample.asked } },
    also,
  };
}

/** Values that do not fit, by column and reason, the most frequent first. */
export function unfitOf(
  values: readonly Model<"ValueCount">[],
): { value: Model<"ValueCount">; reason: string; n: number }[] {
  return values
    .flatMap((value) => Object.entries(value.unfit ?? {}).map(([reason, n]) => ({ value, reason, n })))
    .sort((a, b) => b.n - a.n);
}
