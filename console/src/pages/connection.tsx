/** One connection: the nine steps of adding one, on one page; or the same steps for changing it. */
import type { ComponentChildren } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { call, Failure } from "../api/client";
import { usePages } from "../api/pages";
import type { Model } from "../api/types";
import { useAct, useLoaded } from "../api/use";
import { Main } from "../app";
import { SignInAgain } from "../parts/again";
import { Button, LinkButton, Note, Option, Skeleton, TextField } from "../parts/controls";
import { FailureNote } from "../parts/failure";
import { MeContext, useMay } from "../parts/me";
import { go, guard, to } from "../router";
import { freshId } from "../rules/connections";
import {
  bodyOf,
  changed,
  type Draft,
  differing,
  draftOf,
  isOtherName,
  isSecretName,
  missing,
  SECRET_PREFIXES,
  sameAccount,
  testOf,
} from "../rules/wizard";
import { type Key, list, recently, t } from "../texts";
import { whoText } from "../texts/people";

type Connection = Model<"ConnectionView">;
type Tested = Model<"ConnectionTested">;

/** `id`: of the connection to change, or null for a new one. `?key` goes to the field for a new key at once. */
export function ConnectionPage({ id, query }: { id: string | null; query: URLSearchParams }) {
  const loaded = useLoaded<Connection>(id === null ? null : `/connections/${encodeURIComponent(id)}`);
  const others = usePages<Connection>(id === null ? "/connections" : null, Number.POSITIVE_INFINITY);
  const may = useMay("saveConnection");
  const title = id === null ? t("connection.add") : (loaded.data?.displayName ?? t("nav.connections"));
  return (
    <Main title={title}>
      <nav class="crumb" aria-label={t("crumb")}>
        <span>{t("nav.admin")}</span>
        <span aria-hidden="true">/</span>
        <a href={to(["connections"])}>{t("nav.connections")}</a>
      </nav>
      <div class="head">
        <div>
          <h1>{title}</h1>
          <p class="lead">{t(id === null ? "connection.lead" : "connection.lead.edit")}</p>
        </div>
      </div>
      {!may ? (
        <Note tone="warn">
          <p>{t("connections.ask")}</p>
        </Note>
      ) : id !== null && !loaded.data ? (
        loaded.failure ? (
          <FailureNote failure={loaded.failure} onAgain={loaded.reload} />
        ) : (
          <Skeleton lines={9} />
        )
      ) : (
        <Steps
          saved={loaded.data}
          etag={loaded.etag}
          taken={others.items?.map((each) => each.id) ?? []}
          toKey={query.get("key") !== null}
        />
      )}
    </Main>
  );
}

interface StepsProps {
  saved: Connection | null;
  etag: string | null;
  taken: readonly string[];
  toKey: boolean;
}

const TRIES = 9; // ids of which somebody else took one, or the vault still keeps a deleted key

function Steps({ saved: loaded, etag: loadedEtag, taken, toKey }: StepsProps) {
  const me = useContext(MeContext);
  const [saved, setSaved] = useState(loaded);
  const [etag, setEtag] = useState(loadedEtag);
  const [draft, setDraft] = useState<Draft>(() => draftOf(loaded));
  const [tested, setTested] = useState<Tested | null>(null);
  const [theirs, setTheirs] = useState<{ connection: Connection; etag: string | null } | null>(null);
  const connecting = useAct();
  const saving = useAct();
  const keyField = useRef<HTMLDivElement>(null);
  const account = useRef(0); // another number whenever another host or key is typed

  const dirty = changed(draft, saved);
  useEffect(() => {
    guard(() => (dirty ? t("connection.leave") : null));
    return () => guard(null);
  }, [dirty]);
  useEffect(() => {
    if (toKey) keyField.current?.querySelector<HTMLInputElement>(".fld + .fld .in")?.focus();
  }, [toKey]);

  const set = (change: Partial<Draft>) => {
    setDraft((before) => ({ ...before, ...change }));
    if ("host" in change || "apiKey" in change || "secretName" in change) {
      account.current += 1;
      setTested(null); // it was of another host or key
      connecting.clear();
    }
  };
  const question = testOf(draft, saved);
  const connect = () =>
    connecting.run(async () => {
      setTested(null);
      if (!question) return;
      const of = account.current;
      try {
        const { value } = await call<Tested>("/connection-tests", { method: "POST", body: question });
        if (of === account.current) setTested(value);
      } catch (error) {
        if (of === account.current) throw error;
      }
    });
  const store = () =>
    saving.run(async (still) => {
      const stored = await put(draft, saved, etag, taken, setTheirs);
      if (!stored || !still()) return;
      guard(null);
      go(to(["connections"], { open: stored.id }));
    });

  const same = sameAccount(draft, saved);
  const stores = me?.storesApiKeys !== false;
  const refused = isRefusal(connecting.failure);
  const lacks = missing(draft, saved, tested ? "ok" : refused ? "refused" : null);
  const keyRefused = connecting.failure?.code === "credentials_refused";
  const hostRefused = connecting.failure?.code === "host_refused" || saving.failure?.code === "host_refused";
  return (
    <form
      aria-label={t(saved ? "connection.edit" : "connection.add")}
      onSubmit={(event) => {
        event.preventDefault();
        if (lacks === "test" && question) void connect();
        else if (lacks === null && !saving.busy) void store();
      }}
    >
      <ol class="steps">
        <Step no={1} done title={t("connection.s1")}>
          <p class="soft">{t("connection.s1.here")}</p>
        </Step>
        <Step no={2} done title={t("connection.s2")}>
          <p class="soft">ActiveCampaign</p>
        </Step>
        <Step inert={saving.busy} no={3} done={Boolean(draft.displayName.trim())} title={t("connection.s3")}>
          <TextField
            label={t("connection.name")}
            hint={t("connection.name.hint")}
            value={draft.displayName}
            maxLength={200}
            onValue={(displayName) => set({ displayName })}
          />
        </Step>
        <Step inert={saving.busy} no={4} done title={t("connection.s4")}>
          <fieldset>
            <legend class="vh">{t("connection.s4")}</legend>
            {(["administrators", "contributors"] as const).map((who) => (
              <Option
                key={who}
                type="radio"
                name="usableBy"
                checked={draft.usableBy === who}
                onChecked={() => set({ usableBy: who })}
                label={t(`connections.${who}`)}
              />
            ))}
          </fieldset>
        </Step>
        <Step inert={saving.busy} no={5} done={question !== null} title={t("connection.s5")}>
          <div class="pair" ref={keyField}>
            <TextField
              label={t("connection.host")}
              hint={t("connection.host.hint")}
              value={draft.host}
              inputMode="url"
              spellcheck={false}
              placeholder="example.api-us1.com"
              error={hostRefused ? t("connection.host.refused") : null}
              onValue={(host) => set({ host })}
            />
            {stores ? (
              <TextField
                label={t(saved ? "connection.key.new" : "connection.key")}
                hint={t(same ? "connection.key.stays" : "connection.key.hint")}
                type="password"
                value={draft.apiKey}
                autocomplete="new-password"
                spellcheck={false}
                error={keyRefused ? t("connection.key.refused") : null}
                onValue={(apiKey) => set({ apiKey })}
              />
            ) : (
              <TextField
                label={t(same ? "connection.secret.new" : "connection.secret")}
                hint={
                  same
                    ? t("connection.secret.stays", { secret: saved?.secretName ?? "" })
                    : t("connection.secret.hint", { prefixes: SECRET_PREFIXES.join(", ") })
                }
                value={draft.secretName}
                spellcheck={false}
                maxLength={127}
                error={
                  isOtherName(draft, saved)
                    ? t("connection.secret.refused", { prefixes: SECRET_PREFIXES.join(", ") })
                    : keyRefused
                      ? t("connection.secret.keyRefused")
                      : null
                }
                onValue={(secretName) => set({ secretName })}
              />
            )}
          </div>
          {!stores && (
            <StoreIt
              vault={me?.keyVault ?? ""}
              secret={
                [draft.secretName.trim(), same ? saved?.secretName : null].find((each) => each && isSecretName(each)) ??
                null
              }
            />
          )}
        </Step>
        <Step inert={saving.busy} no={6} done={same || draft.agreed} title={t("connection.s6")}>
          <p class="privacy small">{t("connection.privacy")}</p>
          {same && saved?.consent ? (
            <p>
              {t("connection.agreed", {
                who: whoText(saved.consent.agreedBy),
                when: recently(saved.consent.agreedUtc),
              })}
            </p>
          ) : (
            <Option
              checked={draft.agreed}
              onChecked={(agreed) => set({ agreed })}
              label={<strong>{t("connection.agree")}</strong>}
              hint={me?.named ? t("connection.agree.who", { name: me.name }) : t("connection.agree.key")}
            />
          )}
        </Step>
        <Step no={7} done={tested !== null} bad={refused} title={t("connection.s7")}>
          <div class="acts">
            <Button
              look={lacks === "test" || refused ? "go" : undefined}
              busy={connecting.busy}
              disabled={!question}
              onClick={connect}
            >
              {t(tested || connecting.failure ? "connection.again" : "connection.connect")}
            </Button>
            {!question && (
              <span class="soft">{t(stores ? "connection.connect.needs" : "connection.connect.needsSecret")}</span>
            )}
          </div>
          {tested && <Reached tested={tested} />}
          {connecting.failure && <ConnectFailure failure={connecting.failure} stores={stores} onAgain={connect} />}
        </Step>
        <Step no={8} done title={t("connection.s8")}>
          <p>{me?.named ? me.name : t("who.key")}</p>
          <p class="soft small">{t(me?.named ? "connection.s8.named" : "connection.s8.key")}</p>
        </Step>
        <Step no={9} title={t("connection.s9")}>
          <p class="soft" id="why">
            {t(lacks === "key" && !stores ? "connection.why.secret" : lacks ? WHY[lacks] : "connection.s9.then")}
          </p>
          {theirs && (
            <Conflict
              draft={draft}
              theirs={theirs.connection}
              onMine={() => {
                setSaved(theirs.connection);
                setEtag(theirs.etag);
                setTheirs(null);
                saving.clear();
              }}
              onTheirs={() => {
                setSaved(theirs.connection);
                setEtag(theirs.etag);
                setDraft({ ...draftOf(theirs.connection), apiKey: draft.apiKey, secretName: draft.secretName });
                setTheirs(null);
                saving.clear();
              }}
            />
          )}
          {saving.failure &&
            !theirs &&
            (saving.failure.signedOut ? <SignInAgain onAgain={store} /> : <FailureNote failure={saving.failure} />)}
          <div class="acts gap">
            <Button
              look={lacks === null ? "go" : undefined}
              disabled={lacks !== null || theirs !== null}
              busy={saving.busy}
              onClick={store}
            >
              {t("connection.s9")}
            </Button>
            <LinkButton look="flat" href={to(["connections"])}>
              {t("connection.cancel")}
            </LinkButton>
          </div>
        </Step>
      </ol>
    </form>
  );
}

const WHY = {
  name: "connection.why.name",
  host: "connection.why.host",
  key: "connection.why.key",
  consent: "connection.why.consent",
  test: "connection.why.test",
  refused: "connection.why.refused",
  nothing: "connection.why.nothing",
} as const satisfies Record<string, Key>;

/** Whether ActiveCampaign, or the service, said that it cannot be used: not that nobody answered, or too often. */
function isRefusal(failure: Failure | null): boolean {
  return failure !== null && failure.status >= 400 && failure.status < 500 && ![401, 429].includes(failure.status);
}

/**
 * Save; returns what is stored, or null if somebody else has saved since it was read: `onTheirs` gets that.
 * Throws `Failure`.
 */
async function put(
  draft: Draft,
  saved: Connection | null,
  etag: string | null,
  taken: readonly string[],
  onTheirs: (theirs: { connection: Connection; etag: string | null }) => void,
): Promise<Connection | null> {
  const body = bodyOf(draft, saved);
  const save = async (id: string) => {
    const condition = saved ? { ifMatch: etag ?? "*" } : { ifNoneMatch: "*" };
    return (await call<Connection>(`/connections/${id}`, { method: "PUT", body, ...condition })).value;
  };
  if (saved) {
    try {
      return await save(saved.id);
    } catch (error) {
      if (!(error instanceof Failure && error.status === 412)) throw error;
      const { value, etag: newest } = await call<Connection>(`/connections/${saved.id}`);
      onTheirs({ connection: value, etag: newest });
      return null;
    }
  }
  const used = new Set(taken);
  for (let attempt = 1; ; attempt++) {
    const id = freshId(draft.displayName, used);
    try {
      return await save(id);
    } catch (error) {
      const isTaken =
        error instanceof Failure && (error.status === 412 || (error.code === "secret_deleted" && !body.secretName));
      if (!isTaken || attempt === TRIES) throw error;
      used.add(id);
    }
  }
}

function Step({
  no,
  title,
  done,
  bad,
  inert = false,
  children,
}: {
  no: number;
  title: string;
  /** Whether nothing can be typed there now, since what is there is being saved. */
  inert?: boolean;
  done?: boolean;
  bad?: boolean;
  children: ComponentChildren;
}) {
  return (
    <li class={bad ? "no" : done ? "done" : undefined} data-no={no} inert={inert}>
      <h2>{title}</h2>
      {children}
    </li>
  );
}

/** Who puts the key into the vault where the app may not, and with which command. */
function StoreIt({ vault, secret }: { vault: string; secret: string | null }) {
  const name = secret ?? `${SECRET_PREFIXES[0]}main`;
  return (
    <div class="gap">
      <p>{t("connection.store", { vault, secret: name })}</p>
      <pre>{`az keyvault secret set --vault-name ${vault} --name ${name} --file key.txt --output none`}</pre>
      <p class="soft small gapt">{t("connection.store.then")}</p>
    </div>
  );
}

/** What the key reaches, to be compared with what one expects. */
function Reached({ tested }: { tested: Tested }) {
  const { contactRoom: room } = tested;
  return (
    <Note tone="ok" title={t("connection.ok")}>
      <p class="soft">{t("connection.ok.compare")}</p>
      <dl class="dl facts">
        <dt>{t("connections.d.account")}</dt>
        <dd>{tested.accountName ?? tested.host}</dd>
        <dt>{t("connection.user")}</dt>
        <dd>{tested.user.name}</dd>
        <dt>{t("connection.contacts")}</dt>
        <dd>
          {room?.contacts == null
            ? t("connection.contacts.unknown")
            : room.contactLimit == null
              ? t("connection.contacts.free", { n: room.contacts })
              : t("connection.contacts.of", { n: room.contacts, limit: room.contactLimit })}
        </dd>
        <dt>{t("connection.lists")}</dt>
        <dd>{t("connection.lists.n", { n: tested.lists })}</dd>
      </dl>
    </Note>
  );
}

function ConnectFailure({ failure, stores, onAgain }: { failure: Failure; stores: boolean; onAgain: () => void }) {
  if (failure.signedOut) return <SignInAgain onAgain={onAgain} />;
  if (failure.code !== "credentials_refused") return <FailureNote failure={failure} />;
  return (
    <Note tone="bad" title={t("connection.no")} code={failure.code}>
      <p>{t(stores ? "connection.no.do" : "connection.no.store")}</p>
      <p class="soft small">{t("connection.no.why")}</p>
    </Note>
  );
}

interface ConflictProps {
  draft: Draft;
  theirs: Connection;
  onMine: () => void;
  onTheirs: () => void;
}

const MEMBERS = {
  displayName: "connection.name",
  usableBy: "connections.th.who",
  host: "connection.host",
} as const satisfies Record<string, Key>;

/** Somebody saved meanwhile. Nothing that was typed is lost: one chooses. */
function Conflict({ draft, theirs, onMine, onTheirs }: ConflictProps) {
  const names = differing(draft, theirs).map((member) => t(MEMBERS[member]));
  return (
    <Note
      tone="warn"
      title={t("connection.conflict", {
        who: whoText(theirs.updatedBy ?? ""),
        when: theirs.updatedUtc ? recently(theirs.updatedUtc) : "",
      })}
      actions={
        <>
          <Button onClick={onMine}>{t("connection.conflict.mine")}</Button>
          <Button onClick={onTheirs}>{t("connection.conflict.theirs")}</Button>
        </>
      }
    >
      <p>{names.length ? t("connection.conflict.differ", { names: list(names) }) : t("connection.conflict.same")}</p>
    </Note>
  );
}
