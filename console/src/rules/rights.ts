/** What the caller may do, in as many lines as people can read: each line is one kind of work. */
import type { Model } from "../api/types";

export type Right = "see" | "define" | "run" | "approve" | "rows" | "person" | "segments" | "all" | "connect" | "audit";

/** The operation of the API that stands for each kind of work. */
export const RIGHTS: readonly [right: Right, operation: string][] = [
  ["see", "listAllRuns"],
  ["segments", "getSegment"],
  ["define", "saveExport"],
  ["run", "startRun"],
  ["approve", "approveRun"],
  ["rows", "getRejects"],
  ["person", "findPerson"],
  ["all", "startAllRuns"],
  ["connect", "saveConnection"],
  ["audit", "listAuditEntries"],
];

export interface Held {
  right: Right;
  may: boolean;
  /** Why not, as the API says it. */
  refusal: Model<"MayNot"> | null;
}

export function rightsOf(me: Pick<Model<"Me">, "may" | "mayNot">): Held[] {
  return RIGHTS.map(([right, operation]) => ({
    right,
    may: me.may.includes(operation),
    refusal: me.mayNot.find((each) => each.operation === operation) ?? null,
  }));
}
