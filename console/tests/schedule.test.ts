import { describe, expect, it } from "vitest";
import { emptyDraft, faultsIn, faultsOf } from "../src/rules/editor";
import { cronFault, cronOf, EVERY_DAY, pickedOf, WEEKDAYS } from "../src/rules/schedule";

describe("a cron that means days at one time", () => {
  it.each([
    ["0 6 * * *", EVERY_DAY, "06:00"],
    ["05 23 * * 1-5", WEEKDAYS, "23:05"],
    ["30 0 * * mon-fri", WEEKDAYS, "00:30"],
    ["0 6 * * 0", [7], "06:00"],
    ["0 6 * * 5-7", [5, 6, 7], "06:00"],
    ["0 6 * * SUN,3", [3, 7], "06:00"],
    ["0 6 * * 0-2,7", [1, 2, 7], "06:00"],
    ["  0   6 * *  2 ", [2], "06:00"],
  ])("%s is shown as days and a time", (cron, days, time) => {
    expect(pickedOf(cron)).toEqual({ days, time });
  });

  it.each(["0 6,18 * * *", "*/5 * * * *", "0 6 1 * *", "0 6 * 2 *", "0 6 * * */2", "0 6 * * 5L", "0 6 * * MON#1"])(
    "%s stays as it was typed",
    (cron) => expect(pickedOf(cron)).toBeNull(),
  );

  it.each(["", "0 6 * *", "0 0 6 * * *", "0 26 * * *", "60 6 * * *", "0 6 * * 8", "0 6 * * 5-1", "0 6 * * 1-2-3"])(
    "%s means no days",
    (cron) => expect(pickedOf(cron)).toBeNull(),
  );

  it("is what is written for them, and read back as the same", () => {
    const written = (days: number[]) => cronOf({ days, time: "06:05" });
    expect(written(EVERY_DAY)).toBe("5 6 * * *");
    expect(written(WEEKDAYS)).toBe("5 6 * * 1-5");
    expect(written([6, 7])).toBe("5 6 * * 6,7");
    expect(written([1, 3, 5])).toBe("5 6 * * 1,3,5");
    for (let chosen = 1; chosen < 128; chosen++) {
      const days = EVERY_DAY.filter((day) => chosen & ((1 << day) >> 1));
      expect(pickedOf(written(days))).toEqual({ days, time: "06:05" });
    }
  });
});

describe("a schedule that is wrong", () => {
  it("is named for what it lacks", () => {
    expect(cronFault(cronOf({ days: EVERY_DAY, time: "" }))).toBe("cronTime");
    expect(cronFault(cronOf({ days: [], time: "06:00" }))).toBe("cronDays");
    expect(cronFault("0 0 6 * * 1")).toBe("cronSix");
    expect(cronFault("0 6")).toBe("cronFields");
    expect(cronFault("0 26 * * *")).toBe("cronTimes");
  });

  const draft = (cron: string | null) =>
    ({ ...emptyDraft(), schedule: { kind: "cron", cron, timeZone: "UTC" } }) as ReturnType<typeof emptyDraft>;
  const places = (cron: string | null) => faultsOf(draft(cron), null).filter((each) => each.place.startsWith("sched"));

  it("is not sent before it has five fields; times of the app need none", () => {
    expect(places("0 6 * *")).toEqual([{ place: "schedule.cron", code: "cronDays" }]);
    expect(places("0 6 * * *")).toEqual([]);
    expect(places(null)).toEqual([]);
  });

  it("is said at its control when the API refuses it", () => {
    const failure = (...members: string[]) => ({ code: "invalid_body", params: {}, members });
    expect(faultsIn(failure("schedule.cron: must name times that occur"), draft("0 0 30 2 *"), "")).toEqual([
      { place: "schedule.cron", code: "cronTimes" },
    ]);
    expect(faultsIn(failure("schedule.timeZone: expected the name"), draft("0 6 * * *"), "")).toEqual([
      { place: "schedule.timeZone", code: "zone" },
    ]);
  });
});
