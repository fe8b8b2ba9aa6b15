/** Personal data as its shape, for pages that somebody may look at over the reader's shoulder. */

/** `siobhan@news.example.org` as `s•••@n•••.org`; without an @, the first character and what follows the last dot. */
export function maskAddress(address: string): string {
  const text = address.trim();
  const at = text.lastIndexOf("@");
  if (at < 0) return maskText(text);
  const domain = text.slice(at + 1);
  const dot = domain.lastIndexOf(".");
  return `${maskText(text.slice(0, at))}@${dot > 0 ? maskText(domain.slice(0, dot)) + domain.slice(dot) : maskText(domain)}`;
}

/** The first character, and that there is more: nothing of how long it is. */
export function maskText(text: string): string {
  const [first = ""] = text;
  return first && first !== text ? `${first}•••` : first && "•••";
}
