/** The system: whether it can work, what is going on, who did what on a day, what is kept how long. */
import { useContext } from "preact/hooks";
import { usePages } from "../api/pages";
import type { Model } from "../api/types";
import { type Loaded, useLoaded } from "../api/use";
import { Main } from "../app";
import { Button, Skeleton } from "../parts/controls";
import { FailureNote, failureText, StaleBanner } from "../parts/failure";
import { Icon, type IconName } from "../parts/icons";
import { MeContext, useMay } from "../parts/me";
import { go, to } from "../router";
import { dayBeside, dayOf, exportOf, inOrder, outcome, startedRun, target } from "../rules/audit";
import { known } from "../rules/connections";
import { GOING } from "../rules/going";
import * as kept from "../rules/retention";
import { type Right, rightsOf } from "../rules/rights";
import { parted } from "../rules/segments";
import { ago, clock, type Key, list, percent, recently, t } from "../texts";
import { whoText } from "../texts/people";
import { problemText } from "../texts/problems";

type Connection = Model<"ConnectionView">;
type Export = Model<"ExportView">;
type Run = Model<"ListedRun">;
type Entry = Model<"AuditEntry">;

const GOING_EVERY_MS = 10_000;

export function SystemPage({ query }: { query: URLSearchParams }) {
  const me = useContext(MeContext);
  const health = useLoaded<Model<"Health">>("/health");
  const document = useLoaded<{ info: { version: string } }>("/openapi.json");
  const going = useLoaded<{ value: Run[] }>(
    `/runs?top=50&${GOING.map((each) => `status=${each}`).join("&")}`,
    () => GOING_EVERY_MS,
  );
  const exports = usePages<Export>("/exports", Number.POSITIVE_INFINITY);
  const connections = usePages<Connection>(useMay("listConnections") ? "/connections" : null, Number.POSITIVE_INFINITY);
  const mayAudit = useMay("listAuditEntries");
  const reload = () => {
    for (const each of [health, going, exports, connections]) each.reload();
  };
  const parts = partsOf(health, going, exports, connections);
  const wrong = parts.filter((each) => each.look !== "ok" && each.look !== "open");
  return (
    <Main title={t("nav.system")}>
      {going.failure && going.data && <StaleBanner failure={going.failure} onAgain={reload} />}
      <div class="head">
        <div>
          <h1>{t("nav.system")}</h1>
        </div>
        <div class="acts">
          <Button icon="reload" busy={health.busy || going.busy} onClick={reload}>
            {t("reload")}
          </Button>
        </div>
      </div>
      {parts.some((each) => each.look === "open") ? (
        <Skeleton lines={2} />
      ) : (
        <p class="say" role="status">
          {t(wrong.some((each) => each.look === "bad") ? "system.say.bad" : "system.say.ok")}{" "}
          {wrong.length > 0 && (
            <span class="soft">
              {t("system.say.look", { n: wrong.length, names: list(wrong.map((each) => each.name)) })}
            </span>
          )}
        </p>
      )}
      <Parts parts={parts} />
      <Going runs={going.data?.value ?? null} failure={going.failure} />
      {mayAudit ? (
        <Audit
          day={query.get("day") ?? dayOf(new Date())}
          exports={exports.items ?? []}
          connections={connections.items ?? []}
        />
      ) : (
        <section>
          <h2>{t("system.audit")}</h2>
          <p>{t("system.audit.notYours")}</p>
        </section>
      )}
      <Retention />
      {me && <Rights me={me} />}
      <section>
        <h2>{t("system.version")}</h2>
        <p>
          {document.data ? t("system.version.is", { version: document.data.info.version }) : "…"}{" "}
          {t("system.version.api")}
        </p>
      </section>
    </Main>
  );
}

interface Part {
  id: string;
  name: string;
  look: "ok" | "warn" | "bad" | "open";
  state: string;
  note: string;
}

/** What an export needs, each with what is known of it from answers that are there anyway. */
function partsOf(
  health: Loaded<Model<"Health">>,
  going: Loaded<{ value: Run[] }>,
  exports: ReturnType<typeof usePages<Export>>,
  connections: ReturnType<typeof usePages<Connection>>,
): Part[] {
  const open = { look: "open", state: t("system.looking"), note: "" } as const;
  const service: Omit<Part, "id" | "name"> = health.data
    ? health.data.status === "ok"
      ? { look: "ok", state: t("system.answers"), note: t("system.service.ok") }
      : { look: "bad", state: t("system.unusable"), note: t("note.code", { code: health.data.code ?? "" }) }
    : health.failure
      ? { look: "bad", state: t("system.unusable"), note: failureText(health.failure) }
      : open;
  const storage: Omit<Part, "id" | "name"> = going.failure
    ? { look: "bad", state: t("system.answersNot"), note: failureText(going.failure) }
    : going.data
      ? { look: "ok", state: t("system.answers"), note: t("system.storage.ok") }
      : open;
  const waiting = going.data?.value.filter((each) => each.waiting) ?? [];
  return [
    { id: "service", name: t("system.service"), ...service },
    { id: "storage", name: t("system.storage"), ...storage },
    ...(connections.items ?? []).map((each): Part => {
      const { look, at } = known(each, exports.items ?? [], undefined);
      const when = at ? recently(at) : "";
      return {
        id: `connection-${each.id}`,
        name: each.displayName,
        look: look === "refused" ? "bad" : "ok",
        state: t(look === "refused" ? "system.refused" : look === "unknown" ? "system.notTested" : "system.worked"),
        note:
          look === "refused"
            ? t("connections.refused", { when })
            : look === "unknown"
              ? ""
              : t(look === "used" ? "connections.used" : "connections.saved", { when }),
      };
    }),
    ...(waiting.length
      ? [
          {
            id: "waiting",
            name: t("system.waiting"),
            look: "warn" as const,
            state: t("system.waiting.n", { n: waiting.length }),
            note: list([
              ...new Set(
                waiting.map(({ waiting: w }) => (w ? problemText(w.code, w.params, "waiting", w.message) : "")),
              ),
            ]),
          },
        ]
      : []),
  ];
}

const PART_LOOK: Record<Part["look"], [tone: string, icon: IconName]> = {
  ok: ["ok", "done"],
  warn: ["warn", "warning"],
  bad: ["bad", "failed"],
  open: ["off", "waiting"],
};

function Parts({ parts }: { parts: readonly Part[] }) {
  return (
    <section>
      <h2>{t("system.health")}</h2>
      <table class="stack health">
        <caption class="vh">{t("system.health")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("system.th.part")}</th>
            <th scope="col">{t("admin.th.state")}</th>
            <th scope="col">{t("system.th.note")}</th>
          </tr>
        </thead>
        <tbody>
          {parts.map(({ id, name, look, state, note }) => {
            const [tone, icon] = PART_LOOK[look];
            return (
              <tr key={id}>
                <th scope="row" class="wrap">
                  {id.startsWith("connection-") ? (
                    <a href={to(["connections"], { open: id.slice("connection-".length) })}>{name}</a>
                  ) : (
                    name
                  )}
                </th>
                <td data-l={t("admin.th.state")}>
                  <span class={`st ${tone}`}>
                    <Icon name={icon} />
                    <span class="plain">{state}</span>
                  </span>
                </td>
                <td data-l={t("system.th.note")} class="wrap">
                  {note}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}

const STATUS: Partial<Record<Model<"RunStatus">, Key>> = {
  queued: "system.run.queued",
  planning: "system.run.planning",
  waiting: "system.run.waiting",
  running: "system.run.running",
  canceling: "system.run.canceling",
};

function Going({ runs, failure }: { runs: readonly Run[] | null; failure: Loaded<unknown>["failure"] }) {
  return (
    <section>
      <h2>{t("system.going")}</h2>
      {runs === null ? (
        failure ? (
          <FailureNote failure={failure} />
        ) : (
          <Skeleton />
        )
      ) : runs.length === 0 ? (
        <p>{t("system.going.none")}</p>
      ) : (
        <table class="stack going">
          <caption class="vh">{t("system.going")}</caption>
          <thead>
            <tr>
              <th scope="col">{t("system.th.export")}</th>
              <th scope="col">{t("admin.th.state")}</th>
              <th scope="col">{t("system.th.who")}</th>
              <th scope="col">{t("system.th.since")}</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <tr key={run.runId}>
                <th scope="row" class="wrap">
                  <a class="name" href={to(["runs", run.runId])}>
                    {run.displayName ?? run.exportId}
                  </a>
                </th>
                <td data-l={t("admin.th.state")}>
                  <div>
                    <span class={run.waiting ? "st warn" : "st run"}>
                      <Icon name={run.waiting ? "waiting" : "run"} />
                      <span class="plain">
                        {t(STATUS[run.status] ?? "system.run.running")}
                        {run.progress && `, ${percent(run.progress.share)}`}
                      </span>
                    </span>
                    {run.progress && (
                      <small>{t("system.run.known", { n: run.progress.confirmed, of: run.progress.contacts })}</small>
                    )}
                    {run.waiting && (
                      <small>{problemText(run.waiting.code, run.waiting.params, "waiting", run.waiting.message)}</small>
                    )}
                  </div>
                </td>
                <td data-l={t("system.th.who")}>{whoText(run.requestedBy)}</td>
                <td data-l={t("system.th.since")}>{ago(run.requestedUtc)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

const AUDIT_PAGES = 5;

interface AuditProps {
  day: string;
  exports: readonly Export[];
  connections: readonly Connection[];
}

function Audit({ day, exports, connections }: AuditProps) {
  const today = dayOf(new Date());
  const entries = usePages<Entry>(`/audit/${encodeURIComponent(day)}`, AUDIT_PAGES);
  const show = (next: string | null) => {
    if (next && next <= today) go(to(["system"], next === today ? {} : { day: next }), { replace: true });
  };
  const shown = entries.items && inOrder(entries.items, !entries.more);
  return (
    <section>
      <h2>{t(day === today ? "system.audit.today" : "system.audit")}</h2>
      <p>{t("system.audit.sub")}</p>
      <fieldset class="cmd" aria-label={t("commands")}>
        <Button look="flat" onClick={() => show(dayBeside(day, -1))}>
          {t("system.day.before")}
        </Button>
        <label class="acts small day">
          {t("system.day")}
          <input
            class="in date"
            type="date"
            max={today}
            value={day}
            onChange={(event) => show(event.currentTarget.value)}
          />
        </label>
        {day < today && (
          <Button look="flat" onClick={() => show(dayBeside(day, 1))}>
            {t("system.day.after")}
          </Button>
        )}
        <Button look="flat" icon="reload" busy={entries.busy} onClick={entries.reload}>
          {t("reload")}
        </Button>
      </fieldset>
      {entries.failure && <FailureNote failure={entries.failure} onAgain={entries.reload} />}
      {shown === null ? (
        !entries.failure && <Skeleton lines={6} />
      ) : shown.length === 0 ? (
        <p class="empty soft">{t("system.audit.none")}</p>
      ) : (
        <AuditTable entries={shown} exports={exports} connections={connections} />
      )}
      {entries.more && (
        <div class="foot" role="status">
          <span>{t("system.audit.first", { n: entries.items?.length ?? 0 })}</span>
          <Button slim busy={entries.busy} onClick={entries.loadMore}>
            {t("system.audit.more")}
          </Button>
        </div>
      )}
    </section>
  );
}

const DID: Record<string, Key> = {
  saveConnection: "did.saveConnection",
  removeConnection: "did.removeConnection",
  testConnection: "did.testConnection",
  saveExport: "did.saveExport",
  removeExport: "did.removeExport",
  duplicateExport: "did.duplicateExport",
  detachExport: "did.detachExport",
  pauseExport: "did.pauseExport",
  unpauseExport: "did.unpauseExport",
  pauseConnection: "did.pauseConnection",
  unpauseConnection: "did.unpauseConnection",
  previewExport: "did.previewExport",
  previewDefinition: "did.previewDefinition",
  startRun: "did.startRun",
  startAllRuns: "did.startAllRuns",
  cancelRun: "did.cancelRun",
  resumeRun: "did.resumeRun",
  approveRun: "did.approveRun",
  findPerson: "did.findPerson",
  lookUpInRun: "did.lookUpInRun",
  getRejects: "did.getRejects",
  getValues: "did.getValues",
  getSegment: "did.getSegment",
};

function AuditTable({ entries, exports, connections }: { entries: readonly Entry[] } & Omit<AuditProps, "day">) {
  const names = new Map<string, string>([
    ...exports.map((each) => [`export ${each.id}`, each.displayName] as const),
    ...connections.map((each) => [`connection ${each.id}`, each.displayName] as const),
  ]);
  return (
    <table class="stack audit">
      <caption class="vh">{t("system.audit")}</caption>
      <thead>
        <tr>
          <th scope="col">{t("system.th.time")}</th>
          <th scope="col">{t("system.th.who")}</th>
          <th scope="col">{t("system.th.what")}</th>
          <th scope="col">{t("system.th.result")}</th>
        </tr>
      </thead>
      <tbody>
        {entries.map((entry) => {
          const { of, id } = target(entry);
          const shown = of === "run" ? exportOf(id) : of === "segment" ? parted(id).last : id;
          const name = names.get(`${of === "run" ? "export" : of} ${shown}`) ?? shown;
          const text = DID[entry.action];
          return (
            <tr key={`${entry.at} ${entry.action} ${entry.resource}`}>
              <th scope="row">
                <time dateTime={entry.at}>{clock(entry.at)}</time>
              </th>
              <td data-l={t("system.th.who")} class="wrap">
                <div>
                  {whoText(entry.by)}
                  {entry.fromAddress && <small>{entry.fromAddress}</small>}
                </div>
              </td>
              <td data-l={t("system.th.what")} class="wrap">
                {text ? t(text, { name }) : <code>{entry.action}</code>}
              </td>
              <td data-l={t("system.th.result")}>
                <Result entry={entry} />
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function Result({ entry }: { entry: Entry }) {
  const run = startedRun(entry);
  switch (outcome(entry)) {
    case "open":
      return (
        <span class="st warn">
          <Icon name="warning" />
          <span class="plain">{t("system.result.open")}</span>
        </span>
      );
    case "refused":
      return (
        <span class="st bad">
          <Icon name="failed" />
          <span class="plain">
            {t("system.result.refused")} <code>{entry.code ?? entry.status}</code>
          </span>
        </span>
      );
    default:
      return run ? <a href={to(["runs", run])}>{t("system.result.run")}</a> : <span>{t("system.result.done")}</span>;
  }
}

const KEPT: [what: Key, long: Key, by: Key, days?: number][] = [
  ["kept.working", "kept.working.for", "kept.by.app", kept.WORKING_DAYS],
  ["kept.rejects", "kept.rejects.for", "kept.by.app", kept.REJECTS_DAYS],
  ["kept.records", "kept.records.for", "kept.by.storage", kept.RUNS_DAYS],
  ["kept.audit", "kept.audit.for", "kept.by.app", kept.AUDIT_DAYS],
  ["kept.keys", "kept.keys.for", "kept.by.you", kept.KEY_DAYS],
  ["kept.log", "kept.log.for", "kept.by.workspace", kept.LOG_DAYS],
  ["kept.contacts", "kept.contacts.for", "kept.by.you"],
];

function Retention() {
  return (
    <section>
      <h2>{t("kept")}</h2>
      <p>{t("kept.sub")}</p>
      <table class="stack kept">
        <caption class="vh">{t("kept")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("kept.th.what")}</th>
            <th scope="col">{t("kept.th.for")}</th>
            <th scope="col">{t("kept.th.by")}</th>
          </tr>
        </thead>
        <tbody>
          {KEPT.map(([what, long, by, days]) => (
            <tr key={what}>
              <th scope="row">{t(what)}</th>
              <td data-l={t("kept.th.for")}>{t(long, days === undefined ? {} : { n: days })}</td>
              <td data-l={t("kept.th.by")} class="soft">
                {t(by)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const RIGHT_TEXT: Record<Right, Key> = {
  see: "right.see",
  segments: "right.segments",
  define: "right.define",
  run: "right.run",
  approve: "right.approve",
  rows: "right.rows",
  person: "right.person",
  all: "right.all",
  connect: "right.connect",
  audit: "right.audit",
};

function Rights({ me }: { me: Model<"Me"> }) {
  return (
    <section>
      <h2>{t("right")}</h2>
      <p>{me.named ? t("right.you", { name: me.name }) : t("right.key")}</p>
      <ul class="rights">
        {rightsOf(me).map(({ right, may, refusal }) => (
          <li key={right}>
            <span class={may ? "st ok" : "st off"}>
              <Icon name={may ? "done" : "held"} />
              <span class="plain">
                {t(RIGHT_TEXT[right])}
                {!may && (
                  <small>
                    {refusal ? problemText(refusal.code, refusal.params, "answered", refusal.message) : t("right.no")}
                  </small>
                )}
              </span>
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
