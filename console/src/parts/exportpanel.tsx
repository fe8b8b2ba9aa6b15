/** The panel of one export: its last run in numbers, when it runs next, and what can be done with it. */
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { call } from "../api/client";
import { useAct } from "../api/use";
import { nextText, StateWords, Why } from "../pages/exports";
import { go, to } from "../router";
import { drawn, type Export, freeId, howMany, isGoing, isId, pausedOnDemand } from "../rules/exports";
import { byLook } from "../rules/tally";
import { number, t } from "../texts";
import { problemText } from "../texts/problems";
import { Button, Panel, TextField } from "./controls";
import { FailureNote } from "./failure";
import { ForHowMany } from "./howmany";
import { Icon, type IconName } from "./icons";
import { useMay } from "./me";
import { Pause } from "./pause";
import { Bar, LOOK_TEXT, Swatch } from "./tally";

/** What something else says: when it runs next, or its state. */
const TOLD: ReadonlySet<string> = new Set(["waits_time", "waits_run", "waits_on_demand"]);

type Asked = "copy" | "detach" | "remove";

interface PanelProps {
  each: Export;
  /** All exports: a duplicate cannot have the id of any, and one may know how many rows the segment has. */
  all: readonly Export[];
  onClose: () => void;
  onChanged: () => void;
}

export function ExportPanel({ each, all, onClose, onChanged }: PanelProps) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const act = useAct();
  const may = {
    edit: useMay("saveExport"),
    run: useMay("startRun"),
    preview: useMay("previewDefinition"),
    copy: useMay("duplicateExport"),
    detach: useMay("detachExport"),
    remove: useMay("removeExport"),
  };
  const picture = drawn(each);
  const path = `/exports/${encodeURIComponent(each.id)}`;
  const post = (what: string) =>
    act.run(async () => {
      await call(`${path}/${what}`, { method: "POST" });
      onChanged();
    });
  const ask = (what: Asked) => setAsked(asked === what ? null : what);
  const link = (icon: IconName, address: string, text: string) => (
    <a class="btn flat" href={address}>
      <Icon name={icon} />
      {text}
    </a>
  );
  const edit = to(["exports", each.id, "edit"]);
  return (
    <Panel title={each.displayName} onClose={onClose}>
      <p>
        <StateWords each={each} />
      </p>
      <Why each={each} />
      {picture && picture.parts.length > 0 && (
        <>
          <Bar parts={picture.parts} />
          <table class="small amounts">
            <caption class="vh">{t("exports.th.last")}</caption>
            <tbody>
              {byLook(picture.parts).map(({ look, rows }) => (
                <tr key={look}>
                  <th scope="row">
                    <Swatch look={look} /> {t(LOOK_TEXT[look])}
                  </th>
                  <td class="num">{number(rows)}</td>
                </tr>
              ))}
            </tbody>
            <tfoot>
              <tr>
                <th scope="row">{t(picture.going ? "exports.people" : "exports.rows")}</th>
                <td class="num b">{number(picture.of)}</td>
              </tr>
            </tfoot>
          </table>
        </>
      )}
      <section>
        <h3>{t("exports.th.next")}</h3>
        <p class="soft">
          {each.notNow?.code !== "waits_refresh" && `${nextText(each)}.`}
          {each.notNow && !TOLD.has(each.notNow.code) && each.state !== "paused" && (
            <> {problemText(each.notNow.code, each.notNow.params, "waiting", each.notNow.message)}</>
          )}
        </p>
      </section>
      <section class="list">
        <h3 class="vh">{t("exports.actions")}</h3>
        {act.failure && <FailureNote failure={act.failure} />}
        {each.lastRun && link("system", to(["runs", each.lastRun.runId]), t("exports.openRun"))}
        {link("edit", edit, t(may.edit ? "exports.edit" : "exports.view"))}
        {may.run && each.state !== "noConnection" && (
          <Button icon="run" look="flat" busy={act.busy} disabled={isGoing(each.lastRun)} onClick={() => post("runs")}>
            {t("exports.run")}
          </Button>
        )}
        {may.run && isGoing(each.lastRun) && <p class="hint">{t("exports.run.going")}</p>}
        {may.run && each.state !== "noConnection" && !isGoing(each.lastRun) && (
          <ForHowMany known={howMany(each, all)} below />
        )}
        {may.preview &&
          each.state !== "noConnection" &&
          link("eye", to(["exports", each.id, "edit"], { preview: "1" }), t("exports.preview"))}
        <Pause each={each} look="flat" onDone={onChanged} />
        {pausedOnDemand(each) && <p class="hint">{t("exports.pause.onDemand")}</p>}
        {may.copy && (
          <Button icon="copy" look="flat" expanded={asked === "copy"} onClick={() => ask("copy")}>
            {t("exports.copy")}
          </Button>
        )}
        {asked === "copy" && <Copy each={each} taken={new Set(all.map((one) => one.id))} />}
        {may.detach && each.state !== "noConnection" && (
          <Button icon="detach" look="flat" expanded={asked === "detach"} onClick={() => ask("detach")}>
            {t("exports.detach")}
          </Button>
        )}
        {asked === "detach" && (
          <Sure what={t("exports.detach.what")} onKeep={() => setAsked(null)}>
            <Button busy={act.busy} onClick={async () => (await post("detach")) && setAsked(null)}>
              {t("exports.detach.go")}
            </Button>
          </Sure>
        )}
        {may.remove && (
          <Button icon="remove" look="flat" expanded={asked === "remove"} onClick={() => ask("remove")}>
            {t("exports.remove")}
          </Button>
        )}
        {asked === "remove" && (
          <Sure what={t("exports.remove.what", { name: each.displayName })} onKeep={() => setAsked(null)}>
            <Button
              look="danger"
              busy={act.busy}
              onClick={() =>
                act.run(async () => {
                  const { etag } = await call(path); // the newest, since it is removed whatever it says
                  await call(path, { method: "DELETE", ifMatch: etag });
                  onClose();
                  onChanged();
                })
              }
            >
              {t("exports.remove.go")}
            </Button>
          </Sure>
        )}
      </section>
    </Panel>
  );
}

/** What would follow, with the button that does it and one that leaves all as it is. */
function Sure({ what, onKeep, children }: { what: string; onKeep: () => void; children: ComponentChildren }) {
  return (
    <div class="asked">
      <p>{what}</p>
      <div class="acts gap">
        {children}
        <Button look="flat" onClick={onKeep}>
          {t("keep")}
        </Button>
      </div>
    </div>
  );
}

function Copy({ each, taken }: { each: Export; taken: ReadonlySet<string> }) {
  const [name, setName] = useState(t("exports.copy.name", { name: each.displayName }).slice(0, 200));
  const [id, setId] = useState<string | null>(null);
  const act = useAct();
  const wanted = id ?? freeId(name, taken);
  const wrong = isId(wanted) ? (taken.has(wanted) ? t("exports.id.taken") : null) : t("exports.id.form");
  return (
    <form
      class="asked"
      onSubmit={(event) => {
        event.preventDefault();
        void act.run(async (still) => {
          const body = { id: wanted, displayName: name.trim() };
          await call(`/exports/${encodeURIComponent(each.id)}/duplicate`, { method: "POST", body });
          if (still()) go(to(["exports", wanted, "edit"]));
        });
      }}
    >
      <TextField label={t("exports.copy.label")} value={name} onValue={setName} />
      <TextField label={t("exports.id")} value={wanted} onValue={setId} error={wrong} />
      {act.failure && <FailureNote failure={act.failure} />}
      <div class="acts gap">
        <Button look="go" submit busy={act.busy} disabled={Boolean(wrong) || !name.trim()}>
          {t("exports.copy.go")}
        </Button>
      </div>
    </form>
  );
}
