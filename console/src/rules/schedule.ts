/** The schedule of an export: days and a time where its cron is that simple, and what is wrong with what was typed. */
import type { Model } from "../api/types";

export type Schedule = Model<"WithEveryRefresh"> | Model<"AtTimes"> | Model<"OnDemand">;

/** Days of the week at one time. `days`: 1 is Monday, 7 is Sunday; `time`: `HH:MM`, empty while there is none. */
export interface Picked {
  days: number[];
  time: string;
}

export const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];
export const WEEKDAYS = EVERY_DAY.slice(0, 5);
const NAMES = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"];

/** The days and the time that five fields mean; null if they mean anything else, which stays as it was typed. */
export function pickedOf(cron: string): Picked | null {
  const [minute = "", hour = "", day, month, weekday = "", ...more] = cron.trim().toUpperCase().split(/\s+/);
  if (more.length || day !== "*" || month !== "*" || !within(minute, 59) || !within(hour, 23)) return null;
  const days = weekday === "*" ? EVERY_DAY : daysOf(weekday);
  return days && { days, time: `${hour.padStart(2, "0")}:${minute.padStart(2, "0")}` };
}

function within(digits: string, most: number): boolean {
  return /^\d{1,2}$/.test(digits) && Number(digits) <= most;
}

function daysOf(field: string): number[] | null {
  const found = new Set<number>();
  for (const part of field.split(",")) {
    const [first, last, ...more] = part.split("-").map(dayOf);
    if (first == null || last === null || more.length || (last !== undefined && last < first)) return null;
    for (let day = first; day <= (last ?? first); day++) found.add(day || 7);
  }
  return [...found].sort();
}

function dayOf(text: string): number | null {
  if (/^[0-7]$/.test(text)) return Number(text);
  const at = NAMES.indexOf(text);
  return at < 0 ? null : at;
}

/** Five fields for days and a time; fewer, which `cronFault` names, while a part is missing. */
export function cronOf({ days, time }: Picked): string {
  if (!time) return "";
  const [hour, minute] = time.split(":").map(Number);
  return `${minute} ${hour} * * ${weekdayOf(days)}`.trim();
}

function weekdayOf(days: readonly number[]): string {
  const [first = 0, last = 0] = [days[0], days.at(-1)];
  if (days.length === 7) return "*";
  return days.length > 2 && last - first === days.length - 1 ? `${first}-${last}` : days.join(",");
}

/** Whether two choices of days are the same. */
export function same(a: readonly number[], b: readonly number[]): boolean {
  return a.join() === b.join();
}

/** Which sentence says what is wrong with a cron that the API refuses. */
export function cronFault(cron: string): string {
  const fields = cron.trim().split(/\s+/).filter(Boolean);
  if (!fields.length) return "cronTime";
  if (fields.length === 5) return "cronTimes";
  if (fields.length === 6) return "cronSix";
  return /^\d+ \d+ \* \*$/.test(fields.join(" ")) ? "cronDays" : "cronFields";
}

/** The zone of the reader, for a schedule that is new. */
export function ownZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}
