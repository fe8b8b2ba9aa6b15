/** Which page the address names. Each view has an address that can be sent, reloaded and gone back to. */
import { useEffect, useState } from "preact/hooks";

const BASE = "/api/console";

export interface Place {
  /** Parts of the path below the base: ["exports", "newsletter"]. */
  parts: string[];
  query: URLSearchParams;
}

function placeOf(pathname: string, search: string): Place {
  const rest = pathname.startsWith(BASE) ? pathname.slice(BASE.length) : "";
  return { parts: rest.split("/").filter(Boolean).map(decodeURIComponent), query: new URLSearchParams(search) };
}

/** The parts of the address that the browser shows now. */
export function partsHere(): string[] {
  return placeOf(location.pathname, "").parts;
}

/** The address of a page. Parts may be names of any characters. */
export function to(parts: readonly string[], query: Record<string, string> = {}): string {
  const search = new URLSearchParams(query).toString();
  return BASE + parts.map((part) => `/${encodeURIComponent(part)}`).join("") + (search ? `?${search}` : "");
}

const MOVED = "console:moved";
let unsaved: (() => string | null) | null = null;
/** The address of what is shown; the browser's is already another one when somebody goes back. */
let shown = "";

/** Ask before leaving while `question` returns one; null ends that. */
export function guard(question: (() => string | null) | null): void {
  unsaved = question;
}

export function go(address: string, { replace = false } = {}): void {
  const question = unsaved?.();
  if (question && !confirm(question)) return;
  if (question) unsaved = null;
  history[replace ? "replaceState" : "pushState"](null, "", address);
  dispatchEvent(new Event(MOVED));
}

const address = () => location.pathname + location.search;

function here(): Place {
  shown ||= address();
  return placeOf(location.pathname, location.search);
}

/** The place that the address names now; the component is drawn again when it changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(here);
  useEffect(() => {
    const moved = () => {
      shown = address();
      setPlace(here());
    };
    const back = () => {
      if (address() === shown) return; // a link within the page
      const question = unsaved?.();
      if (question && !confirm(question)) return history.pushState(null, "", shown); // stay
      if (question) unsaved = null;
      moved();
    };
    const leaving = (event: BeforeUnloadEvent) => {
      if (unsaved?.()) event.preventDefault();
    };
    addEventListener("popstate", back);
    addEventListener(MOVED, moved);
    addEventListener("beforeunload", leaving);
    document.addEventListener("click", follow);
    return () => {
      removeEventListener("popstate", back);
      removeEventListener(MOVED, moved);
      removeEventListener("beforeunload", leaving);
      document.removeEventListener("click", follow);
    };
  }, []);
  return place;
}

/** Follow links to pages of the console without loading everything again; all others are the browser's. */
function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
    return;
  const link = (event.target as Element).closest("a");
  if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!link.pathname.startsWith(BASE) || (link.hash && link.pathname === location.pathname)) return;
  event.preventDefault();
  go(link.pathname + link.search);
}
