import { read } from "../src/texts";

await read("en");
