import { describe, expect, it } from "vitest";
import { when } from "../src/texts";
import en from "../src/texts/en.json";
import id from "../src/texts/id.json";
import { problemText, type Sentences, sentenceOf, takeSentences } from "../src/texts/problems";
import { fieldType } from "../src/texts/types";

const TYPES = "text textarea hidden date datetime dropdown radio checkbox listbox multiselect number currency".split(
  " ",
);

const TEXTS: Sentences = {
  sentences: {
    plain: "List {listId} of {host}: {contacts} people.",
    "cased.first": "First.",
    "timed@ended": "Over.",
    timed: "Going. {tryAgain}",
    shares: "{share:.1%} of {rows:,}, {factor:g} times.",
    worded: "Asked for {asked}.",
    path: "GET /exports/{{id}}/runs{list}.",
  },
  phrases: { tryAgain: { preview: "p", waiting: "w", ended: "e", answered: "Again in {retryAfterS:.0f} s." } },
  words: { asked: { list: "the list {listId}" } },
};
const made = (code: string, params = {}, situation: "ended" | "answered" = "answered") =>
  sentenceOf(TEXTS, code, params, situation);

describe("a sentence", () => {
  it("is filled with its parameters; ids stay as they are", () => {
    expect(made("plain", { listId: 12345, host: "a.api-us1.com", contacts: 12345 })).toBe(
      "List 12345 of a.api-us1.com: 12,345 people.",
    );
    expect(made("shares", { share: 0.1234, rows: 5000, factor: 2.5 })).toBe("12.3% of 5,000, 2.5 times.");
  });

  it("fits the case and the situation", () => {
    expect(made("cased", { case: "first" })).toBe("First.");
    expect(made("timed", {}, "ended")).toBe("Over.");
    expect(made("timed", { retryAfterS: 29.6 })).toBe("Going. Again in 30 s.");
  });

  it("names things in words", () => {
    expect(made("worded", { asked: "list", listId: 3 })).toBe("Asked for the list 3.");
    expect(made("worded", { asked: "something else" })).toBe("Asked for something else.");
  });

  it("shows doubled braces as single ones, and no parameter in them", () => {
    expect(made("path", { list: "?top=3" })).toBe("GET /exports/{id}/runs?top=3.");
    expect(made("path", { list: "{{x}}", id: "no" })).toBe("GET /exports/{id}/runs{{x}}.");
  });

  it("is the API's where there is no text, or a parameter is missing", () => {
    expect(made("unknown")).toBeNull();
    expect(made("cased")).toBeNull();
    expect(made("plain", { listId: 1 })).toBeNull();
  });
});

describe("the type of a field", () => {
  it("is named by the texts; one that they do not know stays as it is", () => {
    const texts: Sentences = { sentences: { fit: "{field} ({type})" }, phrases: {}, words: {} };
    const said = (type: string) => sentenceOf(texts, "fit", { field: "Tier", type }, "ended");
    expect(said("datetime")).toBe("Tier (date and time)");
    expect(said("hologram")).toBe("Tier (hologram)");
    expect(fieldType("hologram")).toBe("hologram");
  });

  it("has a name in every language", () => {
    for (const type of TYPES) expect([type, `type.${type}` in en, `type.${type}` in id]).toEqual([type, true, true]);
  });
});

describe("why values do not fit", () => {
  const params = { column: "Tier", reasons: "not_an_option: 4899, not_a_date: 2" };
  const words = "Not an option of this field: 4,899, No date with a year of four digits: 2";

  it("is said in words, also in the API's own sentence", () => {
    expect(problemText("fits", params, "preview", `Column Tier (${params.reasons}).`)).toBe(`Column Tier (${words}).`);
    takeSentences({ sentences: { fits: "Kolom {column} ({reasons})." }, phrases: {}, words: {} });
    expect(problemText("fits", params, "preview")).toBe(`Kolom Tier (${words}).`);
    takeSentences(null);
  });

  it("keeps a code that has no words", () => {
    expect(problemText("fits", { reasons: "new_code: 1" }, "preview", "x (new_code: 1)")).toBe("x (new_code: 1)");
  });
});

describe("times and names in a sentence", () => {
  const since = "2026-11-20T06:00:00.000Z";
  const params = { by: "function key", since };
  const message = `function key has paused it, on ${since}.`;

  it("are written for the reader, in the API's own sentence too", () => {
    expect(problemText("waits_paused", params, "answered", message)).toBe(
      `Function key has paused it, on ${when(since)}.`,
    );
    expect(when(since)).not.toContain("T06");
    takeSentences({ sentences: { waits_paused: "{by}, {since}" }, phrases: {}, words: {} });
    expect(problemText("waits_paused", params, "answered", message)).toBe(`Function key, ${when(since)}`);
    takeSentences(null);
  });

  it("are not looked for in what is no time, or the name of somebody", () => {
    expect(problemText("x", { by: "grace", file: "2026-11-20" }, "answered", "grace: 2026-11-20")).toBe(
      "grace: 2026-11-20",
    );
  });
});
