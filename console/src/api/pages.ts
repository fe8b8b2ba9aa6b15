/** Lists that the API answers page by page. */
import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { call, Failure, type Page, pathAfter } from "./client";

export interface Pages<T> {
  /** What has been loaded; null before the first answer. It stays while it is loaded again, or cannot be. */
  items: T[] | null;
  /** Whether there is more than that. */
  more: boolean;
  failure: Failure | null;
  busy: boolean;
  loadMore: () => void;
  reload: () => void;
}

/** GET the first `pages` pages of a list (null: nothing yet), and later ones on demand. */
export function usePages<T>(path: string | null, pages = 1): Pages<T> {
  type State = { path: string | null; items: T[] | null; next: string | null; failure: Failure | null; busy: boolean };
  const [state, setState] = useState<State>({ path, items: null, next: null, failure: null, busy: path !== null });
  const [turn, setTurn] = useState(0);
  const stop = useRef(new AbortController());
  const again = useRef<() => void>(() => undefined);

  const load = useCallback(async (from: string, before: T[], count: number, whose: string) => {
    const { signal } = stop.current;
    again.current = () => void load(from, before, count, whose);
    setState((s) => ({
      ...(s.path === whose ? s : { items: null, next: null }),
      path: whose,
      failure: null,
      busy: true,
    }));
    let [items, next]: [T[], string | null] = [before, from];
    try {
      for (let page = 0; page < count && next; page++) {
        const { value }: { value: Page<T> } = await call<Page<T>>(next, { signal });
        items = [...items, ...value.value];
        next = pathAfter(value);
      }
      setState({ path: whose, items, next, failure: null, busy: false });
    } catch (error) {
      if (signal.aborted) return;
      const failure = error instanceof Failure ? error : new Failure("no_answer", 0);
      setState((s) => ({ ...s, failure, busy: false }));
    }
  }, []);

  useEffect(() => {
    if (path === null) return;
    stop.current = new AbortController();
    void load(path, [], pages, path);
    return () => stop.current.abort();
  }, [path, turn, pages, load]);

  useEffect(() => {
    const waitS = state.failure?.retryAfterS;
    if (!waitS || state.path !== path) return;
    const timer = setTimeout(() => again.current(), 1000 * waitS); // as StaleBanner says
    return () => clearTimeout(timer);
  }, [state.failure, state.path, path]);

  const mine = state.path === path;
  return {
    items: mine ? state.items : null,
    more: mine && state.next !== null,
    failure: mine ? state.failure : null,
    busy: state.busy,
    loadMore: () => {
      if (state.next && path && !state.busy) void load(state.next, state.items ?? [], pages, path);
    },
    reload: useCallback(() => setTurn((n) => n + 1), []),
  };
}
