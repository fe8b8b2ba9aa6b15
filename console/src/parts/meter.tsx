/** A share as a thin bar beside its number; the number says it, so it is hidden from screen readers. */
import { grow } from "./controls";

export function Meter({ share, wide }: { share: number; wide?: boolean }) {
  return (
    <span class={wide ? "meter wide" : "meter"} aria-hidden="true">
      <i ref={grow(share)} />
      {share < 1 && <i class="rest" ref={grow(1 - share)} />}
    </span>
  );
}
