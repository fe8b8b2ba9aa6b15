/** Data of the API as state of a component: loaded, reloaded, watched. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { type Answer, call, Failure } from "./client";

export interface Loaded<T> {
  /** The newest answer; it stays while a newer one is fetched, or cannot be. */
  data: T | null;
  etag: string | null;
  failure: Failure | null;
  busy: boolean;
  reload: () => void;
  /** Show what an operation has just answered, without asking again. */
  put: (value: T, etag?: string | null) => void;
}

/** How long until the next look, in milliseconds, given the newest answer; null: no more looks. */
export type Watch<T> = (data: T | null, looks: number) => number | null;

/** GET a path (null: nothing yet), again on `reload`, and as often as `watch` says while the tab is visible. */
export function useLoaded<T>(path: string | null, watch?: Watch<T>): Loaded<T> {
  type State = { path: string | null; answer: Answer<T> | null; failure: Failure | null; busy: boolean };
  const [state, setState] = useState<State>({
    path,
    answer: null,
    failure: null,
    busy: path !== null,
  });
  const [turn, setTurn] = useState(0);
  const kept = useRef<{ path: string | null; answer: Answer<T> | null }>({ path: null, answer: null });
  const watching = useRef(watch);
  watching.current = watch;

  useEffect(() => {
    if (kept.current.path !== path) {
      kept.current = { path, answer: null };
      setState({ path, answer: null, failure: null, busy: path !== null });
    }
    if (path === null) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let looks = 0;
    let due: number | null = Date.now(); // when to look next; null: no more looks, or one is going on
    const plan = () => {
      clearTimeout(timer);
      if (due !== null && !document.hidden) timer = setTimeout(look, Math.max(0, due - Date.now()));
    };
    const later = (failure: Failure | null) => {
      const wait = watching.current?.(kept.current.answer?.value ?? null, looks) ?? null;
      const told = failure?.retryAfterS ? 1000 * failure.retryAfterS : null; // as StaleBanner says
      if ((wait === null && told === null) || stop.signal.aborted || failure?.signedOut) return;
      due = Date.now() + Math.max(wait ?? 0, told ?? 0);
      plan();
    };
    const look = async () => {
      due = null;
      looks += 1;
      const asked = kept.current; // another one by the time of the answer: what was put is newer than that
      setState((s) => ({ ...s, busy: true }));
      try {
        const answer = await call<T>(path, { ifNoneMatch: asked.answer?.etag ?? null, signal: stop.signal });
        if (answer.status !== 304) asked.answer = answer;
        setState({ path, answer: kept.current.answer, failure: null, busy: false });
        later(null);
      } catch (error) {
        if (stop.signal.aborted) return;
        const failure = error instanceof Failure ? error : new Failure("no_answer", 0);
        setState({ path, answer: kept.current.answer, failure, busy: false });
        later(failure);
      }
    };
    document.addEventListener("visibilitychange", plan);
    if (!document.hidden) void look();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", plan);
    };
  }, [path, turn]);

  const reload = useCallback(() => setTurn((n) => n + 1), []);
  const put = useCallback(
    (value: T, etag: string | null = null) => {
      const answer = { value, etag, status: 200 };
      kept.current = { path, answer };
      setState({ path, answer, failure: null, busy: false });
    },
    [path],
  );
  const mine = state.path === path; // until the effect has run, it is what another path answered
  return {
    data: mine ? (state.answer?.value ?? null) : null,
    etag: mine ? (state.answer?.etag ?? null) : null,
    failure: mine ? state.failure : null,
    busy: mine ? state.busy : path !== null,
    reload,
    put,
  };
}

export interface Act {
  /** Whether it is going on: the button waits, and says so. */
  busy: boolean;
  failure: Failure | null;
  /** Do it once; resolves to whether it worked. `still` says whether the page on which it began is still shown. */
  run: (work: (still: () => boolean) => Promise<void>) => Promise<boolean>;
  clear: () => void;
}

/** Something that a button does: at most once at a time, and what went wrong stays readable. */
export function useAct(): Act {
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<Failure | null>(null);
  const going = useRef(false);
  const shown = useRef(true);
  useEffect(() => {
    shown.current = true;
    return () => {
      shown.current = false;
    };
  }, []);
  const run = useCallback(async (work: (still: () => boolean) => Promise<void>) => {
    if (going.current) return false;
    going.current = true;
    setBusy(true);
    setFailure(null);
    try {
      await work(() => shown.current);
      return true;
    } catch (error) {
      setFailure(error instanceof Failure ? error : new Failure("no_answer", 0));
      if (!(error instanceof Failure)) console.error(error);
      return false;
    } finally {
      going.current = false;
      setBusy(false);
    }
  }, []);
  return { busy, failure, run, clear: useCallback(() => setFailure(null), []) };
}
