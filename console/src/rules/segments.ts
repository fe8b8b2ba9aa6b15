/** What is said of a segment: its name, who uses it, how many rows it had, whether it can be read. */
import type { Model } from "../api/types";

type Segment = Pick<Model<"SegmentView">, "name"> & Partial<Pick<Model<"SegmentView">, "refreshedUtc" | "problem">>;
type Export = Model<"ExportView">;

/** The part of a name that people know it by, and the folder before it. */
export function parted(name: string): { folder: string; last: string } {
  const cut = name.lastIndexOf("/") + 1;
  return { folder: name.slice(0, cut), last: name.slice(cut) };
}

/** The exports that name a segment, in full or by the name of its table alone. */
export function usedBy<E extends Pick<Export, "segments">>(name: string, exports: readonly E[]): E[] {
  const { last } = parted(name);
  return exports.filter((each) => each.segments.some((asked) => asked === name || asked === last));
}

export interface Rows {
  rows: number;
  at: string;
}

/** How a run ends that may have read no row, or only some; then its number says nothing of the segment. */
const UNREAD: ReadonlySet<string> = new Set(["failed", "canceled", "skipped"]);

/** How many rows its newest known run read: the newest of those exports that read this segment and no other. */
export function rowsOf(name: string, exports: readonly Export[]): Rows | null {
  const alone = usedBy(name, exports).filter((each) => each.segments.length === 1);
  const found = alone.flatMap(({ lastRun, lastSuccess }): Rows[] => [
    ...(lastRun?.tally && lastRun.endedUtc && !UNREAD.has(lastRun.status)
      ? [{ rows: lastRun.tally.rowsRead, at: lastRun.endedUtc }]
      : []),
    ...(lastSuccess ? [{ rows: lastSuccess.rowsRead, at: lastSuccess.endedUtc }] : []),
  ]);
  return found.reduce<Rows | null>((newest, each) => (newest && newest.at >= each.at ? newest : each), null);
}

/** A week, after which Customer Insights refreshes at the latest, and a day: as the API warns (source/segments.py). */
const OLD_MS = 8 * 86_400_000;

export type Condition = "unread" | "writing" | "old" | "complete";

export function condition(segment: Segment, now: Date): Condition {
  if (segment.problem) return segment.problem.code === "refresh_in_flight" ? "writing" : "unread";
  const age = segment.refreshedUtc ? now.getTime() - new Date(segment.refreshedUtc).getTime() : 0;
  return age > OLD_MS ? "old" : "complete";
}

/** The most columns that one question may name. */
export const MAX_COLUMNS = 20;

/** The columns to look at first: those that exports take, then those that look like what an export needs. */
export function columnsInUse(
  columns: readonly string[],
  exports: readonly Pick<Export, "dataMatching" | "consentColumn">[],
  suggested: Partial<Record<string, string | null>>,
): string[] {
  const named = exports.flatMap(({ dataMatching: matching, consentColumn }) => [
    matching.email,
    matching.firstName,
    matching.lastName,
    matching.phone,
    ...matching.fields.map((field) => field.column),
    matching.winner?.column,
    consentColumn?.column,
  ]);
  const wanted = new Set([...named, ...Object.values(suggested)]);
  return columns.filter((column) => wanted.has(column)).slice(0, MAX_COLUMNS);
}

/** The address of a segment in the API, with the columns to describe: the first ones, as many as it takes. */
export function segmentPath(name: string, columns: readonly string[] = [], unmasked = false): string {
  const query = new URLSearchParams(columns.slice(0, MAX_COLUMNS).map((column) => ["column", column]));
  if (unmasked) query.set("unmasked", "true");
  const search = query.toString();
  return `/segments/${name.split("/").map(encodeURIComponent).join("/")}${search ? `?${search}` : ""}`;
}
