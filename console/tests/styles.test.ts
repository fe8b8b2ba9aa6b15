import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const FOLDER = `${import.meta.dirname}/../src/styles`;
const FRAME = new Set(["tokens.css", "page.css", "controls.css", "tables.css", "tally.css"]);
const plain = (css: string) =>
  css.replace(/\/\*[\s\S]*?\*\//g, "").replace(/@[^{]+\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}/g, "");
const classes = (css: string) =>
  new Set(
    [...plain(css).matchAll(/([^{}]+)\{/g)].flatMap(([, heads = ""]) => heads.split(",").map((head) => head.trim())),
  );

describe("the styles of pages", () => {
  it("say nothing about a class that another page uses for something else", () => {
    const seen = new Map<string, string>();
    for (const file of readdirSync(FOLDER).filter((name) => !FRAME.has(name))) {
      for (const head of classes(readFileSync(`${FOLDER}/${file}`, "utf8"))) {
        if (!/^\.[a-z0-9-]+$/i.test(head)) continue;
        expect([head, seen.get(head)]).toEqual([head, undefined]);
        seen.set(head, file);
      }
    }
  });
});
