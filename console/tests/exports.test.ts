import { describe, expect, it } from "vitest";
import {
  drawn,
  type Export,
  freeId,
  howMany,
  idFrom,
  inOrder,
  isId,
  lookAgainMs,
  missing,
  nearest,
  nextOf,
  notNowOf,
  pausedOnDemand,
  pauseOf,
  standing,
} from "../src/rules/exports";
import { type Key, t } from "../src/texts";

const NOW = Date.parse("2026-11-30T06:00:00Z");
const run = (status: string, more = {}) => ({
  runId: "r",
  trigger: "onDemand",
  requestedBy: "somebody",
  status,
  requestedUtc: "2026-11-30T05:59:30Z",
  ...more,
});
const make = (displayName: string, lastRun: unknown = null, more = {}) =>
  ({ displayName, id: displayName, state: "inactive", segments: [], lastRun, ...more }) as unknown as Export;
const going = (seconds: number) =>
  make("x", run("running", { requestedUtc: new Date(NOW - 1000 * seconds).toISOString() }));

describe("the standing of an export", () => {
  it("names who needs somebody", () => {
    expect(standing(make("a", run("held")))).toBe("you");
    expect(standing(make("a", run("failed")))).toBe("you");
    expect(standing(make("a", run("waiting", { waiting: { culprit: "user" } })))).toBe("you");
    expect(standing(make("a", run("successful"), { state: "onHold" }))).toBe("you");
    expect(standing(make("a", run("waiting", { waiting: { culprit: "external" } })))).toBe("running");
    expect(standing(make("a", run("canceling")))).toBe("running");
    expect(standing(make("a", run("completedWithWarnings")))).toBe("look");
    expect(standing(make("a", run("canceled")))).toBe("look");
    expect(standing(make("a"))).toBe("rest");
    expect(standing(make("a", run("successful"), { state: "noConnection" }))).toBe("rest");
    expect(standing(make("a", run("skipped")))).toBe("done");
    expect(standing(make("a", run("skipped", { problem: { code: "superseded" } })))).toBe("rest"); // a newer one follows
  });

  it("is the order of the list, then the name", () => {
    const all = [make("b", run("successful")), make("a", run("successful")), make("n"), make("h", run("held"))];
    expect(inOrder(all).map((each) => each.id)).toEqual(["h", "n", "a", "b"]);
  });
});

describe("a pause", () => {
  const paused = { state: "paused", paused: { by: "grace", sinceUtc: "2026-11-20T06:00:00Z" } };

  it("rests, whatever came of the newest run; what runs or is held goes first", () => {
    expect(standing(make("a", run("failed"), paused))).toBe("rest");
    expect(standing(make("a", run("completedWithWarnings"), paused))).toBe("rest");
    expect(standing(make("a", run("held"), paused))).toBe("you");
    expect(standing(make("a", run("running"), paused))).toBe("running");
  });

  it("is offered where something would start by itself, and ended where there is one", () => {
    expect(pauseOf(make("a", null, { state: "active" }), false)).toBe("pause");
    expect(pauseOf(make("a", null, { state: "inactive" }), false)).toBeNull();
    expect(pauseOf(make("a", null, paused), false)).toBe("unpause");
    expect(pauseOf(make("a", null, { ...paused, state: "inactive" }), false)).toBe("unpause");
    expect(pauseOf(make("a", null, { ...paused, state: "noConnection" }), true)).toBeNull();
    expect(pauseOf(make("a", null, { state: "paused" }), false)).toBe("pause"); // its connection is paused
    expect(pauseOf(make("a", null, { state: "onHold" }), false)).toBeNull();
    expect(pauseOf(make("a", null, { state: "onHold" }), true)).toBe("unpause");
  });

  it("stops nothing where no schedule could start anything", () => {
    expect(pausedOnDemand(make("a", null, { ...paused, state: "inactive" }))).toBe(true);
    expect(pausedOnDemand(make("a", null, { state: "inactive" }))).toBe(false);
    expect(pausedOnDemand(make("a", null, paused))).toBe(false);
    expect(pausedOnDemand(make("a", null, { ...paused, state: "noConnection" }))).toBe(false);
  });
});

describe("for how many a run is", () => {
  const tally = { rowsRead: 1200, duplicates: 40, rejected: 29, rejectedByActiveCampaign: 20, confirmed: 1111 };
  const last = { key: "howMany.last", n: 1131 };
  const good = { lastSuccess: { rowsRead: 900, confirmed: 850, endedUtc: "2026-11-28T06:00:00Z" } };
  const success = { key: "howMany.success", n: 850 };
  const endedUtc = "2026-11-29T06:00:00Z";

  it("is known from the last run for everybody that came to its end", () => {
    expect(howMany(make("a", run("successful", { tally }), good))).toEqual(last);
    expect(howMany(make("a", run("completedWithWarnings", { tally }), good))).toEqual(last);
    for (const status of ["failed", "canceled", "held", "skipped", "running"])
      expect(howMany(make("a", run(status, { tally }), good))).toEqual(success);
    expect(howMany(make("a", run("successful", { tally, only: 2 }), good))).toEqual(success);
  });

  it("is not known of one that never ran, but that others have read its segment, and no other", () => {
    const never = (...segments: string[]) => make("a", null, { segments });
    const other = make("b", run("successful", { tally, endedUtc }), { segments: ["p/people"] });
    expect(howMany(never("p/people"), [other])).toEqual({ key: "howMany.rows", n: 1200 });
    expect(howMany(never("p/people"))).toBeNull();
    expect(howMany(never("p/others"), [other])).toBeNull();
    expect(howMany(never("p/people", "p/others"), [other])).toBeNull();
  });

  it("is said by a text of its own for each", () => {
    const texts = ["preview", "last", "success", "rows"].map((each) => t(`howMany.${each}` as Key, { n: 1131 }));
    expect(new Set(texts).size).toBe(4);
    for (const text of texts) expect(text).toMatch(/: 1,131 (people|rows)$/);
  });
});

describe("the next run", () => {
  const next = (more: object, last: unknown = null) => nextOf(make("a", last, more), NOW);
  const at = "2026-11-30T06:00:01Z";

  it("is a time if there is one, else what has to happen first", () => {
    expect(next({ state: "active", nextRunUtc: at })).toEqual({ key: "exports.next.at", at });
    expect(next({ state: "active", nextRunUtc: "2026-11-30T06:00:00Z" })).toEqual({ key: "exports.next.soon" });
    expect(next({ state: "active" })).toEqual({ key: "exports.next.refresh" });
    expect(next({ state: "active" }, run("held"))).toEqual({ key: "exports.next.approve" });
    expect(next({ state: "active", nextRunUtc: at }, run("held"))).toEqual({ key: "exports.next.at", at });
    expect(next({ state: "inactive" })).toEqual({ key: "exports.next.demand" });
    expect(next({ state: "inactive" }, run("held"))).toEqual({ key: "exports.next.approve" });
    expect(next({ state: "noConnection" })).toEqual({ key: "exports.next.noConnection" });
    expect(next({ state: "onHold" })).toEqual({ key: "exports.next.onHold" });
    expect(next({ state: "paused", paused: { by: "b", sinceUtc: at } })).toEqual({ key: "exports.next.paused" });
    expect(next({ state: "paused" })).toEqual({ key: "exports.next.connectionPaused" });
  });

  it("says why not now where neither the state nor the time does", () => {
    const why = (code: string) => notNowOf(make("a", null, { notNow: { code, message: "" } }))?.code;
    expect(["waits_time", "waits_refresh", "waits_on_demand"].map(why)).toEqual([undefined, undefined, undefined]);
    expect(["waits_seen", "waits_repair", "refresh_in_flight"].map(why)).toEqual([
      "waits_seen",
      "waits_repair",
      "refresh_in_flight",
    ]);
  });
});

describe("looking again", () => {
  it("is often in the first minute of a run, seldom later, and never if nothing runs", () => {
    expect(lookAgainMs([going(30), going(3000)], NOW)).toBe(2_000);
    expect(lookAgainMs([going(61)], NOW)).toBe(10_000);
    expect(lookAgainMs([make("a", run("successful")), make("b")], NOW)).toBeNull();
  });
});

describe("what is drawn", () => {
  it("is the run that is going, whose parts are the people to be sent", () => {
    const progress = { contacts: 10, sent: 7, confirmed: 4, rejectedByActiveCampaign: 1, share: 0.5, secondsLeft: 3 };
    const picture = drawn(make("a", run("running", { progress })));
    expect(picture?.parts.map((part) => [part.look, part.rows])).toEqual([
      ["confirmed", 4],
      ["sent", 2],
      ["planned", 3],
      ["refused", 1],
    ]);
    expect([picture?.there, picture?.of, picture?.going]).toEqual([4, 10, true]);
  });

  it("is the success before, if the last run read nothing", () => {
    const lastSuccess = { confirmed: 9, rowsRead: 11, endedUtc: "2026-11-29T00:00:00Z", runId: "s" };
    const empty = {
      rowsRead: 0,
      confirmed: 0,
      duplicates: 0,
      rejected: 0,
      rejectedByActiveCampaign: 0,
      unconfirmed: 0,
    };
    expect(drawn(make("a", run("held", { tally: empty }), { lastSuccess }))).toMatchObject({
      there: 9,
      of: 11,
      parts: [],
    });
    expect(drawn(make("a", run("held", { tally: empty })))).toBeNull();
  });

  it("counts who did not arrive, by who left them out", () => {
    const tally = {
      rowsRead: 100,
      confirmed: 80,
      duplicates: 5,
      rejected: 8,
      rejectedByActiveCampaign: 4,
      unconfirmed: 3,
      reasons: { duplicate_email: 5, missing_email: 8, unsubscribed: 4, not_sent: 3 },
    };
    expect(missing(make("a", run("canceled", { tally })))).toEqual({ left: 8, refused: 4, open: 3 });
  });
});

describe("the nearest names", () => {
  it("are those that share letters with what was typed, the nearest first", () => {
    const names = ["VIP", "Newsletter", "New stores", "Letters"];
    expect(nearest("newsleter", names)).toEqual(["Newsletter", "Letters", "New stores"]);
    expect(nearest("zzz", names)).toEqual([]);
    expect(nearest("", names)).toEqual([]);
  });
});

describe("an id", () => {
  it("is made from a name as the API takes it", () => {
    expect(idFrom("  Birthday club, Größe XL! ")).toBe("birthday-club-gro-e-xl");
    expect(idFrom("Élan")).toBe("elan");
    for (const name of ["x".repeat(300), `${"ab ".repeat(40)}`, "a--b", "<img src=x>"])
      expect(isId(idFrom(name))).toBe(true);
    expect(isId("a--b")).toBe(false);
    expect(isId("-a")).toBe(false);
  });

  it("is one that is free", () => {
    expect(freeId("VIP", new Set(["vip", "vip-2"]))).toBe("vip-3");
    expect(freeId("🎉", new Set())).toBe("export");
    expect(isId(freeId("x".repeat(63), new Set(["x".repeat(63)])))).toBe(true);
  });
});
