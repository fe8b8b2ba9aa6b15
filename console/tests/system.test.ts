import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { dayBeside, dayOf, exportOf, inOrder, outcome, startedRun, target } from "../src/rules/audit";
import { isGoing, type Run } from "../src/rules/exports";
import { GOING } from "../src/rules/going";
import * as kept from "../src/rules/retention";
import { RIGHTS, rightsOf } from "../src/rules/rights";

const ROOT = `${import.meta.dirname}/../..`;

describe("an entry of the audit trail", () => {
  it("is about what its path names, or what the call made or showed", () => {
    expect(target({ resource: "/exports/newsletter/runs", location: "/api/runs/r1" })).toEqual({
      of: "export",
      id: "newsletter",
    });
    expect(target({ resource: "(not an id)", location: "/api/segments/a/b%20c" })).toEqual({
      of: "segment",
      id: "a/b c",
    });
    expect(target({ resource: "/connection-tests", location: null })).toEqual({ of: null, id: "" });
    expect(target({ resource: "/runs", location: null }).of).toBeNull();
    expect(target({ resource: "(not an id)", location: "/api/segments/50%" }).id).toBe("50%");
  });

  it("leads to the run that it started", () => {
    expect(startedRun({ location: "/api/runs/newsletter.20261127T100000Z.0f" })).toBe("newsletter.20261127T100000Z.0f");
    expect(startedRun({ location: "/api/segments/runs" })).toBeNull();
    expect(exportOf("newsletter.20261127T100000Z.0f")).toBe("newsletter");
  });

  it("says what came of it", () => {
    expect([200, 202, 409, null].map((status) => outcome({ status }))).toEqual(["done", "done", "refused", "open"]);
  });

  it("stands before older ones, but only where none is missing", () => {
    expect(inOrder([1, 2, 3], true)).toEqual([3, 2, 1]);
    expect(inOrder([1, 2, 3], false)).toEqual([1, 2, 3]);
  });

  it("belongs to a day in UTC", () => {
    expect(dayOf(new Date("2026-11-27T23:30:00-05:00"))).toBe("2026-11-28");
    expect(dayBeside("2026-03-01", -1)).toBe("2026-02-28");
    expect(dayBeside("2026-12-31", 1)).toBe("2027-01-01");
    expect(dayBeside("soon", 1)).toBeNull();
  });
});

describe("a run", () => {
  it("is going until it is over", () => {
    const going = (status: string) => isGoing({ status } as Run);
    expect(GOING.every(going)).toBe(true);
    expect(isGoing(undefined)).toBe(false);
    expect(["successful", "failed", "held", "canceled"].some(going)).toBe(false);
  });
});

describe("what one may do", () => {
  it("is said with the API's reason where one may not", () => {
    const refusal = { operation: "saveConnection", code: "role_missing", message: "Ask.", params: {} };
    const rights = rightsOf({ may: ["listAllRuns"], mayNot: [refusal] });
    expect(rights.find((each) => each.right === "see")).toEqual({ right: "see", may: true, refusal: null });
    expect(rights.find((each) => each.right === "connect")).toEqual({ right: "connect", may: false, refusal });
  });

  it("names operations that the API has", () => {
    const routes = readFileSync(`${ROOT}/exporter/api/routes.py`, "utf8");
    for (const [, operation] of RIGHTS) expect(routes).toContain(`"${operation}"`);
  });
});

describe("how long things are kept", () => {
  it("is what the privacy record says", () => {
    const record = readFileSync(`${ROOT}/docs/reference/privacy.md`, "utf8");
    const row = (of: string) => record.split("\n").find((line) => line.startsWith(`| ${of}`)) ?? "";
    expect(row("container `working`")).toContain(`${kept.WORKING_DAYS} day at most`);
    expect(row("container `rejects`")).toContain(`| ${kept.REJECTS_DAYS} days`);
    expect(row("container `records`")).toContain(`runs ${kept.RUNS_DAYS} days`);
    expect(row("container `audit`")).toContain(`| ${kept.AUDIT_DAYS} days`);
    expect(row("Key Vault")).toContain(`then ${kept.KEY_DAYS} days`);
    expect(row("Log Analytics")).toContain(`| ${kept.LOG_DAYS} days`);
  });
});

describe("what the audit trail records", () => {
  it("has words for every operation that is recorded", () => {
    const page = readFileSync(`${ROOT}/console/src/pages/system.tsx`, "utf8");
    const routes = readFileSync(`${ROOT}/exporter/api/routes.py`, "utf8");
    const all = [...routes.matchAll(/Route\(\s*"(\w+)",\s*"(\w+)"[^)]*?(?:\)|personal_data|unmasked_by)/g)];
    expect(all.length).toBeGreaterThan(30);
    const recorded = all.filter(([found, , method]) => method !== "GET" || /personal_data|unmasked_by/.test(found));
    expect(recorded.length).toBeGreaterThan(20);
    for (const [, operation] of recorded) expect(page).toContain(`did.${operation}"`);
  });
});
