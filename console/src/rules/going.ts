/** Which statuses of a run are not over yet. */
import type { Model } from "../api/types";

type Status = Model<"RunStatus">;

export const GOING = ["queued", "planning", "waiting", "running", "canceling"] as const satisfies readonly Status[];
