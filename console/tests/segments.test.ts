import { describe, expect, it } from "vitest";
import type { Model } from "../src/api/types";
import { columnsInUse, condition, parted, rowsOf, segmentPath, usedBy } from "../src/rules/segments";
import { size } from "../src/texts/sizes";

type Export = Model<"ExportView">;
const NAME = "CustomerInsights_5a/BlobExport/People";
const user = (id: string, segments: string[], rest: object = {}) => ({ id, segments, ...rest }) as unknown as Export;

describe("a segment", () => {
  it("is asked about no more columns at once than the API describes", () => {
    const columns = Array.from({ length: 25 }, (_, n) => `c${n}`);
    expect(new URLSearchParams(segmentPath(NAME, columns).split("?")[1]).getAll("column")).toEqual(
      columns.slice(0, 20),
    );
  });

  it("is known by the last part of its name", () => {
    expect(parted(NAME)).toEqual({ folder: "CustomerInsights_5a/BlobExport/", last: "People" });
    expect(parted("people.csv")).toEqual({ folder: "", last: "people.csv" });
  });

  it("is used by exports that name it, or its table alone", () => {
    const exports = [user("a", [NAME]), user("b", ["Others", "People"]), user("c", ["Peop"])];
    expect(usedBy(NAME, exports).map((each) => each.id)).toEqual(["a", "b"]);
  });

  it("has the rows that the newest run read of it alone", () => {
    const run = (endedUtc: string, rowsRead: number) => ({ lastRun: { endedUtc, tally: { rowsRead } } });
    const exports = [
      user("old", ["People"], run("2026-11-20T10:00:00Z", 1)),
      user("new", ["People"], run("2026-11-27T10:00:00Z", 2)),
      user("both", ["People", "Others"], run("2026-11-28T10:00:00Z", 3)),
      user("never", ["People"]),
    ];
    expect(rowsOf(NAME, exports)).toEqual({ rows: 2, at: "2026-11-27T10:00:00Z" });
    expect(rowsOf("Others", exports)).toBeNull();
  });

  it.each(["failed", "canceled", "skipped"])("has no fewer rows because a run %s", (status) => {
    const lastSuccess = { endedUtc: "2026-11-27T10:00:00Z", rowsRead: 20_000 };
    const lastRun = { status, endedUtc: "2026-11-28T10:00:00Z", tally: { rowsRead: 0 } };
    expect(rowsOf(NAME, [user("a", ["People"], { lastRun, lastSuccess })])?.rows).toBe(20_000);
  });

  it("is old after more than eight days, as the API warns", () => {
    const now = new Date("2026-11-27T10:00:00Z");
    const of = (refreshedUtc: string | null, problem: object | null = null) =>
      condition({ name: NAME, refreshedUtc, problem } as never, now);
    expect(of("2026-11-19T10:00:00Z")).toBe("complete");
    expect(of("2026-11-19T09:59:59Z")).toBe("old");
    expect(of(null)).toBe("complete");
    expect(of("2026-01-01T00:00:00Z", { code: "segment_mixed" })).toBe("unread");
    expect(of(null, { code: "refresh_in_flight" })).toBe("writing");
  });

  it("shows the columns in use first, in the order of the file, 20 at most", () => {
    const matching = { email: "EMail", fields: [{ column: "City" }], winner: { column: "Modified" } };
    const exports = [{ dataMatching: matching, consentColumn: { column: "Agreed" } }] as unknown as Export[];
    const columns = ["Modified", "Id", "City", "EMail", "Phone", "Agreed"];
    expect(columnsInUse(columns, exports, { phone: "Phone", email: null })).toEqual([
      "Modified",
      "City",
      "EMail",
      "Phone",
      "Agreed",
    ]);
    const many = Array.from({ length: 30 }, (_, n) => `c${n}`);
    expect(columnsInUse(many, [], Object.fromEntries(many.map((each) => [each, each])))).toHaveLength(20);
  });

  it("has an address in the API, whatever it is called", () => {
    expect(segmentPath("a b/ü?.csv", ["Col&1", "x"])).toBe("/segments/a%20b/%C3%BC%3F.csv?column=Col%261&column=x");
    expect(segmentPath("a", ["x"], true)).toBe("/segments/a?column=x&unmasked=true");
    expect(segmentPath("a")).toBe("/segments/a");
  });
});

describe("a size", () => {
  it.each([
    [0, "0 bytes"],
    [1, "1 byte"],
    [999, "999 bytes"],
    [1_500, "1.5 kB"],
    [412_758, "413 kB"],
    [1_241_572, "1.2 MB"],
    [5e12, "5,000 GB"],
  ])("of %d bytes is said in its largest unit", (bytes, text) => {
    expect(size(bytes)).toBe(text);
  });
});
