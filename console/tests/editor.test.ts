import { describe, expect, it } from "vitest";
import {
  addresses,
  changedMembers,
  changesPeople,
  choosable,
  type Draft,
  definitionOf,
  differences,
  emptyDraft,
  faultsIn,
  faultsOf,
  ignoredIn,
  isSettled,
  lineCount,
  lineOf,
  patterns,
  READING,
  readingOf,
  saysReading,
  suggestions,
  take,
  withSuggestion,
} from "../src/rules/editor";
import problems from "../src/texts/problems.id.json";

const draft = (more = {}): Draft => ({
  ...emptyDraft(),
  displayName: "Newsletter",
  connectionId: "main",
  listId: 1,
  segments: ["people"],
  dataMatching: {
    email: "EMail",
    firstName: "First",
    fields: [
      { column: "Born", field: "%BIRTHDAY%" },
      { column: "Tier", field: "LOYALTY_TIER" },
    ],
  } as Draft["dataMatching"],
  ...more,
});
const field = (id: number, title: string, tag: string) => ({ id, title, tag, type: "text", options: [], lists: [0] });

describe("an answer of GET", () => {
  it("can be sent back: what the service adds is left out, what this page does not know stays", () => {
    const view = { ...draft(), id: "x", version: 3, state: "active", lastRun: {}, holdout: 5 } as unknown as Draft;
    expect(definitionOf(view)).toEqual({ ...draft(), holdout: 5 });
  });
});

describe("what differs", () => {
  it("is told line by line; absent, null, empty and false are the same", () => {
    const other = draft({ listId: 2, runAutomations: undefined, ignore: [], consentColumn: null });
    expect(differences(draft(), other)).toEqual(["listId"]);
    expect(differences(draft(), draft())).toEqual([]);
  });

  it("names columns and fields one by one, however a field is written", () => {
    const other = draft();
    other.dataMatching.firstName = null;
    other.dataMatching.fields = [
      { column: "Birth", field: "birthday" } as never,
      { column: "City", field: "CITY" } as never,
    ];
    expect(differences(draft(), other)).toEqual([
      "match.firstName",
      "field.BIRTHDAY",
      "field.LOYALTY_TIER",
      "field.CITY",
    ]);
    expect(lineCount(draft(), other)).toBe(11);
  });

  it("can be taken one by one from the other side, removals too", () => {
    const mine = draft({ listId: 2, displayName: "Mine", guards: { mayBeEmpty: true } });
    mine.dataMatching.fields = [{ column: "City", field: "CITY" } as never];
    const all = differences(draft(), mine);
    expect(differences(take(draft(), mine, all), mine)).toEqual([]);
    const some = take(draft(), mine, ["listId", "field.CITY", "guards.mayBeEmpty"]);
    expect(some.displayName).toBe("Newsletter");
    expect([some.listId, lineOf(some, "guards.mayBeEmpty"), some.dataMatching.fields?.length]).toEqual([2, true, 3]);
  });
});

describe("what keeps it from being saved", () => {
  it("is named before the API is asked", () => {
    expect(faultsOf(emptyDraft(), "").map((fault) => fault.place)).toEqual([
      "connectionId",
      "displayName",
      "id",
      "listId",
      "segments",
      "match.email",
    ]);
    expect(faultsOf(draft(), null)).toEqual([]);
    const consent = draft({ consentColumn: { column: "Yes", condition: "equals", value: "" } });
    expect(faultsOf(consent, null)).toEqual([{ place: "consentColumn", code: "consent" }]);
  });

  it("is shown where the API means it", () => {
    const refused = (code: string, params = {}, members: string[] = []) =>
      faultsIn({ code, params, members }, draft(), "said").map((fault) => fault.place);
    expect(refused("list_not_email", { listId: 3 })).toEqual(["listId"]);
    expect(refused("field_not_found", { field: "birthday" })).toEqual(["field.BIRTHDAY"]);
    expect(refused("column_missing", { column: "First" })).toEqual(["match.firstName"]);
    expect(refused("column_missing", { column: "Tier" })).toEqual(["field.LOYALTY_TIER"]);
    expect(refused("email_column_missing", { column: "EMail" })).toEqual(["match.email"]);
    expect(refused("invalid_body", {}, ["listId: too small", "dataMatching.fields.1.separator: too long"])).toEqual([
      "listId",
      "field.LOYALTY_TIER",
    ]);
    expect(refused("key_vault_forbidden")).toEqual([]);
  });
});

describe("what a segment suggests", () => {
  const empty = emptyDraft().dataMatching;
  const first = { email: "EMail", firstName: "First", lastName: "Last", phone: null };

  it("takes the place of what the one before suggested, and never of what was chosen by hand", () => {
    const filled = withSuggestion(empty, first, new Set());
    expect(filled).toMatchObject(first);
    const mine = { ...filled, firstName: "Nick", lastName: null };
    const byHand = new Set(changedMembers(filled, mine));
    expect([...byHand]).toEqual(["firstName", "lastName"]);
    const other = { email: "mail", firstName: "given", lastName: "family", phone: "phone" };
    expect(withSuggestion(mine, other, byHand)).toEqual({ ...mine, email: "mail", phone: "phone" });
    expect(withSuggestion(mine, {}, byHand)).toEqual({ ...mine, email: "", phone: null });
  });

  it("leaves in the list what is chosen, also if no segment has it", () => {
    expect(choosable(["a", "b"], "b")).toEqual(["a", "b"]);
    expect(choosable(["a", "b"], "c")).toEqual(["c", "a", "b"]);
    for (const none of ["", null, undefined]) expect(choosable(["a"], none)).toEqual(["a"]);
  });
});

describe("whose rows are sent", () => {
  it("changes with segments, files, consent and addresses, and with nothing else", () => {
    for (const line of ["segments", "files", "ignore", "encoding", "consentColumn", "match.email", "match.winner"])
      expect([line, changesPeople(["displayName", line])]).toEqual([line, true]);
    expect(changesPeople(["displayName", "listId", "schedule", "match.firstName", "field.CITY"])).toBe(false);
  });
});

describe("how files are read", () => {
  const told = (key: string) => {
    const [code = "", rest] = key.split("@", 1)[0]?.split(".") ?? [];
    return { code, params: (rest ? { case: rest } : {}) as Record<string, string> };
  };

  it("is set where every sentence says that names a setting of it, and no other sentence leads there", () => {
    for (const [key, sentence] of Object.entries(problems.sentences)) {
      const named = READING.filter((each) => sentence.includes(`(${each})`));
      const place = readingOf(told(key));
      expect([key, place ? named.includes(place) : named.length === 0]).toEqual([key, true]);
    }
  });

  it("is said by a definition that differs from what every new one has", () => {
    expect(saysReading(draft({ files: null, ignore: [], completeWhen: null, encoding: null }))).toBe(false);
    for (const one of [
      { files: "all" },
      { ignore: ["old_*"] },
      { completeWhen: { minutes: 30 } },
      { encoding: "utf-16" },
    ])
      expect(saysReading(draft(one))).toBe(true);
  });

  it("is judged by the limits of the API before it is asked", () => {
    const faults = (more: object) => faultsOf(draft(more), null).map((fault) => [fault.place, fault.code]);
    const lines = (n: number, of = "x") => Array.from({ length: n }, (_, at) => of + at);
    expect(faults({ ignore: lines(20), completeWhen: { minutes: 1440 }, encoding: "windows-1252" })).toEqual([]);
    expect(faults({ ignore: ["x".repeat(128)], completeWhen: { marker: "_SUCCESS" } })).toEqual([]);
    expect(faults({ ignore: lines(21) })).toEqual([["ignore", "ignore"]]);
    expect(faults({ ignore: ["x".repeat(129)] })).toEqual([["ignore", "ignore"]]);
    for (const minutes of [null, 0, 1.5, 1441])
      expect(faults({ completeWhen: { minutes } })).toEqual([["completeWhen", "minutes"]]);
    for (const marker of ["", " ", "a/b", "x".repeat(129)])
      expect(faults({ completeWhen: { marker } })).toEqual([["completeWhen", "marker"]]);
    for (const encoding of ["latin 1", "x".repeat(33)])
      expect(faults({ encoding })).toEqual([["encoding", "encoding"]]);
  });

  it("is where faults of the API land", () => {
    const refused = (code: string, params = {}, members: string[] = []) =>
      faultsIn({ code, params, members }, draft(), "said").map(({ place, also }) => (also ? [place, also] : place));
    expect(refused("files_ambiguous", { folder: "a/", files: 3 })).toEqual(["files"]);
    expect(refused("files_ambiguous", { case: "kinds", folder: "a/" })).toEqual(["ignore"]);
    expect(refused("encoding_unknown", { encoding: "latin-99" })).toEqual(["encoding"]);
    expect(refused("mapping_fits_no_row", { case: "encoding", column: "EMail" })).toEqual(["encoding"]);
    expect(refused("mapping_fits_no_row", { column: "EMail" })).toEqual(["match.email"]);
    expect(refused("refresh_in_flight", { case: "no_marker", marker: "a/_SUCCESS" })).toEqual(["completeWhen"]);
    expect(refused("refresh_in_flight", { case: "job" })).toEqual([]);
    expect(refused("column_missing_in_file", { column: "First", file: "a.csv" })).toEqual([
      ["match.firstName", "ignore"],
    ]);
    expect(
      refused("invalid_body", {}, ["ignore.0: too long", "ignore.3: too long", "completeWhen.minutes: too large"]),
    ).toEqual(["ignore", "completeWhen"]);
  });

  it("settles what is warned of a segment by who does not know the draft", () => {
    const date = { code: "files_ambiguous", params: { files: 2 } };
    const kinds = { code: "files_ambiguous", params: { case: "kinds" } };
    const smaller = { code: "newest_is_smaller", params: {} };
    expect([date, kinds, smaller].map((each) => isSettled(each, draft()))).toEqual([false, false, false]);
    expect([date, kinds, smaller].map((each) => isSettled(each, draft({ files: "newest" })))).toEqual([
      true,
      false,
      false,
    ]);
    expect([date, kinds, smaller].map((each) => isSettled(each, draft({ files: "all" })))).toEqual([true, true, true]);
    const foreign = { code: "files_not_utf8", params: {} };
    expect([draft(), draft({ encoding: "windows-1252" })].map((each) => isSettled(foreign, each))).toEqual([
      false,
      true,
    ]);
  });

  it("leaves out as many files as the preview says", () => {
    const left = (why: string, files: number) => ({ code: "files_left_out", params: { why, files, segment: "a" } });
    const warnings = [left("ignored", 2), left("older", 5), left("ignored", 1)];
    expect(ignoredIn(warnings, draft({ ignore: ["old_*"] }))).toBe(3);
    expect(ignoredIn([], draft({ ignore: ["old_*"] }))).toBe(0);
    expect(ignoredIn(warnings, draft())).toBeNull();
    expect(patterns(" old_*\n\na, b;c.csv \n")).toEqual(["old_*", "a, b;c.csv"]);
  });
});

describe("suggestions", () => {
  it("are the API's, and columns named as a field that nothing fills", () => {
    const fields = [field(1, "Birthday", "BIRTHDAY"), field(6, "City", "CITY"), field(7, "Customer ID", "CUSTOMER_ID")];
    const columns = ["EMail", "City", "CustomerId", "Telephone"];
    const found = suggestions(draft(), { email: "EMail", phone: "Telephone" }, columns, fields);
    expect(found.map((each) => [each.member ?? each.field?.tag, each.column])).toEqual([
      ["phone", "Telephone"],
      ["CITY", "City"],
      ["CUSTOMER_ID", "CustomerId"],
    ]);
  });
});

describe("addresses", () => {
  it("are one per line or otherwise parted, each once", () => {
    expect(addresses(" a@x.org\nb@x.org, a@x.org;c@x.org\n\n")).toEqual(["a@x.org", "b@x.org", "c@x.org"]);
  });
});
