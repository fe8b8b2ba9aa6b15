/** A run: what came of every row, live while it is going; what holds it; who is not on the list, and which values did not fit. */
import { useState } from "preact/hooks";
import { call } from "../api/client";
import type { Model } from "../api/types";
import { type Act, useAct, useLoaded } from "../api/use";
import { Main } from "../app";
import { Button, LinkButton, Note, Progress, Skeleton } from "../parts/controls";
import { FailureNote, StaleBanner } from "../parts/failure";
import { ForHowMany } from "../parts/howmany";
import { Icon, type IconName } from "../parts/icons";
import { useMay } from "../parts/me";
import { Statement, TallyPicture } from "../parts/tally";
import { Hidden, strong, words } from "../parts/text";
import { go, to } from "../router";
import { howMany } from "../rules/exports";
import {
  actionsOf,
  isOver,
  momentsOf,
  noticed,
  partsOf,
  type Run,
  type RunStatus,
  saidOf,
  sampleOf,
  unfitOf,
  watchOf,
} from "../rules/run";
import { clock, duration, hours, type Key, list, number, percent, recently, t, when } from "../texts";
import { problemText, warningText } from "../texts/problems";
import { HeldRun } from "./run-held";
import { Rejects, Values } from "./run-rows";
import "../styles/run.css";

type Export = Model<"ExportView">;

const STATUS: Record<RunStatus, [look: string, icon: IconName, text: Key]> = {
  queued: ["run", "waiting", "run.status.queued"],
  planning: ["run", "reload", "run.status.planning"],
  waiting: ["warn", "waiting", "run.status.waiting"],
  running: ["run", "reload", "run.status.running"],
  canceling: ["run", "reload", "run.status.canceling"],
  successful: ["ok", "done", "run.status.successful"],
  completedWithWarnings: ["warn", "warning", "run.status.completedWithWarnings"],
  failed: ["bad", "failed", "run.status.failed"],
  canceled: ["off", "failed", "run.status.canceled"],
  held: ["held", "held", "run.status.held"],
  skipped: ["off", "held", "run.status.skipped"],
};

export function RunPage({ id, part, query }: { id: string; part: string; query: URLSearchParams }) {
  const run = useLoaded<Run>(`/runs/${encodeURIComponent(id)}`, (data) => watchOf(data, Date.now()));
  const of = useLoaded<Export>(run.data && `/exports/${encodeURIComponent(run.data.exportId)}`);
  const act = useAct();
  if (!run.data) {
    return (
      <Main title={t("run.title")}>
        {run.failure ? <FailureNote failure={run.failure} onAgain={run.reload} /> : <Skeleton lines={6} />}
      </Main>
    );
  }
  const name = of.data?.displayName ?? run.data.exportId;
  return (
    <Main title={t("run.titleOf", { name, when: when(run.data.requestedUtc) })}>
      {run.failure && <StaleBanner failure={run.failure} onAgain={run.reload} />}
      <Head run={run.data} of={of.data} name={name} act={act} onRun={run.put} />
      {act.failure && <ActFailed act={act} />}
      <Sentences run={run.data} of={of.data} />
      <Announced run={run.data} />
      <Body run={run.data} of={of.data} part={part} query={query} act={act} />
    </Main>
  );
}

function ActFailed({ act }: { act: Act }) {
  const newer = act.failure?.params.run;
  return (
    <div class="gap">
      {act.failure && <FailureNote failure={act.failure} />}
      {newer && (
        <p class="acts gap">
          <LinkButton href={to(["runs", String(newer)])}>{t("run.openNewer")}</LinkButton>
        </p>
      )}
    </div>
  );
}

interface HeadProps {
  run: Run;
  of: Export | null;
  name: string;
  act: Act;
  onRun: (run: Run) => void;
}

function Head({ run, of, name, act, onRun }: HeadProps) {
  const [look, icon, text] = STATUS[run.status];
  const may = {
    cancel: useMay("cancelRun"),
    again: useMay("startRun"),
    resume: useMay("resumeRun"),
    approve: false, // its button stands beside what follows from it
    edit: useMay("saveExport"),
  };
  const offered = actionsOf(run).filter((each) => may[each]);
  const path = `/runs/${encodeURIComponent(run.runId)}`;
  const start = (address: string) => () =>
    act.run(async (still) => {
      const started = await call<Model<"StartedRun">>(address, {
        method: "POST",
        headers: { "Idempotency-Key": crypto.randomUUID() },
      });
      if (still()) go(to(["runs", started.value.runId]));
    });
  const cancel = () =>
    act.run(async () => {
      onRun((await call<Run>(`${path}/cancel`, { method: "POST" })).value);
    });
  const day = (at: string) => new Date(at).toDateString();
  const refreshes =
    run.plan?.segments?.map(({ refreshedUtc: at }) => (day(at) === day(run.requestedUtc) ? hours(at) : when(at))) ?? [];
  return (
    <>
      <nav class="crumb" aria-label={t("crumb")}>
        <a href={to(["exports"])}>{t("nav.exports")}</a>
        <span aria-hidden="true">/</span>
        {may.edit ? <a href={to(["exports", run.exportId, "edit"])}>{name}</a> : <span>{name}</span>}
        <span aria-hidden="true">/</span>
        <span aria-current="page">{t("run.of", { when: when(run.requestedUtc) })}</span>
      </nav>
      <div class="head">
        <div>
          <h1>{name}</h1>
          <div class="meta">
            <span class={`st ${look}`}>
              <Icon name={icon} />
              {run.only != null && isOver(run.status) ? t("run.status.tried", { n: run.only }) : t(text)}
            </span>
            <span>{startedBy(run)}</span>
            {run.cancel && (
              <span>{t("run.canceledBy", { who: whoText(run.cancel.by), time: clock(run.cancel.at) })}</span>
            )}
            {run.durationS != null && !run.held && <span>{t("run.took", { duration: duration(run.durationS) })}</span>}
            {refreshes.length > 0 && <span>{t("run.refresh", { when: list([...new Set(refreshes)]) })}</span>}
            {run.resumes && <a href={to(["runs", run.resumes])}>{t("run.resumes")}</a>}
            {run.approved && <a href={to(["runs", run.approved.runId])}>{t("run.approvedFrom")}</a>}
          </div>
        </div>
        <div class="acts">
          {offered.includes("cancel") && (
            <Button icon="close" onClick={cancel} busy={act.busy}>
              {t("run.cancel")}
            </Button>
          )}
          {offered.includes("resume") && (
            <Button
              icon="run"
              look={run.status === "failed" ? undefined : "go"}
              onClick={start(`${path}/resume`)}
              busy={act.busy}
            >
              {t("run.resume", { n: run.tally?.unconfirmed ?? 0 })}
            </Button>
          )}
          {offered.includes("again") && (
            <Button icon="run" onClick={start(`/exports/${encodeURIComponent(run.exportId)}/runs`)} busy={act.busy}>
              {t(run.only == null ? "run.again" : "run.everybody")}
            </Button>
          )}
          {offered.includes("again") && of && of.lastRun?.runId !== run.runId && <ForHowMany known={howMany(of)} />}
          {offered.includes("edit") && (
            <LinkButton icon="edit" href={to(["exports", run.exportId, "edit"])}>
              {t("run.edit")}
            </LinkButton>
          )}
        </div>
      </div>
    </>
  );
}

const MOST_ATTEMPTS = 5; // of the schedule at one refresh: runs/due.py
const KEY = "function key"; // as the API calls whoever signs in with one

function startedBy(run: Run): string {
  if (run.trigger === "scheduled")
    return (run.attempt ?? 1) > 1
      ? t("run.by.again", { attempt: run.attempt ?? 1, most: MOST_ATTEMPTS })
      : t("run.by.schedule");
  const who = whoText(run.requestedBy);
  return t(run.trigger === "runAll" ? "run.by.all" : "run.by", { who });
}

function whoText(name: string): string {
  return name === KEY ? t("run.theKey") : name;
}

/** What the schedule does next about the people whom a run left without an outcome. */
const NEXT = new Set(["waits_repair", "waits_gave_up"]);

function Sentences({ run, of }: { run: Run; of: Export | null }) {
  const connectionId = of?.connectionId ?? null;
  const notNow = of?.lastRun?.runId === run.runId && of.notNow && NEXT.has(of.notNow.code) ? of.notNow : null;
  const mayConnect = useMay("saveConnection");
  const mayEdit = useMay("saveExport");
  const { say, more, next } = saidOf(run);
  return (
    <>
      <p class="say">
        {strong(words(say))}
        {more.length > 0 && <span class="soft"> {t("run.more", { list: more.map(words).join(", ") })}</span>}
      </p>
      {next && <p class="then">{words(next)}</p>}
      {notNow && <p class="then">{problemText(notNow.code, notNow.params, "ended", notNow.message)}</p>}
      {run.waiting && (
        <Note
          tone="warn"
          title={t("run.waiting")}
          code={run.waiting.code}
          actions={
            run.waiting.code === "credentials_refused" &&
            connectionId &&
            mayConnect && (
              <LinkButton look="go" href={to(["connections", connectionId], { key: "" })}>
                {t("connections.newKey")}
              </LinkButton>
            )
          }
        >
          <p>{problemText(run.waiting.code, run.waiting.params, "waiting", run.waiting.message)}</p>
          <p class="soft">
            {t("run.waiting.until", { since: recently(run.waiting.since), until: recently(run.waiting.until) })}
          </p>
        </Note>
      )}
      {run.problem && run.status !== "held" && (
        <Note
          tone={run.status === "failed" ? "bad" : "warn"}
          code={run.problem.code}
          actions={
            run.problem.culprit === "user" &&
            mayEdit && (
              <LinkButton look={isOver(run.status) ? "go" : undefined} href={to(["exports", run.exportId, "edit"])}>
                {t("run.problem.edit")}
              </LinkButton>
            )
          }
        >
          <p>
            {problemText(
              run.problem.code,
              run.problem.params,
              isOver(run.status) ? "ended" : "waiting",
              run.problem.message,
            )}
          </p>
        </Note>
      )}
    </>
  );
}

/** What a screen reader says while the run goes on: its state, and each tenth of the way, not each look. */
function Announced({ run }: { run: Run }) {
  const tenth = run.progress ? Math.floor(10 * run.progress.share) / 10 : null;
  return (
    <div role="status">
      <Hidden>
        {t(STATUS[run.status][2])} {tenth !== null && percent(tenth)}
      </Hidden>
    </div>
  );
}

interface Parts {
  run: Run;
  of: Export | null;
  part: string;
  query: URLSearchParams;
  act: Act;
}

function Body({ run, of, part, query, act }: Parts) {
  const mayRejects = useMay("getRejects");
  const mayValues = useMay("getValues");
  const parts = partsOf(run);
  const over = isOver(run.status);
  const missing = Object.values(run.tally?.reasons ?? {}).reduce((a, b) => a + b, 0);
  const unfit = unfitOf(run.plan?.values ?? []).reduce((n, each) => n + each.n, 0);
  const holdsRejects = run.held?.causes.some((each) => each.code === "too_many_rows_rejected");
  const tabs: [part: string, text: Key, n: number | null][] = [
    ["rows", run.held ? "run.tab.held" : "run.tab.rows", null],
  ];
  if (mayRejects && (missing || holdsRejects)) tabs.push(["rejects", "run.tab.rejects", missing]);
  if (over && (unfit || Object.keys(run.plan?.notices ?? {}).length)) tabs.push(["values", "run.tab.values", unfit]);
  const shown = tabs.some(([each]) => each === part) ? part : "rows";
  return (
    <>
      <TallyPicture parts={parts} total={t("run.rowsRead")} going={!over} />
      {tabs.length > 1 && (
        <nav class="tabs" aria-label={t("run.tabs")}>
          {tabs.map(([each, text, n]) => (
            <a
              key={each}
              href={to(each === "rows" ? ["runs", run.runId] : ["runs", run.runId, each])}
              aria-current={each === shown ? "page" : undefined}
            >
              {t(text)}
              {n ? <b> {number(n)}</b> : null}
            </a>
          ))}
        </nav>
      )}
      {shown === "rejects" && <Rejects run={run} reason={query.get("reason")} />}
      {shown === "values" && <Values run={run} may={mayValues} />}
      {shown === "rows" &&
        (run.held ? (
          <HeldRun run={run} held={run.held} of={of} act={act} />
        ) : (
          <Rows run={run} of={of} parts={parts} over={over} tabs={tabs.length > 1} />
        ))}
      {shown === "rows" && <Raw run={run} />}
    </>
  );
}

function Rows({
  run,
  of,
  parts,
  over,
  tabs,
}: {
  run: Run;
  of: Export | null;
  parts: ReturnType<typeof partsOf>;
  over: boolean;
  tabs: boolean;
}) {
  const segments = run.plan?.segments?.map((each) => each.name.split("/").at(-1) ?? each.name) ?? [];
  return (
    <div class="two">
      {!over ? (
        <Live run={run} />
      ) : parts.length ? (
        <section>
          <h2 class={tabs ? "vh" : undefined}>{t("run.every")}</h2>
          <Statement
            parts={parts}
            head={t("run.became")}
            total={segments.length ? t("run.rowsIn", { segments: list(segments) }) : t("run.held.rows")}
          />
        </section>
      ) : (
        <section>
          <h2>{t("run.every")}</h2>
          <p>{t("run.noRows")}</p>
        </section>
      )}
      <Aside run={run} of={of} />
    </div>
  );
}

function Live({ run }: { run: Run }) {
  const mayCancel = useMay("cancelRun");
  const { plan, progress } = run;
  const open = progress ? progress.contacts - progress.sent : 0;
  const bar = (label: Key, n: number, all: number) => (
    <Progress label={t(label)} share={all ? n / all : 1} text={t("run.nOf", { a: n, b: all })} />
  );
  return (
    <section>
      <h2>{t("run.progress")}</h2>
      <div class="prog">
        {plan && progress ? (
          <>
            {bar("run.bar.planned", progress.contacts, progress.contacts)}
            {bar("run.bar.sent", progress.sent, progress.contacts)}
            {bar("run.bar.confirmed", progress.confirmed, progress.contacts)}
          </>
        ) : (
          <div aria-hidden="true">
            <Skeleton />
          </div>
        )}
      </div>
      {progress && <p class="soft small gap">{t("run.close")}</p>}
      {mayCancel && progress && run.status !== "canceling" && open > 0 && (
        <>
          <h3 class="gap">{t("run.ifCancel")}</h3>
          <p class="soft">{t("run.ifCancel.then", { a: progress.sent, n: open })}</p>
        </>
      )}
    </section>
  );
}

const NOTICED_SHARE = 0.05;

function Aside({ run, of }: { run: Run; of: Export | null }) {
  const sample = run.sample && sampleOf(run.sample);
  const asked = run.sample?.asked ?? 0;
  const over = isOver(run.status);
  const warnings = over ? [...(run.warnings ?? []), ...(run.plan?.warnings ?? [])] : [];
  const counts =
    run.requests == null
      ? []
      : [
          t("run.requests", { n: run.requests }),
          ...(run.resends == null ? [] : [run.resends ? t("run.resends", { n: run.resends }) : t("run.resends.none")]),
          ...(run.waits == null ? [] : [run.waits ? t("run.waits", { n: run.waits }) : t("run.waits.none")]),
        ];
  return (
    <aside aria-label={t("run.aside")}>
      {sample && over && (
        <section>
          <h2>{t("run.sample")}</h2>
          <p class={`st ${sample.tone}`}>
            <Icon name={sample.tone === "ok" ? "done" : "warning"} />
            {words(sample.say)}
          </p>
          {sample.also.length > 0 && (
            <ul class="small fine">
              {sample.also.map((each) => (
                <li key={each.key}>{words(each)}</li>
              ))}
            </ul>
          )}
          <p class="soft small">
            {asked < (run.sample?.confirmed ?? 0)
              ? t("run.sample.hint", { n: asked, share: percent(NOTICED_SHARE), a: noticed(asked, NOTICED_SHARE) })
              : t("run.sample.everybody")}
          </p>
        </section>
      )}
      <section>
        <h2>{t("run.timeline")}</h2>
        <ol class="time">
          {momentsOf(run).map((each) => (
            <li key={each.key} class={each.at ? undefined : "todo"}>
              <span>{t(each.key)}</span>
              {each.at ? <time dateTime={each.at}>{clock(each.at)}</time> : <span class="soft">–</span>}
            </li>
          ))}
        </ol>
        {counts.length > 0 && <p class="soft small">{t("run.more", { list: counts.join(", ") })}</p>}
      </section>
      {run.listSize && (run.listSize.before != null || run.listSize.after != null) && (
        <section>
          <h2>{t("run.theList")}</h2>
          <p class="soft">{listText(of, run.listSize)}</p>
        </section>
      )}
      {warnings.length > 0 && (
        <section>
          <h2>{t("run.warnings")}</h2>
          <ul class="small soft fine">
            {warnings.map((each, index) => (
              <li key={index}>{warningText(each)}</li>
            ))}
          </ul>
        </section>
      )}
    </aside>
  );
}

function listText(of: Export | null, { before, after }: Model<"ListSize">): string {
  const list = of ? t("run.list", { id: String(of.listId) }) : t("run.theList");
  if (before == null) return t("run.list.after", { list, n: after ?? 0 });
  return after == null ? t("run.list.before", { list, n: before }) : t("run.list.both", { list, n: before, after });
}

function Raw({ run }: { run: Run }) {
  const [copied, setCopied] = useState(false);
  const text = JSON.stringify(run, null, 2);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    setCopied(true);
  };
  return (
    <section>
      <details>
        <summary>{t("run.raw")}</summary>
        <p class="soft">{t("run.raw.hint")}</p>
        <p class="acts gap">
          <Button slim icon="copy" onClick={() => void copy()}>
            {t(copied ? "run.raw.copied" : "run.raw.copy")}
          </Button>
        </p>
        <pre>{text}</pre>
      </details>
    </section>
  );
}
