/** Where a person stands with each export: which sentences say it, from the codes of the API. */
import type { Model } from "../api/types";
import type { Key } from "../texts";

export type Where = Model<"Where">;
export type Tone = "ok" | "run" | "warn" | "bad" | "off";

interface Answer {
  tone: Tone;
  /** What it comes to, after the name of the export. */
  head: Key;
  /** What was found, from the parameters of the answer. */
  found: Key;
  /** The next step; null where the reason says it. */
  next: Key | null;
}

const ANSWERS: Record<Where, Answer> = {
  person_confirmed: {
    tone: "ok",
    head: "person.head.confirmed",
    found: "person.confirmed",
    next: "person.then.confirmed",
  },
  person_open: { tone: "run", head: "person.head.open", found: "person.open", next: "person.then.open" },
  person_set_aside: { tone: "warn", head: "person.head.setAside", found: "person.setAside", next: null },
  person_refused: { tone: "bad", head: "person.head.refused", found: "person.refused", next: null },
  person_unconfirmed: { tone: "warn", head: "person.head.unconfirmed", found: "person.unconfirmed", next: null },
  person_not_in_segment: {
    tone: "off",
    head: "person.head.notInSegment",
    found: "person.notInSegment",
    next: "person.then.notInSegment",
  },
  person_confirmed_if_there: {
    tone: "warn",
    head: "person.head.ifThere",
    found: "person.ifThere",
    next: "person.then.runAgain",
  },
  person_unknown: { tone: "warn", head: "person.head.unknown", found: "person.unknown", next: "person.then.runAgain" },
  person_no_run: { tone: "off", head: "person.head.noRun", found: "person.noRun", next: "person.then.noRun" },
  person_nothing_sent: {
    tone: "off",
    head: "person.head.nothingSent",
    found: "person.nothingSent",
    next: "person.then.nothingSent",
  },
  person_not_looked: {
    tone: "warn",
    head: "person.head.notLooked",
    found: "person.notLooked",
    next: "person.then.notLooked",
  },
  person_hidden: { tone: "off", head: "person.head.hidden", found: "person.hidden", next: "person.then.hidden" },
};

/** The sentences of an answer. Left out on purpose and left out for want of an address are told apart by the reason. */
export function answerOf(code: Where, params: Readonly<Record<string, unknown>>, onPurpose: boolean): Answer {
  const answer = ANSWERS[code];
  if (code === "person_set_aside" && onPurpose) return { ...answer, tone: "off", head: "person.head.onPurpose" };
  if (code === "person_not_in_segment" && params.case === "unreadable")
    return { ...answer, found: "person.notInSegment.unreadable" };
  if (code === "person_not_looked" && params.case === "failed") return { ...answer, found: "person.notLooked.failed" };
  return answer;
}

/** In how many exports' lists the person is, and how many exports gave no answer. */
export function countsOf(view: Model<"PersonView">): { there: number; all: number; open: number } {
  const none: ReadonlySet<Where> = new Set(["person_unknown", "person_not_looked", "person_hidden"]);
  return {
    there: view.value.filter((each) => each.code === "person_confirmed").length,
    all: view.value.length,
    open: view.value.filter((each) => none.has(each.code)).length,
  };
}
