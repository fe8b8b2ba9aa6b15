/** Who is signed in, for whatever a page offers to some only. The API decides; the page merely does not offer. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Model } from "../api/types";

export const MeContext = createContext<Model<"Me"> | null>(null);

/** Whether the person may call this operation of the API. */
export function useMay(operation: string): boolean {
  return useContext(MeContext)?.may.includes(operation) ?? false;
}
