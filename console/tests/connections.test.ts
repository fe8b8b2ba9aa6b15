import { describe, expect, it } from "vitest";
import type { Model } from "../src/api/types";
import { freshId, hostOf, known, usersOf } from "../src/rules/connections";
import { bodyOf, changed, differing, draftOf, isOtherName, missing, sameAccount, testOf } from "../src/rules/wizard";

type Export = Model<"ExportView">;
const at = (minute: number) => `2026-11-27T10:${String(minute).padStart(2, "0")}:00.000Z`;
const connection = {
  id: "main",
  displayName: "Our ActiveCampaign",
  host: "demo.api-us1.com",
  usableBy: "contributors",
  consent: { agreedBy: "Dewi", agreedUtc: at(0) },
  updatedUtc: at(0),
} as Model<"ConnectionView">;
const user = (id: string, rest: object = {}) => ({ id, displayName: id, connectionId: "main", ...rest }) as Export;

describe("what is known of a connection", () => {
  it("is the newest of save, run and test", () => {
    const worked = user("a", { lastSuccess: { runId: "a", endedUtc: at(5), rowsRead: 1, confirmed: 1 } });
    const waits = user("b", { lastRun: { status: "waiting", waiting: { code: "credentials_refused", since: at(9) } } });
    expect(known(connection, [], undefined)).toEqual({ look: "saved", at: at(0) });
    expect(known(connection, [worked], undefined)).toEqual({ look: "used", at: at(5) });
    expect(known(connection, [worked, waits], undefined)).toEqual({ look: "refused", at: at(9) });
    expect(known(connection, [worked, waits], { at: at(12), code: null })).toEqual({ look: "tested", at: at(12) });
    expect(known(connection, [], { at: at(12), code: "activecampaign_unreachable" }).look).toBe("failed");
  });

  it("does not come from runs that wait for something else, nor from other connections", () => {
    const busy = user("a", { lastRun: { status: "waiting", waiting: { code: "rate_limited", since: at(9) } } });
    const other = user("b", { connectionId: "b", lastSuccess: { endedUtc: at(9) } });
    expect(known(connection, [busy, other], undefined).look).toBe("saved");
  });

  it("is nothing for those who see its name only", () => {
    expect(known({ ...connection, updatedUtc: null }, [], undefined)).toEqual({ look: "unknown", at: null });
  });

  it("begins with the exports that run now", () => {
    const going = user("z", { lastRun: { status: "running" } });
    expect(usersOf("main", [user("a"), going, user("c", { connectionId: null })]).map((each) => each.id)).toEqual([
      "z",
      "a",
    ]);
  });
});

describe("the id of a new connection", () => {
  it.each([
    ["Our ActiveCampaign", [], "our-activecampaign"],
    ["Für Köln & Ürümqi", [], "fur-koln-urumqi"],
    ["🎉", [], "connection"],
    ["Brand B", ["brand-b", "brand-b-2"], "brand-b-3"],
    ["<img src=x onerror=alert(1)>", [], "img-src-x-onerror-alert-1"],
  ])("of %s is one that the API takes", (name, taken, id) => {
    expect(freshId(name, taken)).toBe(id);
    expect(id).toMatch(/^[a-z0-9](-?[a-z0-9]){0,62}$/);
  });

  it("has at most 63 characters", () => {
    const long = "a b".repeat(80);
    for (const taken of [[], [freshId(long, [])]]) expect(freshId(long, taken)).toMatch(/^[a-z0-9](-?[a-z0-9]){0,62}$/);
  });
});

describe("the steps", () => {
  const filled = { ...draftOf(null), displayName: "New", host: "https://Demo.api-us1.com/", apiKey: "k", agreed: true };

  it("say what is missing, the first first", () => {
    expect(missing(draftOf(null), null, null)).toBe("name");
    expect(missing({ ...filled, host: " " }, null, null)).toBe("host");
    expect(missing({ ...filled, apiKey: "" }, null, null)).toBe("key");
    expect(missing({ ...filled, agreed: false }, null, null)).toBe("consent");
    expect(missing(filled, null, null)).toBe("test");
    expect(missing(filled, null, "refused")).toBe("refused");
    expect(missing(filled, null, "ok")).toBeNull();
  });

  it("ask for less where the account stays", () => {
    const draft = draftOf(connection);
    expect(missing(draft, connection, null)).toBe("nothing");
    expect(missing({ ...draft, displayName: "Other" }, connection, null)).toBeNull();
    expect(missing({ ...draft, apiKey: "new" }, connection, null)).toBe("test");
    expect(missing({ ...draft, host: "other.api-us1.com" }, connection, null)).toBe("key");
    expect(missing({ ...draft, host: "other.api-us1.com", apiKey: "k" }, connection, "ok")).toBe("consent");
  });

  it("never try a stored key on another host, and keep the consent of its own host only", () => {
    const draft = draftOf(connection);
    expect(testOf(draft, connection)).toEqual({ connectionId: "main" });
    expect(testOf({ ...draft, host: "other.api-us1.com" }, connection)).toBeNull();
    expect(testOf(filled, null)).toEqual({ host: "demo.api-us1.com", apiKey: "k" });
    expect(bodyOf(draft, connection)).toEqual({
      displayName: "Our ActiveCampaign",
      host: "demo.api-us1.com",
      usableBy: "contributors",
      consent: connection.consent,
    });
    expect(bodyOf({ ...draft, host: "other.api-us1.com", agreed: true }, connection).consent).toBe(true);
    expect(sameAccount({ ...draft, host: " HTTPS://demo.api-us1.com/ " }, connection)).toBe(true);
    expect(hostOf("https://a.api-us1.com")).toBe("a.api-us1.com");
  });

  it("name a secret in place of a key, where the app stores none", () => {
    const named = { ...filled, apiKey: "", secretName: " activecampaign-main " };
    const secretName = "activecampaign-main";
    expect(testOf(named, null)).toEqual({ host: "demo.api-us1.com", secretName });
    expect(bodyOf(named, null)).toMatchObject({ secretName });
    expect(bodyOf(named, null)).not.toHaveProperty("apiKey");
    expect([missing(named, null, null), missing(named, null, "ok")]).toEqual(["test", null]);
    for (const other of ["mailing", "activecampaign-a b", `connection-${"x".repeat(117)}`]) {
      const typed = { ...named, secretName: other };
      expect([isOtherName(typed, null), testOf(typed, null), missing(typed, null, null)]).toEqual([true, null, "key"]);
    }
    const saved = { ...connection, secretName: "mailing" }; // of an earlier release
    const same = { ...draftOf(saved), secretName: "mailing" };
    expect([isOtherName(same, saved), testOf(same, saved)]).toEqual([false, { connectionId: "main" }]);
    expect(bodyOf(same, saved)).not.toHaveProperty("secretName");
    expect(testOf({ ...same, secretName }, saved)).toEqual({ host: "demo.api-us1.com", secretName });
    expect(missing({ ...same, secretName }, saved, null)).toBe("test");
  });

  it("know what was changed, and what somebody else changed", () => {
    const draft = draftOf(connection);
    expect(changed(draft, connection)).toBe(false);
    expect(changed({ ...draft, apiKey: "k" }, connection)).toBe(true);
    expect(differing({ ...draft, displayName: "Mine " }, { ...connection, usableBy: "administrators" })).toEqual([
      "displayName",
      "usableBy",
    ]);
  });
});
