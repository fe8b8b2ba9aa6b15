/** All exports: who needs somebody first, then what runs, what is worth a look, what rests, what is done. */
import { useEffect, useState } from "preact/hooks";
import { all, useRest } from "../api/all";
import { call, type Page } from "../api/client";
import type { Model } from "../api/types";
import { useAct, useLoaded } from "../api/use";
import { Main } from "../app";
import { Button, Note, SearchField, Skeleton } from "../parts/controls";
import { ExportPanel } from "../parts/exportpanel";
import { FailureNote, StaleBanner } from "../parts/failure";
import { ForHowMany } from "../parts/howmany";
import { Icon, type IconName } from "../parts/icons";
import { useMay } from "../parts/me";
import { Meter } from "../parts/meter";
import { Pause } from "../parts/pause";
import { Bar, Legend } from "../parts/tally";
import { Hidden, strong } from "../parts/text";
import { to } from "../router";
import {
  drawn,
  type Export,
  GROUPS_FROM,
  howMany,
  inOrder,
  isGoing,
  lookAgainMs,
  madeWay,
  missing,
  nearest,
  nextOf,
  notNowOf,
  pausedOnDemand,
  STANDINGS,
  type Standing,
  standing,
} from "../rules/exports";
import { clock, duration, type Key, maybe, number, percent, recently, some, soon, t } from "../texts";
import { problemText } from "../texts/problems";

type List = Model<"ListView">;

/** Lists of the accounts, as far as they are known, by connection; they hardly change, so a page asks once. */
const knownLists = new Map<string, List[]>();

export function ExportsPage() {
  const exports = useLoaded<Page<Export>>("/exports", (page) => (page ? lookAgainMs(page.value, Date.now()) : null));
  const mayConnections = useMay("listConnections");
  const connections = useLoaded<Page<Model<"ConnectionView">>>(mayConnections ? "/connections" : null);
  const rest = useRest(exports.data);
  const everything = inOrder([...(exports.data?.value ?? []), ...rest]);
  const lists = useLists(everything, useMay("listLists"));
  const [filter, setFilter] = useState("");
  const [only, setOnly] = useState<Standing | null>(null);
  const [open, setOpen] = useState<string | null>(null);
  const runAll = useAct();
  const [started, setStarted] = useState<Model<"AllStarted"> | null>(null);
  const maySave = useMay("saveExport");
  const mayRunAll = useMay("startAllRuns");

  if (!exports.data) {
    return (
      <Main title={t("nav.exports")}>
        <div class="head">
          <div>
            <h1>{t("nav.exports")}</h1>
            {!exports.failure && <p class="lead">{t("exports.loading")}</p>}
          </div>
        </div>
        {exports.failure ? <FailureNote failure={exports.failure} onAgain={exports.reload} /> : <Skeleton lines={6} />}
      </Main>
    );
  }
  if (!everything.length) return <Start connections={connections.data?.value ?? null} />;

  const grouped = everything.length >= GROUPS_FROM;
  const named = everything.filter((each) => each.displayName.toLowerCase().includes(filter.trim().toLowerCase()));
  const shown = grouped && only ? named.filter((each) => standing(each) === only) : named;
  const near = shown.length
    ? []
    : nearest(
        filter,
        everything.map((each) => each.displayName),
      );
  const names = new Map((connections.data?.value ?? []).map((each) => [each.id, each.displayName]));
  const scheduled = everything.filter((each) => each.state === "active").length;
  const opened = everything.find((each) => each.id === open);
  const start = () =>
    runAll.run(async () => {
      setStarted((await call<Model<"AllStarted">>("/runs", { method: "POST" })).value);
      exports.reload();
    });
  const row = (each: Export) => (
    <Row
      key={each.id}
      each={each}
      all={everything}
      list={lists.get(each.connectionId ?? "")?.find((one) => one.id === each.listId)?.name}
      connection={each.connectionId ? (names.get(each.connectionId) ?? each.connectionId) : null}
      open={each.id === open}
      onOpen={() => setOpen(each.id === open ? null : each.id)}
      onDone={exports.reload}
    />
  );

  return (
    <>
      <Main title={t("nav.exports")}>
        {exports.failure && <StaleBanner failure={exports.failure} onAgain={exports.reload} />}
        <div class="head">
          <div>
            <h1>{t("nav.exports")}</h1>
            <p class="lead" role="status">
              <Lead all={everything} />
            </p>
          </div>
        </div>
        <fieldset class="cmd" aria-label={t("commands")}>
          {maySave && (
            <a class="btn go" href={to(["exports", "new"])}>
              <Icon name="add" />
              {t("exports.add")}
            </a>
          )}
          {mayRunAll && (
            <Button icon="run" look="flat" busy={runAll.busy} disabled={!scheduled} onClick={start}>
              {t("exports.runAll", { n: scheduled })}
            </Button>
          )}
          <Button icon="reload" look="flat" busy={exports.busy} onClick={exports.reload}>
            {t("reload")}
          </Button>
          <SearchField label={t("filter")} value={filter} onValue={setFilter} />
        </fieldset>
        {mayRunAll && !scheduled && <p class="soft small gapt">{t("exports.runAll.none")}</p>}
        {runAll.failure && <FailureNote failure={runAll.failure} />}
        {started && <AllStarted answer={started} all={everything} />}
        {grouped && <Chips all={everything} only={only} onOnly={setOnly} />}
        {shown.length ? (
          <table class="exports stack">
            <caption class="vh">{t("nav.exports")}</caption>
            <thead>
              <tr>
                <th scope="col" class="c1">
                  {t("exports.th.export")}
                </th>
                <th scope="col" class="c2">
                  {t("exports.th.state")}
                </th>
                <th scope="col" class="c3">
                  {t("exports.th.last")}
                </th>
                <th scope="col" class="c4">
                  {t("exports.th.next")}
                </th>
                <th scope="col">
                  <Hidden>{t("exports.th.more")}</Hidden>
                </th>
              </tr>
            </thead>
            {grouped ? (
              STANDINGS.map((each) => {
                const within = shown.filter((one) => standing(one) === each);
                return within.length ? (
                  <tbody key={each}>
                    <tr class="grp">
                      <th scope="rowgroup" colSpan={5}>
                        {t(GROUP[each])} <span class="soft">{number(within.length)}</span>
                      </th>
                    </tr>
                    {within.map(row)}
                  </tbody>
                ) : null;
              })
            ) : (
              <tbody>{shown.map(row)}</tbody>
            )}
          </table>
        ) : (
          <div class="empty" role="status">
            <p class="b">{filter ? t("exports.none", { q: filter.trim() }) : t("exports.none.here")}</p>
            <p class="soft">
              {t("exports.none.looked", { n: everything.length })} {near.length > 0 && t("exports.none.near")}
            </p>
            {near.length > 0 && (
              <p class="chips gap">
                {near.map((name) => (
                  <button key={name} type="button" class="chip add" onClick={() => setFilter(name)}>
                    {name}
                  </button>
                ))}
              </p>
            )}
            <p class="acts gap">
              <Button
                onClick={() => {
                  setFilter("");
                  setOnly(null);
                }}
              >
                {t("exports.none.clear", { n: everything.length })}
              </Button>
            </p>
          </div>
        )}
        <Legend />
      </Main>
      {opened && (
        <ExportPanel
          key={opened.id}
          each={opened}
          all={everything}
          onClose={() => setOpen(null)}
          onChanged={exports.reload}
        />
      )}
    </>
  );
}

const GROUP: Record<Standing, Key> = {
  you: "exports.group.you",
  running: "exports.group.running",
  look: "exports.group.look",
  rest: "exports.group.rest",
  done: "exports.group.done",
};

/** The lists of every connection that an export uses; what cannot be asked is left out, since only a name is missing. */
function useLists(exports: readonly Export[], may: boolean): ReadonlyMap<string, List[]> {
  const [, draw] = useState(0);
  const wanted = [...new Set(exports.map((each) => each.connectionId ?? ""))].filter(Boolean).sort().join(" ");
  useEffect(() => {
    if (!may) return;
    for (const id of wanted.split(" ").filter((each) => each && !knownLists.has(each))) {
      knownLists.set(id, []);
      all<List>(`/connections/${id}/lists`).then(
        (found) => {
          knownLists.set(id, found);
          draw((n) => n + 1);
        },
        () => knownLists.delete(id),
      );
    }
  }, [wanted, may]);
  return knownLists;
}

/** A name within a text whose `**marks**` are strong: its own asterisks are no marks. */
const plain = (name: string) => name.replaceAll("**", "*\u2060*");
const bold = (each: Export) => `**${plain(each.displayName)}**`;

/** Who needs you, in the first sentence; what else there is, in the next. */
function Lead({ all }: { all: readonly Export[] }) {
  const of = (wanted: Standing) => all.filter((each) => standing(each) === wanted);
  const you = of("you");
  const running = of("running");
  const paused = all.filter((each) => each.state === "paused" && !["you", "running"].includes(standing(each)));
  const short = of("look").filter((each) => {
    const { left, refused, open } = missing(each);
    return left + refused + open > 0;
  });
  const said: string[] = [];
  if (you.length > 3 || (you.length && all.length >= GROUPS_FROM)) {
    const names = you.map((each) => plain(each.displayName));
    said.push(t("exports.lead.many", { n: you.length, all: all.length, names: some(names, 4) }));
  } else {
    for (const each of you) said.push(t(leadOf(each), { name: bold(each) }));
  }
  if (running.length === 1 && running[0]) said.push(t("exports.lead.running", { name: bold(running[0]) }));
  else if (running.length) said.push(t("exports.lead.runningMany", { n: running.length }));
  if (all.length < GROUPS_FROM) {
    for (const each of short.slice(0, 2)) {
      const { left, refused, open } = missing(each);
      said.push(t("exports.lead.short", { name: bold(each), n: left + refused + open }));
    }
  }
  if (paused.length === 1 && paused[0]) said.push(t("exports.lead.paused", { name: bold(paused[0]) }));
  else if (paused.length) said.push(t("exports.lead.pausedMany", { n: paused.length }));
  const told = you.length + running.length + paused.length + (all.length < GROUPS_FROM ? Math.min(2, short.length) : 0);
  const others = all.length - told;
  if (others && all.length < GROUPS_FROM)
    said.push(t(told ? "exports.lead.others" : "exports.lead.fine", { n: others }));
  if (!said.length || (!you.length && all.length >= GROUPS_FROM))
    said.unshift(t("exports.lead.nobody", { n: all.length }));
  return <>{strong(said.join(" "))}</>;
}

function leadOf(each: Export): Key {
  if (each.lastRun?.status === "held") return "exports.lead.held";
  if (each.lastRun?.status === "failed")
    return each.lastRun.tally?.confirmed ? "exports.lead.failed" : "exports.lead.nobodySent";
  return each.state === "onHold" ? "exports.lead.onHold" : "exports.lead.waiting";
}

function Chips({
  all,
  only,
  onOnly,
}: {
  all: readonly Export[];
  only: Standing | null;
  onOnly: (only: Standing | null) => void;
}) {
  const chip = (each: Standing | null, text: Key, count: number) => (
    <button type="button" class="chip" aria-pressed={only === each} onClick={() => onOnly(each)} key={text}>
      {t(text)} <b>{number(count)}</b>
    </button>
  );
  return (
    <fieldset class="chips" aria-label={t("exports.chips")}>
      {chip(null, "exports.group.all", all.length)}
      {STANDINGS.map((each) => {
        const count = all.filter((one) => standing(one) === each).length;
        return count || only === each ? chip(each, GROUP[each], count) : null;
      })}
    </fieldset>
  );
}

function AllStarted({ answer, all }: { answer: Model<"AllStarted">; all: readonly Export[] }) {
  const failed = answer.value.filter((each) => each.problem);
  const name = (id: string) => all.find((each) => each.id === id)?.displayName ?? id;
  return (
    <Note
      tone={failed.length || !answer.value.length ? "warn" : "ok"}
      title={t("exports.started", { n: answer.value.length - failed.length })}
    >
      {!answer.value.length && <p>{t("exports.runAll.none")}</p>}
      {failed.map(({ exportId, problem }) => (
        <p key={exportId}>
          {name(exportId)}: {problem && problemText(problem.code, problem.params, "answered", problem.message)}
        </p>
      ))}
    </Note>
  );
}

interface RowProps {
  each: Export;
  all: readonly Export[];
  list: string | undefined;
  connection: string | null;
  open: boolean;
  onOpen: () => void;
  onDone: () => void;
}

function Row({ each, all, list, connection, open, onOpen, onDone }: RowProps) {
  const place = standing(each);
  const run = each.lastRun;
  const picture = drawn(each);
  const dense = place === "done";
  const listText = t("exports.list", { list: list && !dense ? `${each.listId} ${list}` : String(each.listId) });
  const state = <StateWords each={each} />;
  const numbers = picture && (
    <span>{t(picture.going ? "exports.soFar" : "exports.of", { there: picture.there, of: picture.of })}</span>
  );
  const bar =
    picture &&
    (picture.parts.length ? (
      <Bar parts={picture.parts} />
    ) : (
      <Meter share={picture.of ? picture.there / picture.of : 0} wide />
    ));
  return (
    <tr class={dense ? "hit dense" : "hit"}>
      <th scope="row" class="c1">
        <a class="name" href={run ? to(["runs", run.runId]) : to(["exports", each.id, "edit"])}>
          {each.displayName}
        </a>{" "}
        <small>{listText}</small>
        {!dense && <small>{connection ?? t("exports.noConnection")}</small>}
      </th>
      <td class="c2">
        {state}
        {dense ? (
          run && <small> {recently(run.endedUtc ?? run.requestedUtc)}</small>
        ) : (
          <>
            <Why each={each} />
            <Step each={each} all={all} onDone={onDone} />
          </>
        )}
      </td>
      <td class="c3" data-l={picture || dense ? undefined : t("exports.th.last")}>
        {picture ? (
          dense ? (
            <div class="counted">
              {bar}
              {numbers}
            </div>
          ) : (
            <>
              {bar}
              <div class="cnt">{numbers}</div>
              <small>{picture.going ? t("exports.since", { time: clock(picture.at) }) : recently(picture.at)}</small>
            </>
          )
        ) : (
          <small>{t("exports.noRun")}</small>
        )}
      </td>
      <td class="c4" data-l={t("exports.th.next")}>
        <span>{nextText(each)}</span>
      </td>
      <td class="num more">
        <Button
          icon="panel"
          look="flat"
          label={t("exports.details", { name: each.displayName })}
          expanded={open}
          onClick={onOpen}
        />
      </td>
    </tr>
  );
}

/** When it runs next, in words. */
export function nextText(each: Export): string {
  const { key, at } = nextOf(each, Date.now());
  const text = t(key, at ? { time: soon(at) } : {});
  return text.charAt(0).toLocaleUpperCase() + text.slice(1);
}

/** The state in words with its icon: never colour alone. */
export function StateWords({ each }: { each: Export }) {
  const [look, icon, text] = stateOf(each);
  return (
    <span class={`st ${look}`}>
      <Icon name={icon} />
      <span>{text}</span>
    </span>
  );
}

function stateOf(each: Export): [look: string, icon: IconName, text: string] {
  const run = each.lastRun;
  if (isGoing(run)) {
    if (run.status === "waiting") {
      const needs = run.waiting?.culprit === "user";
      return [needs ? "warn" : "run", "waiting", t(needs ? "exports.state.waitsForYou" : "exports.state.waiting")];
    }
    if (run.status === "canceling") return ["run", "reload", t("exports.state.canceling")];
    if (run.progress) return ["run", "reload", t("exports.state.running", { share: percent(run.progress.share) })];
    return ["run", "reload", t(run.status === "queued" ? "exports.state.queued" : "exports.state.planning")];
  }
  if (each.state === "onHold") return ["held", "held", t("exports.state.onHold")];
  if (run?.status === "held") return ["held", "held", t("exports.state.held")];
  if (each.state === "paused") return ["off", "paused", t("exports.state.paused")];
  if (run?.status === "failed") return ["bad", "failed", t("exports.state.failed")];
  if (each.state === "noConnection") return ["off", "paused", t("exports.state.noConnection")];
  if (run?.status === "canceled") return ["warn", "warning", t("exports.state.canceled")];
  if (run?.status === "completedWithWarnings") return ["warn", "warning", t("exports.state.warnings")];
  if (madeWay(run)) return ["off", "waiting", t("exports.state.waitsForRefresh")];
  if (run?.status === "skipped") return ["ok", "done", t("exports.state.skipped")];
  if (run?.only) return ["ok", "done", t("exports.state.tried", { n: run.only })];
  if (run) return ["ok", "done", t("exports.state.done")];
  if (each.state === "active" && !each.nextRunUtc) return ["off", "waiting", t("exports.state.waitsForRefresh")];
  return ["off", "waiting", t("exports.state.never")];
}

/** The second line: how many, and why. */
export function Why({ each }: { each: Export }) {
  const text = whyOf(each);
  return text ? <div class="why">{text}</div> : null;
}

function whyOf(each: Export): string {
  const run = each.lastRun;
  if (isGoing(run)) {
    if (run.status === "waiting" && run.waiting) {
      return problemText(run.waiting.code, run.waiting.params, "waiting", run.waiting.message);
    }
    const left = run.progress ? `${t("exports.why.left", { time: duration(run.progress.secondsLeft) })} ` : "";
    if (run.requestedBy === "schedule") return left + t("exports.why.bySchedule");
    if (run.requestedBy === "function key") return left + t("exports.why.byKey");
    return left + t("exports.why.by", { who: run.requestedBy });
  }
  const notNow = notNowOf(each);
  const kept =
    notNow?.code === "waits_seen"
      ? t("exports.why.seen", { time: recently(String(notNow.params?.refreshed)) })
      : notNow
        ? problemText(notNow.code, notNow.params, "waiting", notNow.message)
        : "";
  if (each.state === "onHold") return t("exports.why.onHold");
  if (run?.status !== "held" && each.state === "paused") return kept;
  if (run?.problem && (run.status === "held" || run.status === "failed")) {
    const cause = run.held?.causes[0];
    const held = cause && maybe(`held.${cause.code}`, cause.numbers);
    return held ?? problemText(run.problem.code, run.problem.params, "ended", run.problem.message);
  }
  if (each.state === "noConnection") return t("exports.why.noConnection");
  if (!run) return kept || t("exports.why.never");
  const { left, refused, open } = missing(each);
  const said = [
    left && t("exports.why.left.out", { n: left }),
    refused && t("exports.why.refused", { n: refused }),
    open && t("exports.why.open", { n: open }),
  ].filter((text): text is string => Boolean(text));
  if (kept) said.push(kept);
  if (said.length) return said.join(" ");
  return run.tally?.rowsRead ? t("exports.why.everybody") : "";
}

/** The next step. */
function Step({ each, all, onDone }: { each: Export; all: readonly Export[]; onDone: () => void }) {
  const act = useAct();
  const mayApprove = useMay("approveRun");
  const mayRun = useMay("startRun");
  const run = each.lastRun;
  if (run?.status === "held" && run.held && each.state !== "onHold") {
    return (
      <div class="acts">
        <a class="btn slim" href={to(["runs", run.runId])}>
          {t(mayApprove ? "exports.approve" : "exports.look")}
        </a>
      </div>
    );
  }
  if (each.paused && !pausedOnDemand(each)) {
    return (
      <div class="acts">
        <Pause each={each} slim onDone={onDone} />
      </div>
    );
  }
  if (run?.status === "failed" || (each.state === "noConnection" && standing(each) !== "running")) {
    return (
      <div class="acts">
        <a
          class="btn slim"
          href={run?.status === "failed" ? to(["runs", run.runId]) : to(["exports", each.id, "edit"])}
        >
          {t(run?.status === "failed" ? "exports.look" : "exports.connect")}
        </a>
      </div>
    );
  }
  if ((run && each.notNow?.code !== "waits_seen") || !mayRun) return null;
  return (
    <div class="acts">
      <Button
        slim
        busy={act.busy}
        onClick={() =>
          act.run(async () => {
            await call(`/exports/${each.id}/runs`, { method: "POST" });
            onDone();
          })
        }
      >
        {t("exports.runIt")}
      </Button>
      <ForHowMany known={howMany(each, all)} />
      {act.failure && <FailureNote failure={act.failure} />}
    </div>
  );
}

/** The first start: three steps, and nothing sent before the last. */
function Start({ connections }: { connections: readonly Model<"ConnectionView">[] | null }) {
  const maySave = useMay("saveConnection");
  const mayExport = useMay("saveExport");
  const segments = useLoaded<Page<unknown>>(useMay("listSegments") ? "/segments" : null);
  const connected = Boolean(connections?.length);
  const step = (no: number, head: Key, text: Key, later: boolean, button: preact.ComponentChildren) => (
    <li class={later ? "later" : undefined}>
      <span class="big" aria-hidden="true">
        {number(no)}
      </span>
      <div>
        <h2>{t(head)}</h2>
        <p class="soft">{t(text)}</p>
      </div>
      {button}
    </li>
  );
  const link = (address: string, text: Key) => (
    <a class="btn go" href={address}>
      <Icon name="add" />
      {t(text)}
    </a>
  );
  return (
    <Main title={t("start.title")}>
      <div class="head">
        <div>
          <h1>{t("start.title")}</h1>
          <p class="lead">{t("start.lead")}</p>
        </div>
      </div>
      <ol class="start">
        {step(
          1,
          "start.connect",
          connected ? "start.connected" : maySave ? "start.connect.text" : "start.connect.ask",
          connected,
          !connected && maySave && link(to(["connections", "new"]), "start.connect.go"),
        )}
        {step(
          2,
          "start.define",
          "start.define.text",
          !connected,
          connected && mayExport && link(to(["exports", "new"]), "exports.add"),
        )}
        {step(3, "start.run", "start.run.text", true, null)}
      </ol>
      {segments.data && <p class="soft">{t("start.segments", { n: segments.data.value.length })}</p>}
    </Main>
  );
}
