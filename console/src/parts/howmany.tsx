/** For how many a run for everybody is, beside the button that starts it, or below; nothing where no number is known. */
import type { HowMany } from "../rules/exports";
import { t } from "../texts";

export function ForHowMany({ known, below }: { known: HowMany | null; below?: boolean }) {
  if (!known) return null;
  const text = t(known.key, { n: known.n });
  return below ? <p class="hint">{text}</p> : <span class="soft small">{text}</span>;
}
