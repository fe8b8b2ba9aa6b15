/** The names of the API's models, from its own document. */
import type { components } from "./schema";

type Schemas = components["schemas"];
export type Model<Name extends keyof Schemas> = Schemas[Name];
