/**
 * The tally of a run as parts of a picture: one list of numbers, from which bar, tail, equation and statement are drawn.
 *
 * Every row is in exactly one part, so the amounts add up to the rows read, and the shares to 100.00.
 */
import type { Model } from "../api/types";

export type Group = "there" | "open" | "purpose" | "missing";

/** How a part looks; styles/tally.css draws them. */
export type Look =
  | "confirmed"
  | "sent" // under way: ActiveCampaign has it, the outcome is open
  | "planned" // not sent yet
  | "would" // in a preview
  | "duplicate"
  | "rules" // left out by the export's own rules, such as consent
  | "left" // left out here: no usable address, an unreadable row
  | "notSent"
  | "refused"
  | "unconfirmed";

export interface Part {
  look: Look;
  group: Group;
  /** The reason code; null where the look says it all. */
  reason: string | null;
  rows: number;
}

type Tally = Model<"Tally">;
type Reasons = Readonly<Record<string, number>>;

/** How each reason code of the API looks. A code that is not here is of a later release: `lookOf` says where it counts. */
const LOOKS: Readonly<Record<string, Look>> = {
  wrong_field_count: "left",
  not_utf8: "left",
  malformed_quotes: "left",
  unclosed_quote: "left",
  row_too_large: "left",
  date_out_of_range: "left",
  missing_email: "left",
  invalid_email_no_at: "left",
  invalid_email_several: "left",
  invalid_email_not_ascii: "left",
  invalid_email_character: "left",
  invalid_email_local_part: "left",
  invalid_email_domain: "left",
  invalid_email_too_long: "left",
  control_character: "left",
  separator_in_value: "left",
  value_does_not_fit: "left",
  contact_too_large: "left",
  no_consent: "rules",
  duplicate_email: "duplicate",
  refused_by_activecampaign: "refused",
  failed_in_import: "refused",
  unsubscribed: "refused",
  bounced: "refused",
  account_full: "refused",
  address_not_taken: "refused",
  excluded: "refused",
  not_sent: "notSent",
  outcome_unknown: "unconfirmed",
  refused_with_others: "unconfirmed",
  not_confirmed_in_time: "unconfirmed",
  queued_fewer: "unconfirmed",
  import_failed: "unconfirmed",
  list_gone: "unconfirmed",
  field_gone: "unconfirmed",
};
const ORDER: readonly Look[] = [
  "confirmed",
  "sent",
  "planned",
  "would",
  "duplicate",
  "rules",
  "notSent",
  "left",
  "refused",
  "unconfirmed",
];
const GROUP: Record<Look, Group> = {
  confirmed: "there",
  sent: "open",
  planned: "open",
  would: "there",
  duplicate: "purpose",
  rules: "purpose",
  left: "missing",
  notSent: "missing",
  refused: "missing",
  unconfirmed: "missing",
};

/** The parts of a run that is over: confirmed, and each reason of all others. */
export function partsOfTally(tally: Tally): Part[] {
  const parts = part("confirmed", null, tally.confirmed);
  const left = {
    duplicates: tally.duplicates,
    rejected: tally.rejected,
    refused: tally.rejectedByActiveCampaign,
    unconfirmed: tally.unconfirmed,
  };
  for (const [reason, rows] of Object.entries(tally.reasons ?? {})) {
    const look = lookOf(reason, left, rows);
    parts.push(...part(look, reason, rows));
    if (look === "duplicate") left.duplicates -= rows;
    if (look === "left" || look === "rules") left.rejected -= rows;
    if (look === "refused") left.refused -= rows;
    if (look === "unconfirmed" || look === "notSent") left.unconfirmed -= rows;
  }
  // Rows whose reason is not told, so that the sum is right whatever is.
  parts.push(
    ...part("duplicate", null, left.duplicates),
    ...part("left", null, left.rejected),
    ...part("refused", null, left.refused),
    ...part("unconfirmed", null, left.unconfirmed),
  );
  return sorted(parts);
}

/**
 * The parts of a run that is going: what planning set aside is known, the rest is confirmed, sent or to be sent.
 *
 * Of a run that was `canceled` meanwhile, nobody is to be sent any more.
 */
export function partsOfProgress(plan: Model<"PlanView">, progress: Model<"Progress">, canceled = false): Part[] {
  const refused = progress.rejectedByActiveCampaign;
  return sorted([
    ...part("confirmed", null, progress.confirmed),
    ...part("sent", null, progress.sent - progress.confirmed - refused),
    ...part(canceled ? "notSent" : "planned", canceled ? "not_sent" : null, progress.contacts - progress.sent),
    ...part("refused", null, refused),
    ...setAside(plan.duplicates, plan.rejectedByReason),
    ...part("confirmed", null, plan.carried?.confirmed ?? 0),
    ...part("refused", null, plan.carried?.rejectedByActiveCampaign ?? 0),
  ]);
}

/** The parts of a preview: nothing has been sent. */
export function partsOfPreview(contacts: number, duplicates: number, rejected: Reasons): Part[] {
  return sorted([...part("would", null, contacts), ...setAside(duplicates, rejected)]);
}

function setAside(duplicates: number, rejected: Reasons): Part[] {
  const parts = part("duplicate", "duplicate_email", duplicates);
  for (const [reason, rows] of Object.entries(rejected)) parts.push(...part(LOOKS[reason] ?? "left", reason, rows));
  return parts;
}

/** The look of a reason; of one that is not known, that of the first bucket with room for so many rows. */
function lookOf(reason: string, left: { rejected: number; refused: number }, rows: number): Look {
  return LOOKS[reason] ?? (left.rejected >= rows ? "left" : left.refused >= rows ? "refused" : "unconfirmed");
}

/** The group that a reason counts to, or undefined for one of a later release. */
export function groupOf(reason: string): Group | undefined {
  const look = LOOKS[reason];
  return look && GROUP[look];
}

function part(look: Look, reason: string | null, rows: number): Part[] {
  return rows > 0 ? [{ look, group: GROUP[look], reason, rows }] : [];
}

/** Equal parts become one; in the fixed order, the largest first among those that look alike. */
function sorted(parts: Part[]): Part[] {
  const one = new Map<string, Part>();
  for (const each of parts) {
    const key = `${each.look} ${each.reason}`;
    const known = one.get(key);
    one.set(key, known ? { ...known, rows: known.rows + each.rows } : each);
  }
  return [...one.values()].sort((a, b) => ORDER.indexOf(a.look) - ORDER.indexOf(b.look) || b.rows - a.rows);
}

export function sum(parts: readonly Part[]): number {
  return parts.reduce((rows, each) => rows + each.rows, 0);
}

/** Add up the parts that look alike, as the bar and the equation draw them. */
export function byLook(parts: readonly Part[]): { look: Look; rows: number }[] {
  return ORDER.map((look) => ({ look, rows: sum(parts.filter((each) => each.look === look)) })).filter(
    (each) => each.rows > 0,
  );
}

const TAIL_FROM = 0.8;

/**
 * What is drawn again beneath the bar over the whole width: everything that is not there, by reason with a letter.
 *
 * Empty while a run is going (a tail that jumps is noise), and where the rest is large enough to be seen.
 */
export function tailOf(parts: readonly Part[]): { letter: string; part: Part }[] {
  if (parts.some((each) => each.group === "open")) return [];
  const rest = parts.filter((each) => each.group !== "there");
  const all = sum(parts);
  if (!rest.length || !all || 1 - sum(rest) / all <= TAIL_FROM) return [];
  return rest.map((part, index) => ({ letter: letterOf(index), part }));
}

/** a, b … z, aa, ab … */
export function letterOf(index: number): string {
  const letter = String.fromCharCode(97 + (index % 26));
  return index < 26 ? letter : letterOf(Math.floor(index / 26) - 1) + letter;
}

/** Shares in hundredths of a per cent that add up to exactly 10,000, by largest remainder. */
export function shares(rows: readonly number[]): number[] {
  const all = rows.reduce((a, b) => a + b, 0);
  if (!all) return rows.map(() => 0);
  const exact = rows.map((each) => (10_000 * each) / all);
  const whole = exact.map(Math.floor);
  const missing = 10_000 - whole.reduce((a, b) => a + b, 0);
  const order = exact
    .map((value, index) => ({ index, rest: value - Math.floor(value) }))
    .sort((a, b) => b.rest - a.rest || a.index - b.index);
  for (const { index } of order.slice(0, missing)) whole[index] = (whole[index] ?? 0) + 1;
  return whole;
}

/** At most five terms of an equation: then a whole group is one term. */
export function terms(parts: readonly Part[]): { look: Look; group: Group | null; rows: number }[] {
  const looks = byLook(parts);
  if (looks.length <= 5) return looks.map((each) => ({ ...each, group: null }));
  const groups: Group[] = ["there", "open", "purpose", "missing"];
  return groups.flatMap((group) => {
    const within = looks.filter((each) => GROUP[each.look] === group);
    const first = within[0];
    if (!first) return [];
    return [
      { look: first.look, group: within.length > 1 ? group : null, rows: within.reduce((n, each) => n + each.rows, 0) },
    ];
  });
}
