import { render } from "preact";
import { takeKeyFromAddress } from "./api/session";
import { App } from "./app";
import { loadTexts } from "./texts";
import "./styles/tokens.css";
import "./styles/page.css";
import "./styles/controls.css";
import "./styles/tables.css";
import "./styles/tally.css";
import "./styles/admin.css";
import "./styles/exports.css";

takeKeyFromAddress();
await loadTexts();
render(<App />, document.body);
