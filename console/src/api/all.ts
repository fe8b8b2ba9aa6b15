/** Collections whole: the first page may be watched, those after it are fetched behind it. */
import { useEffect, useState } from "preact/hooks";
import { call, type Page, pathAfter } from "./client";

/** All of a collection of the API, page by page. Throws `Failure`. */
export async function all<T>(path: string): Promise<T[]> {
  const found: T[] = [];
  for (let next: string | null = path; next; ) {
    const { value: page }: { value: Page<T> } = await call<Page<T>>(next);
    found.push(...page.value);
    next = pathAfter(page);
  }
  return found;
}

/** What comes after a first page; empty while it is not there yet, or cannot be fetched. */
export function useRest<T>(first: Page<T> | null): T[] {
  const [rest, setRest] = useState<T[]>([]);
  const next = pathAfter(first);
  useEffect(() => {
    let wanted = true;
    if (next)
      all<T>(next).then(
        (found) => wanted && setRest(found),
        () => undefined,
      );
    else setRest([]);
    return () => {
      wanted = false;
    };
  }, [first, next]);
  return rest;
}
