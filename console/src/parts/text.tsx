/** Texts as elements. */
import type { ComponentChildren } from "preact";
import type { Sentence } from "../rules/run";
import { duration, type Key, t, type Values } from "../texts";

/** A text whose `**marked**` words are strong. */
export function Say({ of, with: values }: { of: Key; with?: Values }) {
  return <>{strong(t(of, values))}</>;
}

export function strong(text: string): ComponentChildren {
  return text.split("**").map((part, index) => (index % 2 ? <strong key={index}>{part}</strong> : part));
}

/** A sentence of the rules in the reader's language. */
export function words({ key, with: values, seconds }: Sentence): string {
  return t(key, { ...values, ...(seconds === undefined ? {} : { duration: duration(seconds) }) });
}

/** Said to screen readers only. */
export function Hidden({ children }: { children: ComponentChildren }) {
  return <span class="vh">{children}</span>;
}
