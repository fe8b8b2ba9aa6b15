import { describe, expect, it } from "vitest";
import { recordsOf } from "../src/rules/csv";
import { maskAddress, maskText } from "../src/rules/mask";
import { answerOf, countsOf } from "../src/rules/person";

describe("masking", () => {
  it("leaves the first characters and the ending of the domain", () => {
    expect(maskAddress(" siobhan@news.example.org ")).toBe("s•••@n•••.org");
    expect(maskAddress("m@shop")).toBe("•••@s•••");
    expect(maskAddress("no-at.example")).toBe("n•••");
    expect(maskAddress("a@b@c.org")).toBe("a•••@•••.org");
    expect(maskAddress("@")).toBe("@");
  });
  it("says nothing of a text of one character, nor of how long a text is", () => {
    expect([maskText(""), maskText("7"), maskText("😀🎉"), maskText("x".repeat(200))]).toEqual([
      "",
      "•••",
      "😀•••",
      "x•••",
    ]);
  });
});

describe("CSV", () => {
  it("has commas, quotes and line breaks within quotes", () => {
    expect(recordsOf('\uFEFFa,b\r\n"x, ""y""\nz",2\r\n,\r\n')).toEqual([
      { a: 'x, "y"\nz', b: "2" },
      { a: "", b: "" },
    ]);
    expect(recordsOf("a,b\n1,2")).toEqual([{ a: "1", b: "2" }]);
    expect(recordsOf("a,b\n1,")).toEqual([{ a: "1", b: "" }]);
    expect(recordsOf("")).toEqual([]);
  });
});

describe("where a person stands", () => {
  it("tells apart who was left out on purpose, and why nobody looked", () => {
    expect(answerOf("person_set_aside", {}, true).head).toBe("person.head.onPurpose");
    expect(answerOf("person_set_aside", {}, false).head).toBe("person.head.setAside");
    expect(answerOf("person_not_looked", { case: "failed" }, false).found).toBe("person.notLooked.failed");
    expect(answerOf("person_not_in_segment", { case: "unreadable" }, false).found).toBe(
      "person.notInSegment.unreadable",
    );
  });
  it("counts lists, and exports that give no answer", () => {
    const codes = ["person_confirmed", "person_hidden", "person_not_looked", "person_unknown", "person_no_run"];
    const value = codes.map((code) => ({ code }));
    expect(countsOf({ value, complete: false } as never)).toEqual({ there: 1, all: 5, open: 3 });
  });
});
