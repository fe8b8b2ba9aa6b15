/** From what is said of the form to the place of the form that it means. */
import type { ComponentChildren } from "preact";
import { readingOf, type Told } from "../../rules/editor";
import { t } from "../../texts";
import { lineName } from "./names";

/** Show a place and move the focus to it: its control, or in a group the choice that holds now. */
function goTo(place: string) {
  const found = document.getElementById(place);
  for (let fold = found?.closest("details"); fold; fold = fold.parentElement?.closest("details")) fold.open = true;
  const control = found?.matches("fieldset") ? (found.querySelector<HTMLElement>("input:checked") ?? found) : found;
  control?.scrollIntoView({ block: "center" });
  control?.focus();
}

/** A link to a place of the form. */
export function PlaceLink({ place, children }: { place: string; children: ComponentChildren }) {
  return (
    <a
      href={`#${place}`}
      onClick={(event) => {
        event.preventDefault();
        goTo(place);
      }}
    >
      {children}
    </a>
  );
}

/** Behind a problem or a warning: the way to the setting that it says to change, if that is how files are read. */
export function ReadingLink({ told }: { told: Told }) {
  const place = readingOf(told);
  return place && <PlaceLink place={place}>{t("editor.reading.to", { name: lineName(place, []) })}</PlaceLink>;
}
