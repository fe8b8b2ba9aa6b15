/** How an entry of the audit trail is said: what was done, with what, and what came of it. */
import type { Model } from "../api/types";

type Entry = Model<"AuditEntry">;

/** What an entry is about. `of`: what kind of thing; `id`: its id, or the name of a segment. */
export interface Target {
  of: "export" | "connection" | "run" | "segment" | null;
  id: string;
}

const KINDS = { exports: "export", connections: "connection", runs: "run", segments: "segment" } as const;

/** What was asked for; a run that was started is in `location`. */
export function target(entry: Pick<Entry, "resource" | "location">): Target {
  const asked = thing(entry.resource);
  return asked.of ? asked : thing(entry.location ?? "");
}

/** The run that a call started, if it did. */
export function startedRun(entry: Pick<Entry, "location">): string | null {
  const made = thing(entry.location ?? "");
  return made.of === "run" ? made.id : null;
}

/** The export of a run: the part of the run's id before its time. */
export function exportOf(runId: string): string {
  return runId.split(".")[0] ?? runId;
}

function thing(path: string): Target {
  const [kind = "", ...rest] = path
    .replace(/^\/api/, "")
    .split("/")
    .filter(Boolean)
    .map(decoded);
  const of = KINDS[kind as keyof typeof KINDS] ?? null;
  return { of: rest.length ? of : null, id: of === "segment" ? rest.join("/") : (rest[0] ?? "") };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** `open`: nobody knows, as the service ended before it answered. */
export function outcome(entry: Pick<Entry, "status">): "done" | "refused" | "open" {
  return entry.status == null ? "open" : entry.status < 400 ? "done" : "refused";
}

/** The day, in UTC as the audit trail counts, that holds this time: 2026-11-23. */
export function dayOf(at: Date): string {
  return at.toISOString().slice(0, 10);
}

const DAY_MS = 86_400_000;

/** The day before or after another one; null if `day` is none. */
export function dayBeside(day: string, days: number): string | null {
  const at = Date.parse(`${day}T00:00:00Z`);
  return Number.isNaN(at) ? null : dayOf(new Date(at + days * DAY_MS));
}

/** The newest first, if all of a day is there; else as they come, since the newest are what is missing. */
export function inOrder<E>(entries: readonly E[], complete: boolean): readonly E[] {
  return complete ? [...entries].reverse() : entries;
}
