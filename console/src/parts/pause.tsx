/** The pause of an export: its button, and what was not exported because saving or unpausing runs nothing. */

import { useContext, useState } from "preact/hooks";
import { call } from "../api/client";
import type { Model } from "../api/types";
import { useAct } from "../api/use";
import { go, to } from "../router";
import { type Export, type HowMany, howMany, pauseOf } from "../rules/exports";
import { t } from "../texts";
import { type Warning, warningText } from "../texts/problems";
import { Button, Note } from "./controls";
import { FailureNote } from "./failure";
import { ForHowMany } from "./howmany";
import { MeContext, useMay } from "./me";

interface PauseProps {
  each: Export;
  look?: "flat";
  slim?: boolean;
  onDone: (now: Export, etag: string | null) => void;
}

/** Pause or unpause an export, whichever is possible; nothing if neither is. */
export function Pause({ each, look, slim, onDone }: PauseProps) {
  const act = useAct();
  const [left, setLeft] = useState<Warning | null>(null);
  const what = pauseOf(each, useContext(MeContext)?.role === "Admin");
  const may = useMay(what === "unpause" ? "unpauseExport" : "pauseExport");
  if (!what || !may) return null;
  const change = () =>
    act.run(async (still) => {
      const path = `/exports/${encodeURIComponent(each.id)}/${what}`;
      const { value, etag } = await call<Export>(path, { method: "POST" });
      if (!still()) return;
      setLeft(value.warnings?.find(isNotExported) ?? null);
      onDone(value, etag);
    });
  return (
    <>
      <Button
        icon={slim ? undefined : what === "pause" ? "paused" : "run"}
        {...(look && { look })}
        slim={slim ?? false}
        busy={act.busy}
        onClick={change}
      >
        {t(what === "pause" ? "exports.pause" : "exports.unpause")}
      </Button>
      {act.failure && <FailureNote failure={act.failure} />}
      {left && <NotExported id={each.id} warning={left} known={howMany(each)} />}
    </>
  );
}

/** Whether a warning names the refresh that counts as seen. */
export function isNotExported(warning: Warning): boolean {
  return warning.code === "refresh_not_exported";
}

/** The refresh that counts as seen, with the button that exports it all the same. */
export function NotExported({ id, warning, known }: { id: string; warning: Warning; known: HowMany | null }) {
  const act = useAct();
  const may = useMay("startRun");
  const run = () =>
    act.run(async (still) => {
      const path = `/exports/${encodeURIComponent(id)}/runs`;
      const started = await call<Model<"StartedOrTried">>(path, { method: "POST" });
      if (still()) go(to(["runs", started.value.runId]));
    });
  return (
    <>
      <Note
        tone="warn"
        actions={
          may && (
            <>
              <Button busy={act.busy} onClick={run}>
                {t("exports.runIt")}
              </Button>
              <ForHowMany known={known} />
            </>
          )
        }
      >
        <p>{warningText(warning)}</p>
      </Note>
      {act.failure && <FailureNote failure={act.failure} />}
    </>
  );
}
