/** Calls of the public API. Whatever goes wrong is a `Failure`, which says it in the words of the API where it can. */
import { forget, functionKey } from "./session";

export type Params = Record<string, string | number>;

/** Why a call gave no result. `code` is the API's; the page's own are `no_answer`, `signed_out`, `too_many_requests`. */
export class Failure extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly detail: string = "",
    readonly params: Params = {},
    readonly retryAfterS: number | null = null,
    readonly members: readonly string[] = [],
  ) {
    super(code);
  }

  get signedOut(): boolean {
    return this.code === "signed_out";
  }
}

export interface Answer<T> {
  value: T;
  etag: string | null;
  status: number;
}

export interface Sent {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  /** The ETag of what is replaced; "*" or absent as the API says. */
  ifMatch?: string | null;
  ifNoneMatch?: string | null;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
}

/** A page of a collection. */
export interface Page<T> {
  value: T[];
  nextLink?: string | null;
}

/** The path of the page after this one; null: there is none. */
export function pathAfter(page: Pick<Page<unknown>, "nextLink"> | null): string | null {
  return page?.nextLink?.replace(/^\/api/, "") ?? null;
}

const PATIENCE_MS = 120_000; // above the longest answer of the API, a preview of a million rows

/** Send one request and return its answer. Throws `Failure`. A 304 has the value `undefined`. */
export async function call<T>(path: string, sent: Sent = {}): Promise<Answer<T>> {
  const response = await send(path, sent);
  const etag = response.headers.get("ETag");
  if (response.status === 304 || response.status === 204) {
    return { value: undefined as T, etag, status: response.status };
  }
  const body = await json(response);
  if (response.ok) return { value: body as T, etag, status: response.status };
  throw failure(response, body);
}

/** Fetch a file of text, such as the values that do not fit, to show some of it. Throws `Failure`. */
export async function fetchText(path: string, signal?: AbortSignal): Promise<string> {
  return (await file(path, signal)).text();
}

/** Fetch a file, such as the rejects as CSV, and hand it to the browser as a download. Throws `Failure`. */
export async function download(path: string, name: string): Promise<void> {
  const response = await file(path);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function file(path: string, signal?: AbortSignal): Promise<Response> {
  const response = await send(path, { signal }, "text/csv");
  if (!response.ok) throw failure(response, await json(response));
  return response;
}

async function send(path: string, sent: Sent, accept = "application/json"): Promise<Response> {
  const key = functionKey();
  const headers: Record<string, string> = { Accept: accept, "X-Requested-By": "console", ...sent.headers };
  if (key) headers["x-functions-key"] = key;
  if (sent.ifMatch) headers["If-Match"] = sent.ifMatch;
  if (sent.ifNoneMatch) headers["If-None-Match"] = sent.ifNoneMatch;
  if (sent.body !== undefined) headers["Content-Type"] = "application/json";
  const signals = [AbortSignal.timeout(PATIENCE_MS), ...(sent.signal ? [sent.signal] : [])];
  let response: Response;
  try {
    response = await fetch(`/api${path}`, {
      method: sent.method ?? "GET",
      headers,
      ...(sent.body === undefined ? {} : { body: JSON.stringify(sent.body) }),
      signal: AbortSignal.any(signals),
      redirect: "manual", // to a page for signing in, that is
      cache: "no-store",
    });
  } catch (error) {
    if (sent.signal?.aborted) throw error;
    throw new Failure("no_answer", 0);
  }
  if (response.type === "opaqueredirect" || response.status === 401) {
    forget();
    throw new Failure("signed_out", 401);
  }
  return response;
}

async function json(response: Response): Promise<unknown> {
  try {
    return await response.json();
  } catch {
    throw response.ok ? new Failure("signed_out", 401) : failure(response, {});
  }
}

function failure(response: Response, body: unknown): Failure {
  const said = (body ?? {}) as { code?: string; detail?: string; params?: Params; members?: string[] };
  const wait = Number(response.headers.get("Retry-After"));
  const code = said.code ?? (response.status === 429 ? "too_many_requests" : "no_answer");
  return new Failure(code, response.status, said.detail, said.params, wait > 0 ? wait : null, said.members);
}
