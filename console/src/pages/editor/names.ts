/** What the lines of an export are called, and their values in words. */
import type { Model } from "../../api/types";
import { type Draft, fieldKey, type Match } from "../../rules/editor";
import { EVERY_DAY, pickedOf, type Schedule, same, WEEKDAYS } from "../../rules/schedule";
import { dayName, type Key, list, number, percent, t } from "../../texts";

const LINE: Record<string, Key> = {
  connectionId: "editor.connection",
  displayName: "editor.name",
  id: "exports.id",
  listId: "editor.list",
  segments: "editor.segments",
  files: "editor.files",
  ignore: "editor.ignore",
  completeWhen: "editor.complete",
  encoding: "editor.encoding",
  schedule: "editor.schedule",
  "schedule.cron": "editor.schedule.cron",
  "schedule.timeZone": "editor.schedule.zone",
  runAutomations: "editor.automations",
  consentColumn: "editor.consent",
  maxContacts: "editor.maxContacts",
  allowOverContactLimit: "editor.overLimit",
  skipUnchanged: "editor.skipUnchanged",
  "match.email": "editor.email",
  "match.firstName": "editor.firstName",
  "match.lastName": "editor.lastName",
  "match.phone": "editor.phone",
  "match.winner": "editor.winner",
  "match.fillEmpty": "editor.fillEmpty",
  "match.timeZone": "editor.timeZone",
  "match.noValueTexts": "editor.noValueTexts",
  "guards.mayBeEmpty": "editor.mayBeEmpty",
  "guards.sizeFactor": "editor.sizeFactor",
  "guards.maxRejectShare": "editor.rejectShare",
};

type Fields = readonly Model<"FieldView">[];

/** The custom field that a match fills; undefined while the fields are not known, or if there is none. */
export function fieldOf(match: Pick<Match, "field">, fields: Fields): Model<"FieldView"> | undefined {
  const key = fieldKey(match.field);
  return fields.find((each) => fieldKey(each.tag) === key || String(each.id) === key);
}

export function lineName(line: string, fields: Fields): string {
  if (line.startsWith("field.")) {
    const field = line.slice("field.".length);
    return fieldOf({ field }, fields)?.title ?? field;
  }
  const key = LINE[line];
  return key ? t(key) : line;
}

/** A segment without the folders that all of them lie in. */
export function segmentName(name: string): string {
  return name.split("/").pop() || name;
}

interface Known {
  lists: readonly Model<"ListView">[];
  connections: readonly Model<"ConnectionView">[];
}

/** The value of a line in words, as short as a table cell. */
export function valueText(line: string, value: unknown, { lists, connections }: Known): string {
  if (value === undefined || value === null || value === "" || (Array.isArray(value) && !value.length))
    return t("editor.nothing");
  if (line === "connectionId") return connections.find((each) => each.id === value)?.displayName ?? String(value);
  if (line === "listId") {
    const found = lists.find((each) => each.id === value);
    return found ? `${value} ${found.name}` : String(value);
  }
  if (line === "files") return t(value === "newest" ? "editor.files.newest" : "editor.files.all");
  if (line === "completeWhen") {
    const { marker, minutes } = value as NonNullable<Draft["completeWhen"]>;
    return marker ?? t("editor.complete.after", { n: minutes ?? 0 });
  }
  if (line === "schedule") return scheduleText(value as Schedule);
  if (line === "segments") return list((value as string[]).map(segmentName));
  if (line === "guards.maxRejectShare") return percent(value as number);
  if (line === "consentColumn") return consentText(value as NonNullable<Draft["consentColumn"]>);
  if (line.startsWith("field.")) {
    const { field: _, column, ...rest } = value as Match;
    const more = Object.entries(rest).filter(([, each]) => each && String(each) && each !== ";" && each !== "leaveOut");
    return [column || t("editor.nothing"), ...more.map(([name, each]) => `${name}: ${plainText(each)}`)].join(", ");
  }
  return plainText(value);
}

/** When it runs by itself, as short as a table cell: days and a time where it is that simple, else the cron. */
function scheduleText(schedule: Schedule): string {
  if (schedule.kind === "none") return t("editor.schedule.demand");
  if (schedule.kind === "withEveryRefresh") return t("editor.schedule.refresh");
  if (schedule.cron == null) return t("editor.schedule.app");
  const picked = pickedOf(schedule.cron);
  if (!picked) return `${schedule.cron} (${schedule.timeZone})`;
  const days = same(picked.days, EVERY_DAY)
    ? t("editor.schedule.days.every")
    : same(picked.days, WEEKDAYS)
      ? t("editor.schedule.days.weekdays")
      : list(picked.days.map((day) => dayName(day, "long")));
  return `${days}, ${picked.time} (${schedule.timeZone})`;
}

function plainText(value: unknown): string {
  if (typeof value === "boolean") return t(value ? "editor.yes" : "editor.no");
  if (typeof value === "number") return number(value);
  return typeof value === "string"
    ? value
    : Array.isArray(value)
      ? value.join(", ")
      : Object.values(value as object).join(", ");
}

function consentText({ column, condition, value }: NonNullable<Draft["consentColumn"]>): string {
  const key =
    condition === "isNot"
      ? "editor.consent.isNot"
      : condition === "isEmpty"
        ? "editor.consent.isEmpty"
        : "editor.consent.equals";
  return [column, t(key), condition === "isEmpty" ? "" : value].filter(Boolean).join(" ");
}
