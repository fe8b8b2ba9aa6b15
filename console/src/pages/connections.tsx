/** Connections: whether each works, who may use it, which exports do; testing and removing one. */
import { useState } from "preact/hooks";
import { call, Failure } from "../api/client";
import { usePages } from "../api/pages";
import type { Model } from "../api/types";
import { type Act, useAct } from "../api/use";
import { Main } from "../app";
import { Button, LinkButton, Note, Panel, Skeleton } from "../parts/controls";
import { FailureNote, StaleBanner } from "../parts/failure";
import { Icon, type IconName } from "../parts/icons";
import { useMay } from "../parts/me";
import { Hidden, Say } from "../parts/text";
import { go, to } from "../router";
import { goes, type Known, known, type Test, usersOf } from "../rules/connections";
import { type Key, list, recently, t } from "../texts";
import { whoText } from "../texts/people";
import type { Warning } from "../texts/problems";

type Connection = Model<"ConnectionView">;
type Export = Model<"ExportView">;
type Tests = ReadonlyMap<string, Test>;

export function ConnectionsPage({ query }: { query: URLSearchParams }) {
  const connections = usePages<Connection>("/connections", Number.POSITIVE_INFINITY);
  const exports = usePages<Export>("/exports", Number.POSITIVE_INFINITY);
  const [tests, setTests] = useState<Tests>(new Map());
  const [removed, setRemoved] = useState<Removed | null>(null);
  const testing = useAct();
  const mayTest = useMay("testConnection");
  const maySave = useMay("saveConnection");
  const opened = connections.items?.find((each) => each.id === query.get("open"));
  const test = (some: readonly Connection[]) =>
    testing.run(async () => {
      for (const { id } of some) {
        const code = await tested(id);
        setTests((before) => new Map(before).set(id, { at: new Date().toISOString(), code }));
      }
    });
  const stateOf = (each: Connection) => known(each, exports.items ?? [], tests.get(each.id));
  return (
    <>
      <Main title={t("nav.connections")}>
        {connections.failure && connections.items && (
          <StaleBanner failure={connections.failure} onAgain={connections.reload} />
        )}
        <div class="head">
          <div>
            <h1>{t("nav.connections")}</h1>
            {connections.items && (
              <p class="lead">
                <Lead connections={connections.items} exports={exports.items ?? []} stateOf={stateOf} />
              </p>
            )}
          </div>
        </div>
        {connections.items === null ? (
          connections.failure ? (
            <FailureNote failure={connections.failure} onAgain={connections.reload} />
          ) : (
            <Skeleton lines={6} />
          )
        ) : connections.items.length === 0 ? (
          <>
            {removed && <RemovedNote removed={removed} />}
            <Empty />
          </>
        ) : (
          <>
            <fieldset class="cmd" aria-label={t("commands")}>
              {maySave && (
                <LinkButton look="go" icon="add" href={to(["connections", "new"])}>
                  {t("connections.add")}
                </LinkButton>
              )}
              {mayTest && (
                <Button look="flat" icon="run" busy={testing.busy} onClick={() => test(connections.items ?? [])}>
                  {t("connections.testAll", { n: connections.items.length })}
                </Button>
              )}
              <Button look="flat" icon="reload" busy={connections.busy} onClick={connections.reload}>
                {t("reload")}
              </Button>
            </fieldset>
            {removed && <RemovedNote removed={removed} />}
            {testing.failure && <FailureNote failure={testing.failure} />}
            <Table connections={connections.items} exports={exports.items} stateOf={stateOf} open={opened?.id} />
            {maySave && <p class="soft small gap">{t("connections.keys")}</p>}
          </>
        )}
      </Main>
      {opened && (
        <Details
          key={`${opened.id} ${query.get("remove")}`}
          connection={opened}
          exports={usersOf(opened.id, exports.items ?? [])}
          exportsKnown={exports.items !== null && !exports.failure}
          state={stateOf(opened)}
          testing={testing}
          removing={query.get("remove") !== null}
          onTest={() => test([opened])}
          onChanged={() => {
            connections.reload();
            exports.reload();
          }}
          onRemoved={(what) => {
            setRemoved(what);
            go(to(["connections"]), { replace: true });
            connections.reload();
            exports.reload();
          }}
        />
      )}
    </>
  );
}

/** Test a saved connection; returns the code of what is wrong, or null. Throws `Failure` if nothing is known then. */
async function tested(connectionId: string): Promise<string | null> {
  try {
    await call<Model<"ConnectionTested">>("/connection-tests", { method: "POST", body: { connectionId } });
    return null;
  } catch (error) {
    if (!(error instanceof Failure) || error.signedOut || !error.status || error.status === 429) throw error;
    return error.code;
  }
}

function Lead({
  connections,
  exports,
  stateOf,
}: {
  connections: readonly Connection[];
  exports: readonly Export[];
  stateOf: (each: Connection) => Known;
}) {
  if (!connections.length) return <>{t("connections.none")}</>;
  const bad = connections.filter((each) => ["refused", "failed"].includes(stateOf(each).look));
  const paused = connections.filter((each) => each.paused);
  const still =
    paused.length > 0 &&
    t("connections.paused.lead", { n: paused.length, names: list(paused.map((each) => each.displayName)) });
  if (!bad.length)
    return (
      <>
        {t("connections.fine", { n: connections.length })} {still}
      </>
    );
  const waiting = bad.reduce((sum, each) => sum + usersOf(each.id, exports).length, 0);
  return (
    <>
      <Say of="connections.bad" with={{ n: bad.length, names: list(bad.map((each) => `**${each.displayName}**`)) }} />{" "}
      {waiting > 0 && t("connections.waiting", { n: waiting })} {still}
    </>
  );
}

function Empty() {
  const may = useMay("saveConnection");
  return (
    <div class="empty">
      <p class="lead">{t(may ? "connections.first" : "connections.ask")}</p>
      {may && (
        <div class="acts gap">
          <LinkButton look="go" icon="add" href={to(["connections", "new"])}>
            {t("connections.add")}
          </LinkButton>
        </div>
      )}
    </div>
  );
}

const LOOKS: Record<Known["look"], [tone: string, icon: IconName, text: Key]> = {
  tested: ["ok", "done", "connections.tested"],
  saved: ["ok", "done", "connections.saved"],
  used: ["ok", "done", "connections.used"],
  refused: ["bad", "failed", "connections.refused"],
  failed: ["warn", "warning", "connections.failed"],
  unknown: ["off", "waiting", "connections.unknown"],
};

/** What is known of a connection: an icon, a sentence, and when that was. */
function ConnectionState({ state }: { state: Known }) {
  const [tone, icon, text] = LOOKS[state.look];
  return (
    <span class={`st ${tone}`}>
      <Icon name={icon} />
      <span class="plain">{t(text, { when: state.at ? recently(state.at) : "" })}</span>
    </span>
  );
}

function PausedState({ paused }: { paused: Model<"Paused"> }) {
  return (
    <span class="st off">
      <Icon name="paused" />
      <span class="plain">{t("connections.paused", { who: whoText(paused.by), when: recently(paused.sinceUtc) })}</span>
    </span>
  );
}

function usable(connection: Connection): string {
  if (!connection.usableBy) return t("connections.you");
  return t(connection.usableBy === "contributors" ? "connections.contributors" : "connections.administrators");
}

interface TableProps {
  connections: readonly Connection[];
  exports: readonly Export[] | null;
  stateOf: (each: Connection) => Known;
  open: string | undefined;
}

function Table({ connections, exports, stateOf, open }: TableProps) {
  const may = useMay("removeConnection");
  return (
    <table class="stack connections">
      <caption class="vh">{t("nav.connections")}</caption>
      <thead>
        <tr>
          <th scope="col">{t("connections.th.name")}</th>
          <th scope="col">{t("connections.th.who")}</th>
          <th scope="col">{t("admin.th.state")}</th>
          <th scope="col">{t("admin.th.used")}</th>
          <th scope="col">
            <Hidden>{t("commands")}</Hidden>
          </th>
        </tr>
      </thead>
      <tbody>
        {connections.map((each) => {
          const state = stateOf(each);
          const users = exports && usersOf(each.id, exports);
          return (
            <tr key={each.id} class={each.id === open ? "chosen" : undefined}>
              <th scope="row" class="wrap">
                <a
                  class="name"
                  href={to(["connections"], { open: each.id })}
                  aria-current={each.id === open ? "true" : undefined}
                >
                  {each.displayName}
                </a>
                {each.host && <small>{each.host}</small>}
              </th>
              <td data-l={t("connections.th.who")}>{usable(each)}</td>
              <td data-l={t("admin.th.state")}>
                <div>
                  {each.paused && <PausedState paused={each.paused} />}
                  {(!each.paused || state.look === "refused") && <ConnectionState state={state} />}
                  {state.look === "refused" && may && (
                    <small>
                      <a href={to(["connections", each.id], { key: "" })}>{t("connections.newKey")}</a>
                    </small>
                  )}
                </div>
              </td>
              <td data-l={t("admin.th.used")}>
                {users === null ? (
                  "…"
                ) : users.length ? (
                  <a href={to(["connections"], { open: each.id })}>{t("admin.exports", { n: users.length })}</a>
                ) : (
                  t("admin.nothing")
                )}
              </td>
              <td class="tight">
                {may && (
                  <LinkButton look="flat" icon="remove" href={to(["connections"], { open: each.id, remove: "" })}>
                    {t("connections.remove")}
                    <Hidden> {each.displayName}</Hidden>
                  </LinkButton>
                )}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

type Removed = Model<"Removed"> & { displayName: string };

interface DetailsProps {
  connection: Connection;
  exports: readonly Export[];
  exportsKnown: boolean;
  state: Known;
  testing: Act;
  removing: boolean;
  onTest: () => void;
  onChanged: () => void;
  onRemoved: (what: Removed) => void;
}

function Details(props: DetailsProps) {
  const { connection, exports, state, testing, removing, onTest, onChanged } = props;
  const mayTest = useMay("testConnection");
  const maySave = useMay("saveConnection");
  const pausing = useAct();
  const [left, setLeft] = useState<readonly Warning[]>([]);
  const pause = connection.paused ? "unpause" : "pause";
  const mayPause = useMay(`${pause}Connection`);
  const close = () => go(to(["connections"]));
  if (removing) return <Remove {...props} onClose={close} />;
  const facts: [Key, preact.ComponentChildren][] = [
    ["connections.d.host", connection.host],
    ["connections.d.account", connection.accountName],
    ["connections.d.who", usable(connection)],
    [
      "connections.d.agreed",
      connection.consent &&
        t("connections.d.byAt", {
          who: whoText(connection.consent.agreedBy),
          when: recently(connection.consent.agreedUtc),
        }),
    ],
    [
      "connections.d.changed",
      connection.updatedBy &&
        connection.updatedUtc &&
        t("connections.d.byAt", { who: whoText(connection.updatedBy), when: recently(connection.updatedUtc) }),
    ],
    ["connections.d.secret", connection.secretName && <code>{connection.secretName}</code>],
    ["connections.d.id", <code key="id">{connection.id}</code>],
  ];
  return (
    <Panel title={connection.displayName} onClose={close}>
      <div aria-live="polite">
        {connection.paused && <PausedState paused={connection.paused} />}
        <ConnectionState state={state} />
        {left.length > 0 && (
          <div class="gapt">
            <NotExported left={left} />
          </div>
        )}
      </div>
      {connection.paused && exports.length > 0 && (
        <p class="soft gapt">{t("connections.paused.means", { n: exports.length })}</p>
      )}
      <dl class="dl facts">
        {facts.map(
          ([name, value]) =>
            value && (
              <>
                <dt>{t(name)}</dt>
                <dd>{value}</dd>
              </>
            ),
        )}
      </dl>
      <section>
        <h3>{t("admin.th.used")}</h3>
        {exports.length ? <Uses exports={exports} /> : <p class="soft">{t("admin.nothing")}</p>}
      </section>
      {(mayTest || maySave) && (
        <section class="does">
          {mayTest && (
            <Button look="flat" icon="run" busy={testing.busy} onClick={onTest}>
              {t("connections.test")}
            </Button>
          )}
          {maySave && (
            <>
              <LinkButton look="flat" icon="edit" href={to(["connections", connection.id])}>
                {t("connections.edit")}
              </LinkButton>
              <LinkButton look="flat" icon="key" href={to(["connections", connection.id], { key: "" })}>
                {t("connections.newKey")}
              </LinkButton>
              {mayPause && (
                <Button
                  look="flat"
                  icon={connection.paused ? "run" : "paused"}
                  busy={pausing.busy}
                  onClick={() =>
                    pausing.run(async () => {
                      const path = `/connections/${encodeURIComponent(connection.id)}/${pause}`;
                      const { value } = await call<Connection>(path, { method: "POST" });
                      setLeft(value.warnings ?? []);
                      onChanged();
                    })
                  }
                >
                  {t(connection.paused ? "exports.unpause" : "exports.pause")}
                </Button>
              )}
              {mayPause && (
                <p class="hint">{t(connection.paused ? "connections.unpause.means" : "connections.pause.means")}</p>
              )}
              <LinkButton look="flat" icon="remove" href={to(["connections"], { open: connection.id, remove: "" })}>
                {t("connections.remove")}
              </LinkButton>
            </>
          )}
          {pausing.failure && <FailureNote failure={pausing.failure} />}
          {testing.failure && <FailureNote failure={testing.failure} />}
        </section>
      )}
    </Panel>
  );
}

/** What counts as seen since a pause has ended: the exports with their refreshes, in one list. */
function NotExported({ left }: { left: readonly Warning[] }) {
  return (
    <Note tone="warn">
      <p>{t("connections.unpaused")}</p>
      <ul class="gapt">
        {left.map(({ message, params }) => (
          <li key={message}>
            {t("connections.unpausedOf", {
              export: String(params?.export),
              when: recently(String(params?.refreshed)),
            })}
          </li>
        ))}
      </ul>
    </Note>
  );
}

const STATES: Record<string, Key> = {
  active: "connections.x.scheduled",
  inactive: "connections.x.onDemand",
  paused: "connections.x.paused",
  onHold: "connections.x.onHold",
};

/** Exports with what each does now. */
function Uses({ exports }: { exports: readonly Export[] }) {
  return (
    <ul class="uses">
      {exports.map((each) => (
        <li key={each.id}>
          <a class="name" href={to(["exports", each.id, "edit"])}>
            {each.displayName}
          </a>
          <span class="soft">
            {goes(each)
              ? t("connections.x.going")
              : each.lastRun?.status === "held"
                ? t("connections.x.held")
                : t(STATES[each.state] ?? "connections.x.onDemand")}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** Removing: what depends on it, what follows, and the button with the number it acts on. */
function Remove({ connection, exports, exportsKnown, onRemoved, onClose }: DetailsProps & { onClose: () => void }) {
  const act = useAct();
  const going = exports.filter(goes).length;
  const { id, displayName } = connection;
  // A run may go on over a connection that its export has lost, or an export be new: then the API says so.
  const inUse = exports.length > 0 || act.failure?.code === "connection_in_use";
  const remove = () =>
    act.run(async () => {
      const path = `/connections/${encodeURIComponent(id)}${inUse ? "?detach=true" : ""}`;
      const { value } = await call<Model<"Removed">>(path, { method: "DELETE" });
      onRemoved({ ...value, displayName });
    });
  return (
    <Panel title={t("connections.rm.title", { name: displayName })} onClose={onClose}>
      <p class="then">
        {!inUse
          ? t("connections.rm.free")
          : going
            ? t("connections.rm.going", { n: exports.length, going })
            : t("connections.rm.used", { n: exports.length })}
      </p>
      {exports.length > 0 && <Uses exports={exports} />}
      <section>
        <h3>{t(inUse ? "connections.rm.ifDetached" : "connections.rm.if")}</h3>
        <ul class="fine soft">
          {going > 0 && <li>{t("connections.rm.runs", { n: going })}</li>}
          {inUse && <li>{t("connections.rm.stay", { n: exports.length })}</li>}
          <li>{t("connections.rm.key", { secret: connection.secretName ?? "" })}</li>
          <li>{t("connections.rm.contacts")}</li>
        </ul>
      </section>
      {act.failure && act.failure.code !== "connection_in_use" && <FailureNote failure={act.failure} />}
      <div class="acts gap">
        <Button look="danger" busy={act.busy} disabled={!exportsKnown} onClick={remove}>
          {inUse ? t("connections.rm.detach", { n: exports.length }) : t("connections.rm.go")}
        </Button>
        <Button onClick={onClose}>{t("keep")}</Button>
      </div>
      {!exportsKnown && <p class="soft small gap">{t("connections.rm.wait")}</p>}
      {inUse && <p class="code small">{t("note.code", { code: "connection_in_use" })}</p>}
    </Panel>
  );
}

function RemovedNote({ removed }: { removed: Removed }) {
  return (
    <div class="gap">
      <Note tone="ok" title={t("connections.gone", { name: removed.displayName })}>
        {removed.detachedExports.length > 0 && (
          <p>{t("connections.gone.exports", { n: removed.detachedExports.length })}</p>
        )}
        {removed.canceledRuns.length > 0 && <p>{t("connections.gone.runs", { n: removed.canceledRuns.length })}</p>}
        <p>{t("connections.gone.key", { secret: removed.secretName })}</p>
      </Note>
    </div>
  );
}
