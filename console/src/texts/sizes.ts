/** Sizes of files in words. */
import { amount } from ".";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

/** Bytes as the largest unit of which there is at least one; a kilobyte is 1,000 bytes. */
export function size(bytes: number): string {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** step;
  return amount(value, UNITS[step] ?? "byte", step && value < 10 ? 1 : 0, step ? "short" : "long");
}
