/** What is known of a connection without asking ActiveCampaign, and how a new one is called. */
import type { Model } from "../api/types";
import { isGoing } from "./exports";

type Connection = Pick<Model<"ConnectionView">, "id" | "host" | "updatedUtc">;
type Export = Pick<Model<"ExportView">, "id" | "displayName" | "connectionId"> &
  Partial<Pick<Model<"ExportView">, "lastRun" | "lastSuccess" | "state">>;

/** The outcome of a test that somebody asked for on this page. `code`: of the problem, if it failed. */
export interface Test {
  at: string;
  code: string | null;
}

/** `answered`: how one knows, and since when. `failed`: the test failed for another reason than the key. */
export interface Known {
  look: "tested" | "saved" | "used" | "refused" | "failed" | "unknown";
  at: string | null;
}

const REFUSED = new Set(["credentials_refused", "permission_refused"]);

/** The newest thing that is known: a test, a run that waits or failed for the key, a run that worked, the last save. */
export function known(connection: Connection, exports: readonly Export[], test: Test | undefined): Known {
  const found: Known[] = [];
  // Saving a connection tests it.
  if (connection.updatedUtc) found.push({ look: "saved", at: connection.updatedUtc });
  for (const { lastRun, lastSuccess } of usersOf(connection.id, exports)) {
    if (lastSuccess) found.push({ look: "used", at: lastSuccess.endedUtc });
    if (lastRun?.waiting && REFUSED.has(lastRun.waiting.code))
      found.push({ look: "refused", at: lastRun.waiting.since });
    if (lastRun?.problem && REFUSED.has(lastRun.problem.code) && lastRun.endedUtc)
      found.push({ look: "refused", at: lastRun.endedUtc });
  }
  if (test)
    found.push({ look: test.code === null ? "tested" : REFUSED.has(test.code) ? "refused" : "failed", at: test.at });
  return found.reduce((newest, each) => ((each.at ?? "") >= (newest.at ?? "") ? each : newest), {
    look: "unknown",
    at: null,
  });
}

/** The exports that use a connection, those with a run that is going first. */
export function usersOf<E extends Export>(connectionId: string, exports: readonly E[]): E[] {
  const users = exports.filter((each) => each.connectionId === connectionId);
  return users.sort((a, b) => Number(goes(b)) - Number(goes(a)) || a.displayName.localeCompare(b.displayName));
}

export function goes(each: Export): boolean {
  return isGoing(each.lastRun);
}

/** The host as the API keeps it, from what people paste: ActiveCampaign shows it with `https://`. */
export function hostOf(pasted: string): string {
  return pasted
    .trim()
    .toLowerCase()
    .replace(/^https:\/\//, "")
    .replace(/\/$/, "");
}

const LONGEST_ID = 63; // of the API: definitions/resources.py, ID_PATTERN

/** An id that no connection has, made from the name that people gave it. */
export function freshId(name: string, taken: Iterable<string>): string {
  const used = new Set(taken);
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const stem = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "connection";
  for (let n = 1; ; n++) {
    const end = n === 1 ? "" : `-${n}`;
    const id = stem.slice(0, LONGEST_ID - end.length).replace(/-$/, "") + end;
    if (!used.has(id)) return id;
  }
}
