/** How one is signed in. With a function key, it lives in this tab's session storage, and nowhere else. */

const STORED = "function-key";

/** "key": a function key is typed once. "entra": the platform signs people in, with a session cookie. */
export const signIn = document.documentElement.dataset.signIn === "entra" ? "entra" : "key";

export function functionKey(): string | null {
  return sessionStorage.getItem(STORED);
}

export function keep(key: string): void {
  sessionStorage.setItem(STORED, key);
}

export function forget(): void {
  sessionStorage.removeItem(STORED);
}

/** Take the key from a link's fragment, which no server sees, and remove it from the address and the history. */
export function takeKeyFromAddress(): void {
  const key = new URLSearchParams(location.hash.slice(1)).get("key");
  if (key === null) return;
  if (key && signIn === "key") keep(key);
  history.replaceState(null, "", location.pathname + location.search);
}

/** Where Microsoft Entra signs in; afterwards, the page that was open comes back. */
export function signInAddress(): string {
  return `/.auth/login/aad?post_login_redirect_uri=${encodeURIComponent(location.pathname + location.search)}`;
}

export const SIGN_OUT_ADDRESS = "/.auth/logout?post_logout_redirect_uri=/api/console";
