/** Names of those who did something. */
import { t } from ".";

/** Names that the service gives itself are said in the language of the page; those of people as they are. */
export function whoText(name: string): string {
  return name === "schedule" ? t("who.schedule") : name === "function key" ? t("who.key") : name;
}
