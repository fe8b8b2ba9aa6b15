import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import en from "../src/texts/en.json";
import id from "../src/texts/id.json";

const sources = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory()
      ? sources(`${folder}/${entry.name}`)
      : /\.tsx?$/.test(entry.name)
        ? [readFileSync(`${folder}/${entry.name}`, "utf8")]
        : [],
  );
const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
const stem = (key: string) => key.replace(/\.(one|other)$/, "");

describe("the texts", () => {
  it("are the same in every language, key by key and placeholder by placeholder", () => {
    expect([...new Set(Object.keys(id).map(stem))].sort()).toEqual([...new Set(Object.keys(en).map(stem))].sort());
    for (const [key, text] of Object.entries(id)) {
      const english = (en as Record<string, string>)[key] ?? (en as Record<string, string>)[`${stem(key)}.other`] ?? "";
      expect([key, placeholders(text)]).toEqual([key, placeholders(english)]);
    }
  });

  it("have a plural for every number", () => {
    for (const key of Object.keys(en).filter((each) => each.endsWith(".one")))
      expect(Object.keys(en)).toContain(`${stem(key)}.other`);
    expect(Object.keys(id).filter((each) => each.endsWith(".one"))).toEqual([]); // Indonesian has one form
  });

  it("are all used", () => {
    const code = sources(`${import.meta.dirname}/../src`).join("\n");
    const made = /^(reason|problem|warning|value|notice|held|fault|type)\./; // keys made at run time from the API's codes
    const unused = [...new Set(Object.keys(en).map(stem))].filter(
      (key) => !made.test(key) && !code.includes(`"${key}"`),
    );
    expect(unused).toEqual([]);
  });
});

describe("what people see", () => {
  it("comes from the texts: no words between tags in the code", () => {
    for (const code of sources(`${import.meta.dirname}/../src`)) {
      const words = [...code.matchAll(/>\s*([A-Z][a-z]+(?: [a-z]+)+)[^<>{}()=;]*</g)].map((match) => match[1]);
      expect(words).toEqual([]);
    }
  });
});
