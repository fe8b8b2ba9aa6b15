import { describe, expect, it } from "vitest";
import {
  actionsOf,
  approvalOf,
  heldOf,
  isOver,
  momentsOf,
  noticed,
  partsOf,
  type Run,
  type RunStatus,
  type Sentence,
  saidOf,
  sampleOf,
  unfitOf,
  watchOf,
} from "../src/rules/run";
import { sum } from "../src/rules/tally";
import { maybe } from "../src/texts";

const T0 = "2026-11-27T12:03:24.000Z";
const PLAN = {
  rowsRead: 5000,
  contacts: 4899,
  duplicates: 33,
  rejectedByReason: { invalid_email_no_at: 68 },
  batches: 20,
  lanes: 4,
  at: "2026-11-27T12:03:27.000Z",
};
const PROGRESS = {
  contacts: 4899,
  share: 0.6,
  sent: 4290,
  confirmed: 3040,
  rejectedByActiveCampaign: 0,
  secondsLeft: 9,
};
const TALLY = {
  rowsRead: 5000,
  confirmed: 4899,
  duplicates: 33,
  rejected: 68,
  rejectedByActiveCampaign: 0,
  unconfirmed: 0,
  reasons: { duplicate_email: 33, invalid_email_no_at: 68 },
};
const HELD = { causes: [{ code: "size_changed", numbers: { rowsRead: 1112, lastRowsRead: 2322 } }], membership: "0" };

function run(status: RunStatus, more: Record<string, unknown> = {}): Run {
  return {
    runId: "r",
    exportId: "newsletter",
    trigger: "onDemand",
    requestedBy: "Dewi",
    requestedUtc: T0,
    status,
    timeline: { queuedUtc: T0 },
    ...more,
  } as Run;
}
const going = { plan: PLAN, progress: PROGRESS };
const tally = (more: Partial<typeof TALLY> | Record<string, unknown>) => ({ plan: PLAN, tally: { ...TALLY, ...more } });
const NOTHING = { ...TALLY, rowsRead: 0, confirmed: 0, duplicates: 0, rejected: 0, reasons: {} };
const NOT_SENT = { confirmed: 4290, unconfirmed: 609, reasons: { ...TALLY.reasons, not_sent: 609 } };

/** What the page says, written out as the page writes it. */
function spoken(of: Run): string[] {
  const write = (each: Sentence | null) =>
    each ? (maybe(each.key, { ...each.with, ...(each.seconds === undefined ? {} : { duration: "9 s" }) }) ?? "") : "";
  const { say, more, next } = saidOf(of);
  return [write(say), more.map(write).join(", "), write(next)];
}

const SAID: [string, Run, string, string, string][] = [
  ["queued", run("queued"), "The run **waits for its turn**.", "", "You can close this page, the run goes on."],
  [
    "planning",
    run("planning"),
    "The segment is **being read**.",
    "Nobody is sent yet",
    "You can close this page, the run goes on.",
  ],
  [
    "waiting before it was planned",
    run("waiting"),
    "The run **waits** and continues by itself.",
    "Nobody is sent yet",
    "You can close this page, the run goes on.",
  ],
  [
    "waiting for somebody before it was planned",
    run("waiting", { waiting: { code: "credentials_refused", culprit: "user" } }),
    "The run **waits for you**; then it continues by itself.",
    "Nobody is sent yet",
    "You can close this page, the run goes on.",
  ],
  [
    "waiting in the middle",
    run("waiting", going),
    "**3,040 of 4,899** people are on the list so far.",
    "It waits, and continues by itself",
    "Left out here: 68, duplicates: 33. That does not change any more.",
  ],
  [
    "running",
    run("running", going),
    "**3,040 of 4,899** people are on the list so far.",
    "About 9 s left",
    "Left out here: 68, duplicates: 33. That does not change any more.",
  ],
  [
    "running, as the rest of an earlier run",
    run("running", {
      plan: { ...PLAN, duplicates: 0, rejectedByReason: {}, carried: { runId: "e", confirmed: 100 } },
      progress: PROGRESS,
    }),
    "**3,140 of 4,999** people are on the list so far.",
    "About 9 s left",
    "You can close this page, the run goes on.",
  ],
  [
    "canceling",
    run("canceling", going),
    "**609 people** are not sent any more.",
    "1,250 still wait for ActiveCampaign",
    "A request that left cannot be called back. Mostly this takes seconds.",
  ],
  ["canceling before it was planned", run("canceling"), "The run is **being canceled**.", "Nobody was sent", ""],
  [
    "successful",
    run("successful", tally({ rowsRead: 4932, rejected: 0, reasons: { duplicate_email: 33 } })),
    "All **4,899 people** are on the list.",
    "33 are duplicates",
    "",
  ],
  [
    "successful with one",
    run("successful", tally({ rowsRead: 1, confirmed: 1, duplicates: 0, rejected: 0, reasons: {} })),
    "The **one person** is on the list.",
    "",
    "",
  ],
  [
    "successful with an empty segment",
    run("successful", { plan: PLAN, tally: NOTHING }),
    "The segment was **empty**; there was nobody to send.",
    "",
    "",
  ],
  [
    "done with addresses to correct",
    run("completedWithWarnings", tally({})),
    "**4,899 of 5,000** people are on the list.",
    "68 were left out here, 33 are duplicates",
    "68 have no usable address. Correct them in the source, and they arrive with the next run.",
  ],
  [
    "done with people who left",
    run(
      "completedWithWarnings",
      tally({ rejected: 0, rejectedByActiveCampaign: 68, reasons: { duplicate_email: 33, unsubscribed: 68 } }),
    ),
    "**4,899 of 5,000** people are on the list.",
    "68 were refused by ActiveCampaign, 33 are duplicates",
    "68 have unsubscribed, bounced or been excluded in ActiveCampaign. Nothing to do here.",
  ],
  [
    "done with people who did not agree",
    run("completedWithWarnings", tally({ reasons: { duplicate_email: 33, no_consent: 68 } })),
    "**4,899 of 5,000** people are on the list.",
    "68 have not agreed, 33 are duplicates",
    "",
  ],
  [
    "done with rows that cannot be read",
    run("completedWithWarnings", tally({ reasons: { duplicate_email: 33, wrong_field_count: 68 } })),
    "**4,899 of 5,000** people are on the list.",
    "68 were left out here, 33 are duplicates",
    "What to do about the 68 rows stands under “Not on the list”.",
  ],
  [
    "done with people whose outcome is not known",
    run(
      "completedWithWarnings",
      tally({ rejected: 0, unconfirmed: 68, reasons: { duplicate_email: 33, outcome_unknown: 68 } }),
    ),
    "**4,899 of 5,000** people are on the list.",
    "68 were never confirmed, 33 are duplicates",
    "Send those who did not arrive again, or wait for the next run.",
  ],
  [
    "done with files that were not read",
    run("completedWithWarnings", {
      plan: { ...PLAN, filesNotRead: 2 },
      tally: { ...TALLY, rowsRead: 4899, duplicates: 0, rejected: 0, reasons: {} },
    }),
    "All **4,899 people** are on the list.",
    "",
    "2 files beside the segment were not read; the warnings name the first.",
  ],
  [
    "failed after planning",
    run("failed", tally({ confirmed: 0, unconfirmed: 4899, reasons: { ...TALLY.reasons, not_sent: 4899 } })),
    "**Nobody** arrived on the list.",
    "4,899 were not sent, 68 were left out here, 33 are duplicates",
    "",
  ],
  ["failed before planning", run("failed", { tally: NOTHING }), "**Nobody** arrived on the list.", "", ""],
  [
    "canceled",
    run("canceled", tally(NOT_SENT)),
    "**4,290 of 5,000** people are on the list.",
    "609 were not sent, because the run was canceled, 68 were left out here, 33 are duplicates",
    "Nothing more happens by itself until the next run.",
  ],
  [
    "canceled before planning",
    run("canceled", { tally: NOTHING }),
    "The run was canceled **before anybody was sent**.",
    "",
    "Nothing more happens by itself until the next run.",
  ],
  [
    "held for fewer rows",
    run("held", { held: HELD }),
    "The segment has **1,210 fewer rows** than last time.",
    "Nothing was sent",
    "Somebody has to say that this is right, before anybody is sent.",
  ],
  [
    "held for more rows",
    run("held", {
      held: { ...HELD, causes: [{ code: "size_changed", numbers: { rowsRead: 5001, lastRowsRead: 500 } }] },
    }),
    "The segment has **4,501 more rows** than last time.",
    "Nothing was sent",
    "Somebody has to say that this is right, before anybody is sent.",
  ],
  [
    "held for an empty segment",
    run("held", { held: { ...HELD, causes: [{ code: "segment_empty", numbers: { rowsRead: 0 } }] } }),
    "The segment is **empty**.",
    "Nothing was sent",
    "Somebody has to say that this is right, before anybody is sent.",
  ],
  [
    "held for rejects",
    run("held", {
      held: { ...HELD, causes: [{ code: "too_many_rows_rejected", numbers: { rowsRead: 5000, rejected: 3000 } }] },
    }),
    "**3,000 of 5,000** rows cannot be sent.",
    "Nothing was sent",
    "Somebody has to say that this is right, before anybody is sent.",
  ],
  [
    "held for a cause of a later release",
    run("held", { held: { ...HELD, causes: [{ code: "of_a_later_release", numbers: {} }] } }),
    "The run is **held**.",
    "Nothing was sent",
    "Somebody has to say that this is right, before anybody is sent.",
  ],
  ["skipped", run("skipped"), "There was **nothing to do**.", "", ""],
  [
    "a few people, going",
    run("running", { ...going, only: 5, progress: { ...PROGRESS, confirmed: 2 } }),
    "**2 of 5** people are on the list so far.",
    "",
    "",
  ],
  [
    "a few people",
    run("completedWithWarnings", {
      plan: PLAN,
      only: 5,
      tally: { ...NOTHING, rowsRead: 4, confirmed: 3, rejected: 1, reasons: { missing_email: 1 } },
    }),
    "**3 of 5** people are on the list.",
    "1 is not in the segment, 1 was left out here",
    "A run for a few people. The next run for everybody is not compared with it.",
  ],
  [
    "a few people of whom nobody is there",
    run("failed", { only: 2, tally: NOTHING }),
    "**Nobody** arrived on the list.",
    "",
    "A run for a few people. The next run for everybody is not compared with it.",
  ],
];

describe("the three sentences of a run", () => {
  it.each(SAID)("%s", (_name, of, say, more, next) => {
    expect(spoken(of)).toEqual([say, more, next]);
  });

  it("are there for every status", () => {
    const statuses = new Set(SAID.map(([, of]) => of.status));
    expect([...statuses].sort()).toEqual(
      [
        "queued",
        "planning",
        "waiting",
        "running",
        "canceling",
        "successful",
        "completedWithWarnings",
        "failed",
        "canceled",
        "held",
        "skipped",
      ].sort(),
    );
  });
});

describe("the rows of a run", () => {
  it("add up to those read, whatever its state", () => {
    for (const of of [
      run("running", going),
      run("canceling", going),
      run("completedWithWarnings", tally({})),
      run("canceled", tally(NOT_SENT)),
    ])
      expect([of.status, sum(partsOf(of))]).toEqual([of.status, 5000]);
    expect(partsOf(run("planning"))).toEqual([]);
  });

  it("that were not sent yet are not sent any more once it is canceled", () => {
    expect(partsOf(run("running", going)).map((each) => each.look)).toContain("planned");
    expect(partsOf(run("canceling", going)).map((each) => each.look)).not.toContain("planned");
    expect(partsOf(run("canceling", going)).find((each) => each.look === "notSent")?.rows).toBe(609);
  });
});

describe("what is offered", () => {
  it.each<[string, Run, string]>([
    ["queued", run("queued"), "cancel"],
    ["running", run("running", going), "cancel"],
    ["canceling", run("canceling", going), ""],
    ["done", run("successful", tally({})), "again edit"],
    ["done, some unconfirmed", run("canceled", tally(NOT_SENT)), "resume again edit"],
    ["a few people are not resumed", run("failed", { ...tally(NOT_SENT), only: 5 }), "again edit"],
    ["held", run("held", { held: HELD }), "approve edit"],
  ])("%s", (_name, of, actions) => {
    expect(actionsOf(of).join(" ")).toBe(actions);
  });
});

describe("how often the page looks", () => {
  const at = Date.parse(T0);
  it("is often while the run is young, less later, and not at all when nothing changes any more", () => {
    expect(watchOf(run("running"), at + 5_000)).toBe(2_000);
    expect(watchOf(run("running"), at + 600_000)).toBe(10_000);
    expect(watchOf(null, at)).toBeNull();
    const over = run("successful", { ...tally({}), endedUtc: T0 });
    expect(watchOf(over, at + 60_000)).toBe(30_000); // a sample is looked up some minutes after the end
    expect(watchOf({ ...over, sample: { confirmed: 1, asked: 1 } } as Run, at + 60_000)).toBeNull();
    expect(watchOf(over, at + 3_600_000)).toBeNull();
    expect(watchOf(run("skipped", { endedUtc: T0 }), at)).toBeNull();
  });

  it("ends with the run", () => {
    expect(isOver("canceling")).toBe(false);
    expect(isOver("held")).toBe(true);
  });
});

describe("what holds a run", () => {
  it("is compared with last time, cause by cause", () => {
    expect(heldOf(HELD, 9, null)).toEqual([
      { code: "size_changed", label: "run.held.rows", usual: 2322, now: 1112, difference: -1210 },
    ]);
    const empty = { ...HELD, causes: [{ code: "segment_empty", numbers: { rowsRead: 0 } }] };
    expect(heldOf(empty, 500, null)[0]).toMatchObject({ usual: 500, now: 0, difference: -500 });
    expect(heldOf(empty, null, null)[0]).toMatchObject({ usual: null, difference: null });
    const rejects = { ...HELD, causes: [{ code: "too_many_rows_rejected", numbers: { rowsRead: 10, rejected: 6 } }] };
    expect(heldOf(rejects, 12, 0.25).map((each) => [each.usual, each.now, each.difference])).toEqual([
      [12, 10, -2],
      [2, 6, 4], // 2 of 10 rows are at most a quarter
    ]);
    expect(heldOf(rejects, null, null).map((each) => each.usual)).toEqual([null, null]);
  });

  it("stands on the button with its number", () => {
    const button = (...causes: { code: string; numbers: Record<string, number> }[]) => {
      const { key, with: values } = approvalOf({ ...HELD, causes });
      return maybe(key, values ?? {});
    };
    const size = { code: "size_changed", numbers: { rowsRead: 1112, lastRowsRead: 2322 } };
    const rejects = { code: "too_many_rows_rejected", numbers: { rowsRead: 10, rejected: 6 } };
    expect(button(size)).toBe("Approve 1,210 fewer rows");
    expect(button({ code: "size_changed", numbers: { rowsRead: 11, lastRowsRead: 1 } })).toBe("Approve 10 more rows");
    expect(button(rejects)).toBe("Approve leaving out 6 rows");
    expect(button({ code: "segment_empty", numbers: { rowsRead: 0 } })).toBe("Approve an empty segment");
    expect(button(size, rejects)).toBe("Approve all 2 of these");
  });
});

describe("the timeline", () => {
  const timeline = {
    queuedUtc: T0,
    plannedUtc: "2026-11-27T12:03:27.000Z",
    firstSentUtc: "2026-11-27T12:03:28.000Z",
    lastSentUtc: "2026-11-27T12:03:41.000Z",
    lastConfirmedUtc: "2026-11-27T12:03:47.000Z",
  };
  const keys = (of: Run) => momentsOf(of).map((each) => each.key.replace("run.time.", "") + (each.at ? "" : " –"));
  it("says what is still to come: the newest request of a run that is going is not its last", () => {
    expect(keys(run("running", { timeline }))).toEqual(["queued", "planned", "first", "last –", "confirmed –"]);
  });
  it("is in the order of time", () => {
    const canceled = { ...timeline, canceledUtc: "2026-11-27T12:03:38.000Z", endedUtc: "2026-11-27T12:03:48.000Z" };
    expect(keys(run("canceled", { timeline: canceled, tally: { ...TALLY, ...NOT_SENT } }))).toEqual([
      "queued",
      "planned",
      "first",
      "canceled",
      "last",
      "lastConfirmed",
      "counted",
    ]);
    expect(keys(run("held", { timeline: { queuedUtc: T0, endedUtc: "2026-11-27T12:03:48.000Z" } }))).toEqual([
      "queued",
      "ended",
    ]);
  });
});

describe("a sample", () => {
  it("says what it can find", () => {
    expect(noticed(20, 0.05)).toBe(64);
    expect(noticed(1, 0.05)).toBe(5);
  });
  it("is fine only if everybody is there with their values", () => {
    const sample = { confirmed: 4899, asked: 20, onTheList: 20, valuesAsSent: 20, valuesDiffer: 0 };
    expect(sampleOf(sample as never).tone).toBe("ok");
    expect(sampleOf({ ...sample, valuesDiffer: 1 } as never).tone).toBe("warn");
    const some = sampleOf({ ...sample, onTheList: 18, unsubscribed: 1, notThere: 1 } as never);
    expect([some.tone, some.also.map((each) => each.key)]).toEqual([
      "warn",
      ["run.sample.unsubscribed", "run.sample.notThere"],
    ]);
  });
});

it("values that do not fit come with the most frequent first", () => {
  const values = [
    { column: "A", unfit: { not_a_date: 2, placeholder_date: 9 } },
    { column: "B", unfit: { not_an_option: 5 } },
    { column: "C" },
  ];
  expect(unfitOf(values as never).map((each) => [each.value.column, each.reason, each.n])).toEqual([
    ["A", "placeholder_date", 9],
    ["B", "not_an_option", 5],
    ["A", "not_a_date", 2],
  ]);
});
