/** What a connection is while somebody defines it, and which of the steps have been done. */
import type { Model } from "../api/types";
import { hostOf } from "./connections";

type Connection = Model<"ConnectionView">;

export interface Draft {
  displayName: string;
  usableBy: Model<"UsableBy">;
  host: string;
  /** Only what is typed now: a stored key cannot be read. */
  apiKey: string;
  /** In place of a key, where the app stores none: the secret that holds it. Only what is typed now. */
  secretName: string;
  agreed: boolean;
}

export function draftOf(saved: Connection | null): Draft {
  return {
    displayName: saved?.displayName ?? "",
    usableBy: saved?.usableBy ?? "administrators", // as in the API, and in Customer Insights
    host: saved?.host ?? "",
    apiKey: "",
    secretName: "",
    agreed: false,
  };
}

/** Whether the key that is stored and the consent that was given hold for the host of the draft. */
export function sameAccount(draft: Draft, saved: Connection | null): boolean {
  return saved !== null && saved.host === hostOf(draft.host);
}

/** What the API takes for the name of a secret: the vault may hold others, which are never sent to anybody. */
export const SECRET_PREFIXES = ["activecampaign-", "connection-"] as const;

export function isSecretName(name: string): boolean {
  return /^[0-9A-Za-z-]{1,127}$/.test(name) && SECRET_PREFIXES.some((each) => name.startsWith(each));
}

/** The key that is given now, or the secret that holds one; null: none, or one that cannot be taken. */
function keyOf(draft: Draft, saved: Connection | null): { apiKey: string } | { secretName: string } | null {
  const [apiKey, secretName] = [draft.apiKey.trim(), draft.secretName.trim()];
  if (apiKey) return { apiKey };
  const known = sameAccount(draft, saved) && secretName === saved?.secretName; // as stored, which nobody need say
  return secretName && isSecretName(secretName) && !known ? { secretName } : null;
}

/** Whether a name is typed that is none of a secret for a key. */
export function isOtherName(draft: Draft, saved: Connection | null): boolean {
  const name = draft.secretName.trim();
  return name !== "" && !isSecretName(name) && !(sameAccount(draft, saved) && name === saved?.secretName);
}

/** What "Connect" asks about: a host with a key, a saved connection, or null where something is still missing. */
export function testOf(draft: Draft, saved: Connection | null): Partial<Model<"ConnectionTestBody">> | null {
  const [host, key] = [hostOf(draft.host), keyOf(draft, saved)];
  if (isOtherName(draft, saved)) return null;
  if (host && key) return { host, ...key };
  return saved && sameAccount(draft, saved) ? { connectionId: saved.id } : null;
}

/** What PUT takes. A stored key stays where none is sent; consent is of the host it was given for. */
export function bodyOf(draft: Draft, saved: Connection | null): Partial<Model<"ConnectionBody">> {
  const same = sameAccount(draft, saved);
  return {
    displayName: draft.displayName.trim(),
    host: hostOf(draft.host),
    usableBy: draft.usableBy,
    consent: (same && saved?.consent) || draft.agreed,
    ...keyOf(draft, saved),
  };
}

export function changed(draft: Draft, saved: Connection | null): boolean {
  return JSON.stringify({ ...draft, host: hostOf(draft.host) }) !== JSON.stringify(draftOf(saved));
}

export type Missing = "name" | "host" | "key" | "consent" | "test" | "refused" | "nothing";

/** Why it cannot be saved yet, the first step first; null if it can. `test`: of the host and key as they are now. */
export function missing(draft: Draft, saved: Connection | null, test: "ok" | "refused" | null): Missing | null {
  const same = sameAccount(draft, saved);
  if (!draft.displayName.trim()) return "name";
  if (!hostOf(draft.host)) return "host";
  const key = keyOf(draft, saved);
  if ((!same && !key) || isOtherName(draft, saved)) return "key";
  if (!same && !draft.agreed) return "consent";
  if (test === "refused") return "refused";
  if (test === null && (!same || key)) return "test";
  return saved && !changed(draft, saved) ? "nothing" : null;
}

/** The members in which what somebody else saved meanwhile differs from what is typed. */
export function differing(draft: Draft, saved: Connection): ("displayName" | "usableBy" | "host")[] {
  const theirs = draftOf(saved);
  const mine = { ...draft, host: hostOf(draft.host), displayName: draft.displayName.trim() };
  return (["displayName", "usableBy", "host"] as const).filter((member) => mine[member] !== theirs[member]);
}
