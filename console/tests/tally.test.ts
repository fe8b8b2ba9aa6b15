import { describe, expect, it } from "vitest";
import {
  byLook,
  letterOf,
  partsOfPreview,
  partsOfProgress,
  partsOfTally,
  shares,
  sum,
  tailOf,
  terms,
} from "../src/rules/tally";

const TALLY = {
  rowsRead: 5000,
  confirmed: 4899,
  duplicates: 33,
  rejected: 60,
  rejectedByActiveCampaign: 3,
  unconfirmed: 5,
  reasons: { duplicate_email: 33, email_without_at: 40, no_consent: 20, bounced: 3, not_sent: 4, outcome_unknown: 1 },
};

describe("the parts of a tally", () => {
  it("are every row once, in the order of the bar, the largest reason first", () => {
    const parts = partsOfTally(TALLY);
    expect(sum(parts)).toBe(5000);
    expect(parts.map((each) => [each.look, each.reason, each.rows])).toEqual([
      ["confirmed", null, 4899],
      ["duplicate", "duplicate_email", 33],
      ["rules", "no_consent", 20],
      ["notSent", "not_sent", 4],
      ["left", "email_without_at", 40],
      ["refused", "bounced", 3],
      ["unconfirmed", "outcome_unknown", 1],
    ]);
  });

  it("add up even if a reason is missing or unknown", () => {
    expect(sum(partsOfTally({ ...TALLY, reasons: {} }))).toBe(5000);
    const unknown = partsOfTally({
      ...TALLY,
      reasons: { ...TALLY.reasons, email_without_at: 30, of_a_later_release: 10 },
    });
    expect(sum(unknown)).toBe(5000);
    expect(unknown.find((each) => each.reason === "of_a_later_release")?.look).toBe("left");
  });

  it("of a run that is going are what is known of each contact", () => {
    const plan = {
      rowsRead: 100,
      contacts: 90,
      duplicates: 4,
      rejectedByReason: { email_missing: 6 },
      batches: 1,
      lanes: 1,
      at: "",
    };
    const progress = { contacts: 90, share: 0.5, sent: 60, confirmed: 50, rejectedByActiveCampaign: 1, secondsLeft: 3 };
    const parts = partsOfProgress(plan as never, progress);
    expect(sum(parts)).toBe(100);
    expect(byLook(parts)).toEqual([
      { look: "confirmed", rows: 50 },
      { look: "sent", rows: 9 },
      { look: "planned", rows: 30 },
      { look: "duplicate", rows: 4 },
      { look: "left", rows: 6 },
      { look: "refused", rows: 1 },
    ]);
    expect(tailOf(parts)).toEqual([]);
  });
});

describe("the tail", () => {
  it("is drawn when more than four in five are there, and gives each reason a letter", () => {
    expect(
      tailOf(partsOfTally(TALLY))
        .map((each) => each.letter)
        .join(""),
    ).toBe("abcdef");
    expect(tailOf(partsOfPreview(80, 20, {}))).toEqual([]);
    expect(tailOf(partsOfPreview(81, 19, {}))).toHaveLength(1);
  });

  it("has letters for any number of reasons", () => {
    expect([0, 25, 26, 27, 51, 52].map(letterOf)).toEqual(["a", "z", "aa", "ab", "az", "ba"]);
  });
});

describe("shares", () => {
  it("add up to 100.00 whatever the rows", () => {
    for (const rows of [
      [1, 1, 1],
      [4899, 33, 68],
      [0, 7],
      [999_999, 1],
      [1, 2, 3, 4, 5, 6, 7],
    ]) {
      expect(shares(rows).reduce((a, b) => a + b)).toBe(10_000);
    }
    expect(shares([0, 0])).toEqual([0, 0]);
    expect(shares([4899, 33, 68])).toEqual([9798, 66, 136]);
  });
});

describe("the equation", () => {
  it("has at most five terms", () => {
    expect(terms(partsOfPreview(10, 2, { a: 1 })).map((each) => each.look)).toEqual(["would", "duplicate", "left"]);
    const many = terms(partsOfTally(TALLY));
    expect(many.map((each) => [each.group, each.rows])).toEqual([
      [null, 4899],
      ["purpose", 53],
      ["missing", 48],
    ]);
  });
});
