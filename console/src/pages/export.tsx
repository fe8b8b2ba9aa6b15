/** Define or change an export on one page: five sections, a preview, a bar that saves. Nothing is sent from here unasked. */
import type { ComponentChildren } from "preact";
import { useContext, useEffect, useRef, useState } from "preact/hooks";
import { all } from "../api/all";
import { call, type Failure, type Page } from "../api/client";
import type { Model } from "../api/types";
import { type Loaded, useAct, useLoaded } from "../api/use";
import { Main } from "../app";
import { SignInAgain } from "../parts/again";
import { Button, Field, Note, Option, Panel, Select, Skeleton, TextField } from "../parts/controls";
import { FailureNote, failureText } from "../parts/failure";
import { ForHowMany } from "../parts/howmany";
import { Icon } from "../parts/icons";
import { MeContext, useMay } from "../parts/me";
import { isNotExported, NotExported, Pause } from "../parts/pause";
import { go, guard, to } from "../router";
import {
  changedMembers,
  changesPeople,
  choosable,
  type Draft,
  definitionOf,
  differences,
  emptyDraft,
  type Fault,
  faultsIn,
  faultsOf,
  ignoredIn,
  isSettled,
  MEMBERS,
  type Member,
  READING,
  readingOf,
  withSuggestion,
} from "../rules/editor";
import { freeId, type HowMany, howMany, pausedOnDemand } from "../rules/exports";
import { segmentPath } from "../rules/segments";
import { ago, type Key, maybe, number, percent, some, t } from "../texts";
import { problemText, warningText } from "../texts/problems";
import { Conflict } from "./editor/conflict";
import { Few, useFew } from "./editor/few";
import { columnOption, DataMatching, goneText } from "./editor/matching";
import { lineName, segmentName } from "./editor/names";
import { PlaceLink, ReadingLink } from "./editor/place";
import { type Preview, PreviewResult, UnfitValues } from "./editor/preview";
import { ReadingFields } from "./editor/reading";
import { ScheduleFields } from "./editor/schedule";
import { nextText, StateWords } from "./exports";

type View = Model<"ExportView">;
type Segment = Model<"SegmentView">;

interface Previewed {
  shown: Preview;
  of: Draft;
  at: Date;
}

/** What was saved last by this page, with its preview: a new export moves to its own address, where both are shown. */
let justSaved: { view: View; preview: Previewed | null } | null = null;

/** The editor of one export; `id` is null for a new one. */
export function ExportPage({ id, query }: { id: string | null; query: URLSearchParams }) {
  const loaded = useLoaded<View>(id ? `/exports/${encodeURIComponent(id)}` : null);
  if (id && !loaded.data) {
    return (
      <Main title={t("editor.title")}>
        <Crumb name={id} />
        <div class="head">
          <h1>{t("editor.title")}</h1>
        </div>
        {loaded.failure ? <FailureNote failure={loaded.failure} onAgain={loaded.reload} /> : <Skeleton lines={6} />}
      </Main>
    );
  }
  return <Editor id={id} loaded={loaded} previewAtOnce={query.has("preview")} segment={query.get("segment")} />;
}

function Crumb({ name }: { name: string }) {
  return (
    <nav class="crumb" aria-label={t("crumb")}>
      <a href={to(["exports"])}>{t("nav.exports")}</a>
      <span aria-hidden="true">/</span>
      <span aria-current="page">{name}</span>
    </nav>
  );
}

type Opened = "few" | "values" | null;

interface EditorProps {
  id: string | null;
  loaded: Loaded<View>;
  previewAtOnce: boolean;
  /** The segment that a new export begins with, when one comes from its page. */
  segment: string | null;
}

function Editor({ id, loaded, previewAtOnce, segment }: EditorProps) {
  const [base, setBase] = useState<Draft>(() => (loaded.data ? definitionOf(loaded.data) : emptyDraft()));
  const [draft, setDraft] = useState(() => (segment && !loaded.data ? { ...base, segments: [segment] } : base));
  const etag = useRef(loaded.etag);
  const [typedId, setTypedId] = useState<string | null>(null);
  const [faults, setFaults] = useState<Fault[]>([]);
  const [faultsOfSave, setFaultsOfSave] = useState(true);
  const [theirs, setTheirs] = useState<View | null>(null);
  const [saved, setSaved] = useState<View | null>(() => (justSaved?.view.id === id ? justSaved.view : null));
  const [opened, setOpened] = useState<Opened>(null);
  const [values, setValues] = useState<Model<"ValuesView"> | null>(null);
  const [preview, setPreview] = useState(() => (justSaved?.view.id === id ? justSaved.preview : null));
  const [unmasked, setUnmasked] = useState(false);
  const byHand = useRef(new Set<Member>()); // what of a new export is no suggestion
  const [others, setOthers] = useState(false); // whether other people were saved than those of the last run
  const saving = useAct();
  const previewing = useAct();
  const running = useAct();
  const few = useFew(id);
  const maySave = useMay("saveExport");
  const mayPreview = useMay("previewDefinition");
  const mayRun = useMay("startRun");
  const isAdmin = useContext(MeContext)?.role === "Admin";
  useEffect(() => {
    justSaved = null;
  }, []);
  useEffect(() => {
    if (saved) document.getElementById("saved")?.focus(); // the button that was pressed is disabled, or gone
  }, [saved]);

  const connections = useLoaded<Page<Model<"ConnectionView">>>(useMay("listConnections") ? "/connections" : null);
  const account = draft.connectionId && connections.data ? `/connections/${draft.connectionId}` : null;
  const lists = useLoaded<Page<Model<"ListView">>>(account && `${account}/lists?active=true`);
  const fields = useLoaded<Page<Model<"FieldView">>>(account && `${account}/fields`);
  useEffect(() => {
    const [only, ...others] = connections.data?.value ?? [];
    if (id || !only || others.length || draft.connectionId) return;
    setBase((now) => ({ ...now, connectionId: only.id })); // nobody has changed anything
    setDraft((now) => ({ ...now, connectionId: only.id }));
  }, [connections.data]);
  const segments = useSegments(useMay("listSegments"));
  const taken = useTaken(id === null);

  const known = {
    lists: lists.data?.value ?? [],
    connections: connections.data?.value ?? [],
    fields: fields.data?.value ?? [],
  };
  const matching = draft.dataMatching;
  const chosen = draft.segments.map((name) => segments.all?.find((each) => isSegment(each, name)));
  const columns = [...new Set(chosen.flatMap((each) => each?.columns.map((column) => column.name) ?? []))];
  const used = [
    ...new Set([...MEMBERS.map((each) => matching[each]), ...(matching.fields ?? []).map((each) => each.column)]),
  ].filter((column): column is string => Boolean(column) && columns.includes(column as string));
  const first = chosen.find(Boolean);
  const asked = used.filter((column) => first?.columns.some((each) => each.name === column));
  // Columns are read for one caller at a time; a moment later it is often free.
  const details = useLoaded<Model<"SegmentDetails">>(
    first ? segmentPath(first.name, asked, unmasked) : null,
    (data, looks) => (data || looks > 4 ? null : 2000),
  );
  useEffect(() => {
    if (details.data && first?.problem) segments.reload(); // what was being written when they were listed is there now
  }, [details.data]);
  const facts = new Map((details.data?.columnFacts ?? []).map((each) => [each.name, each]));
  const suggested = details.data?.suggestion;
  useEffect(() => {
    if (id || !suggested) return;
    setDraft((now) => ({ ...now, dataMatching: withSuggestion(now.dataMatching, suggested, byHand.current) }));
  }, [suggested]);

  const changed = differences(base, draft);
  const dirty = changed.length > 0;
  useEffect(() => {
    guard(dirty ? () => t("editor.leave", { n: changed.length }) : null);
    return () => guard(null);
  }, [dirty, changed.length]);

  const set = (part: Partial<Draft>) => {
    setDraft((now) => ({ ...now, ...part }));
    setSaved(null);
    setFaults((now) => now.filter((each) => !((each.place.split(".")[0] as string) in part)));
  };
  /** Other columns are suggested once another segment is the first: till then, there are none. */
  const choose = (names: string[]) => {
    const leads = names.map((name) => segments.all?.find((each) => isSegment(each, name))).find(Boolean);
    const none = !id && leads !== first && { dataMatching: withSuggestion(matching, {}, byHand.current) };
    set({ segments: names, ...none });
  };
  const setMatching = (next: Draft["dataMatching"]) => {
    for (const member of changedMembers(matching, next)) byHand.current.add(member);
    setDraft((now) => ({ ...now, dataMatching: next }));
    setSaved(null);
    setFaults((now) => now.filter((each) => !/^(match|field)\./.test(each.place)));
  };
  const ownId = typedId ?? freeId(draft.displayName, taken ?? new Set());
  const faultText = (fault: Fault) => (fault.code && maybe(`fault.${fault.code}`)) || fault.said || "";
  const fault = (place: string) => {
    const found = faults.find((each) => each.place === place);
    return found ? faultText(found) : null;
  };
  const show = (found: Fault[], ofSave: boolean) => {
    setFaults(found);
    setFaultsOfSave(ofSave);
    if (found.length) requestAnimationFrame(() => document.getElementById("faults")?.focus());
  };
  const judged = (failure: Failure, of: Draft) => faultsIn(failure, of, failureText(failure));

  const put = async (wanted: Draft, match: string | null, still: () => boolean) => {
    const target = id ?? ownId;
    try {
      const answer = await call<View>(`/exports/${encodeURIComponent(target)}`, {
        method: "PUT",
        body: { ...wanted, displayName: wanted.displayName.trim() },
        ...(id ? { ifMatch: match } : { ifNoneMatch: "*" }),
      });
      if (!still()) return;
      const now = definitionOf(answer.value);
      guard(null);
      setTheirs(null);
      setFaults([]);
      if (!id) {
        justSaved = { view: answer.value, preview: previewOf(preview, wanted, now) };
        return go(to(["exports", target, "edit"]), { replace: true });
      }
      etag.current = answer.etag;
      loaded.put(answer.value, answer.etag);
      if (changesPeople(differences(base, now))) setOthers(true);
      setBase(now);
      setDraft(now);
      setPreview((newest) => previewOf(newest, wanted, now));
      setSaved(answer.value);
    } catch (error) {
      const failure = error as Failure;
      if (failure.code === "changed_meanwhile") {
        const newest = await call<View>(`/exports/${encodeURIComponent(target)}`);
        etag.current = newest.etag;
        setTheirs(newest.value);
        return;
      }
      setTheirs(null);
      show(judged(failure, wanted), true);
      throw error;
    }
  };
  const save = () => {
    const found = faultsOf(draft, id ? null : ownId);
    if (!id && taken?.has(ownId)) found.push({ place: "id", code: "taken" });
    if (found.length) return show(found, true);
    void saving.run((still) => put(draft, etag.current, still));
  };
  const runPreview = () => {
    const found = faultsOf(draft, null);
    if (found.length) return show(found, false);
    const of = draft;
    void previewing.run(async () => {
      try {
        const path = id ? `/previews?exportId=${encodeURIComponent(id)}` : "/previews";
        const answer = await patiently(() => call<Preview>(path, { method: "POST", body: of }));
        setPreview({ shown: answer.value, of, at: new Date() });
        setFaults([]);
        requestAnimationFrame(() => document.getElementById("preview")?.scrollIntoView({ block: "start" }));
      } catch (error) {
        show(judged(error as Failure, of), false);
        throw error;
      }
    });
  };
  useEffect(() => {
    if (previewAtOnce && mayPreview) runPreview();
  }, []);
  const run = () =>
    running.run(async (still) => {
      const path = `/exports/${encodeURIComponent(id ?? "")}/runs`;
      const started = await call<Model<"StartedOrTried">>(path, { method: "POST" });
      if (still()) go(to(["runs", started.value.runId]));
    });

  /** A pause makes a new version: it is taken for the one that is edited, unless somebody else changed more. */
  const paused = (now: View, newest: string | null) => {
    loaded.put(now, newest);
    if (!differences(base, definitionOf(now)).length) etag.current = newest;
  };
  const view = id ? loaded.data : null;
  const title = id ? t("editor.head", { name: base.displayName }) : t("editor.head.new");
  if (theirs) {
    return (
      <Main title={title}>
        <Crumb name={theirs.displayName} />
        <Conflict
          key={theirs.version ?? 0}
          base={base}
          mine={draft}
          theirs={theirs}
          known={known}
          busy={saving.busy}
          onSave={(wanted) => {
            setDraft(wanted);
            setBase(definitionOf(theirs));
            void saving.run((still) => put(wanted, etag.current, still));
          }}
          onTheirs={() => {
            setBase(definitionOf(theirs));
            setDraft(definitionOf(theirs));
            setTheirs(null);
          }}
          onBack={() => {
            setBase(definitionOf(theirs));
            setTheirs(null);
          }}
        />
      </Main>
    );
  }

  const failure = saving.failure ?? previewing.failure ?? running.failure;
  const fresh = preview && !differences(preview.of, draft).length;
  const counted: HowMany | null =
    fresh && !preview.shown.problems.some((each) => each.stopsRun)
      ? { key: "howMany.preview", n: preview.shown.contacts }
      : saved && !others
        ? howMany(saved)
        : null;
  const usable = known.connections.filter((each) => each.id !== draft.connectionId);
  const current = known.connections.find((each) => each.id === draft.connectionId);
  const emailLists = known.lists.filter((each) => each.channel === "email");
  const listed = known.lists.find((each) => each.id === draft.listId);
  const warned = details.data?.warnings.filter((each) => !isSettled(each, draft)) ?? [];
  const named = new Set(
    [
      ...faults.flatMap((each) => [each.place, each.also]),
      ...[
        ...warned,
        ...chosen.flatMap((each) => each?.problem ?? []),
        ...(preview ? [...preview.shown.problems, ...preview.shown.warnings] : []),
      ].map(readingOf),
    ].filter((place) => READING.some((each) => each === place)),
  );
  const rowsOf = (name: string) =>
    draft.segments.length === 1 && draft.segments[0] === name
      ? fresh
        ? preview.shown.rowsRead
        : (loaded.data?.lastRun?.tally?.rowsRead ?? 0)
      : 0;

  return (
    <>
      <Main title={title}>
        <Crumb name={id ? base.displayName : t("editor.crumb.new")} />
        <div class="head">
          <div>
            <h1>{title}</h1>
            <p class="lead">{t(maySave ? "editor.lead" : "editor.lead.view")}</p>
            {view?.state === "paused" && view.notNow ? (
              <p class="gapt">
                <StateWords each={view} />{" "}
                <span class="soft">
                  {problemText(view.notNow.code, view.notNow.params, "waiting", view.notNow.message)}
                </span>
              </p>
            ) : (
              view && (
                <p class="soft small gapt">
                  {t("editor.next", { when: nextText(view) })}
                  {pausedOnDemand(view) && <>. {t("exports.pause.onDemand")}</>}
                </p>
              )
            )}
          </div>
          {view && (
            <div class="acts">
              <Pause each={view} onDone={paused} />
            </div>
          )}
        </div>
        <nav class="jump" aria-label={t("editor.jump")}>
          {SECTIONS.map(([anchor, text], index) => (
            <a key={anchor} href={`#${anchor}`}>
              {index < 5 && `${number(index + 1)} `}
              {t(text)}
            </a>
          ))}
        </nav>
        {faults.length > 0 && (
          <div class="note bad" role="alert" id="faults" tabIndex={-1}>
            <Icon name="failed" />
            <div>
              <p class="b">{t(faultsOfSave ? "editor.faults" : "editor.faults.preview", { n: faults.length })}</p>
              <ul>
                {faults.map((each) => (
                  <li key={each.place}>
                    <PlaceLink place={each.place}>{lineName(each.place, known.fields)}</PlaceLink>: {faultText(each)}{" "}
                    {each.also && (
                      <PlaceLink place={each.also}>
                        {t("editor.reading.to", { name: lineName(each.also, known.fields) })}
                      </PlaceLink>
                    )}
                  </li>
                ))}
              </ul>
            </div>
          </div>
        )}
        {failure?.signedOut ? (
          <SignInAgain onAgain={saving.failure ? save : previewing.failure ? runPreview : run} />
        ) : (
          failure && !faults.length && <FailureNote failure={failure} />
        )}
        <fieldset class="form" inert={saving.busy} disabled={!maySave} aria-label={t("exports.th.export")}>
          <Section no={1} anchor="s1" head="editor.s1" text="editor.s1.text">
            <Field
              id="connectionId"
              label={t("editor.connection")}
              error={fault("connectionId")}
              hint={
                current?.host ??
                (connections.data && !known.connections.length ? t("editor.connection.ask") : undefined)
              }
            >
              {(control) => (
                <Select
                  {...control}
                  value={draft.connectionId ?? ""}
                  options={[
                    { value: "", label: t("choose") },
                    ...(draft.connectionId
                      ? [{ value: draft.connectionId, label: current?.displayName ?? draft.connectionId }]
                      : []),
                    ...usable.map((each) => ({ value: each.id, label: each.displayName })),
                  ]}
                  onValue={(connectionId) => set({ connectionId: connectionId || null })}
                />
              )}
            </Field>
            {connections.failure && <FailureNote failure={connections.failure} onAgain={connections.reload} />}
          </Section>
          <Section no={2} anchor="s2" head="editor.s2">
            <div class="pair">
              <TextField
                id="displayName"
                label={t("editor.name")}
                value={draft.displayName}
                error={fault("displayName")}
                onValue={(displayName) => set({ displayName })}
              />
              {known.lists.length || lists.busy || !draft.connectionId ? (
                <Field
                  id="listId"
                  label={t("editor.list")}
                  error={fault("listId") ?? (draft.listId && lists.data && !listed ? t("editor.list.gone") : null)}
                  hint={
                    listed?.active != null
                      ? t("editor.list.active", { n: listed.active })
                      : draft.connectionId
                        ? undefined
                        : t("editor.list.first")
                  }
                >
                  {(control) => (
                    <Select
                      {...control}
                      value={String(draft.listId || "")}
                      options={[
                        { value: "", label: t(lists.busy && !lists.data ? "loading" : "choose") },
                        ...(draft.listId && !listed
                          ? [{ value: String(draft.listId), label: String(draft.listId) }]
                          : []),
                        ...emailLists.map((each) => ({ value: String(each.id), label: `${each.id} ${each.name}` })),
                        ...known.lists
                          .filter((each) => each.channel !== "email")
                          .map((each) => ({
                            value: String(each.id),
                            label: t("editor.list.sms", { list: `${each.id} ${each.name}` }),
                            disabled: each.id !== draft.listId,
                          })),
                      ]}
                      onValue={(value) => set({ listId: Number(value) })}
                    />
                  )}
                </Field>
              ) : (
                <TextField
                  id="listId"
                  label={t("editor.list")}
                  type="number"
                  value={String(draft.listId || "")}
                  error={fault("listId")}
                  hint={lists.failure ? failureText(lists.failure) : lists.data ? t("editor.list.none") : undefined}
                  onValue={(value) => set({ listId: Number(value) })}
                />
              )}
              {!id && (
                <TextField
                  id="id"
                  label={t("exports.id")}
                  value={ownId}
                  error={fault("id")}
                  hint={t("editor.id.hint")}
                  spellcheck={false}
                  onValue={setTypedId}
                />
              )}
            </div>
          </Section>
          <Section no={3} anchor="s3" head="editor.segments" text="editor.s3.text">
            <div id="segments" tabIndex={-1}>
              {fault("segments") && (
                <p class="err small">
                  <Icon name="warning" />
                  {fault("segments")}
                </p>
              )}
              <Segments chosen={draft.segments} all={segments.all} rowsOf={rowsOf} onChosen={choose} />
              {segments.failure && <FailureNote failure={segments.failure} onAgain={segments.reload} />}
              {warned.map((each, index) => (
                <Note key={index} tone="warn">
                  <p>
                    {warningText(each)} <ReadingLink told={each} />
                  </p>
                </Note>
              ))}
            </div>
            <ReadingFields
              draft={draft}
              named={[...named].join()}
              ignored={fresh ? ignoredIn(preview.shown.warnings, draft) : null}
              fault={fault}
              onDraft={set}
            />
          </Section>
          <section id="s4">
            <div class="lhs full">
              <h2 class="hn">
                <span class="no">{number(4)}</span>
                {t("editor.matching")}
              </h2>
              <p>{t("editor.s4.text")}</p>
            </div>
            <div class="rhs full">
              <DataMatching
                draft={draft}
                columns={columns}
                fields={known.fields}
                suggested={suggested ?? {}}
                facts={facts}
                values={preview?.shown.values ?? []}
                fault={fault}
                onMatching={setMatching}
                onValues={(each) => {
                  setValues(each);
                  setOpened("values");
                }}
                onUnmasked={isAdmin && asked.length ? () => setUnmasked(!unmasked) : null}
                unmasked={unmasked}
              />
              {fields.failure && <FailureNote failure={fields.failure} onAgain={fields.reload} />}
              <details class="fold">
                <summary>{t("editor.matching.more")}</summary>
                <div class="pair">
                  <TextField
                    id="match.timeZone"
                    label={t("editor.timeZone")}
                    hint={t("editor.timeZone.hint")}
                    value={matching.timeZone ?? "UTC"}
                    error={fault("match.timeZone")}
                    list="zones"
                    spellcheck={false}
                    onValue={(timeZone) => setMatching({ ...matching, timeZone })}
                  />
                  <Zones />
                  <Field
                    id="match.winner"
                    label={t("editor.winner")}
                    hint={t("editor.winner.hint")}
                    error={fault("match.winner") ?? goneText(matching.winner?.column, columns)}
                  >
                    {(control) => (
                      <Select
                        {...control}
                        value={matching.winner?.column ?? ""}
                        options={[
                          { value: "", label: t("editor.winner.first") },
                          ...choosable(columns, matching.winner?.column).map((each) => columnOption(each, columns)),
                        ]}
                        onValue={(column) => setMatching({ ...matching, winner: column ? { column } : null })}
                      />
                    )}
                  </Field>
                </div>
                <Option
                  checked={matching.fillEmpty ?? false}
                  onChecked={(fillEmpty) => setMatching({ ...matching, fillEmpty })}
                  label={t("editor.fillEmpty")}
                />
                <Option
                  checked={matching.noValueTexts ?? true}
                  onChecked={(noValueTexts) => setMatching({ ...matching, noValueTexts })}
                  label={t("editor.noValueTexts")}
                />
              </details>
            </div>
          </section>
          <Section no={5} anchor="s5" head="editor.s5">
            <ScheduleFields
              schedule={draft.schedule ?? { kind: "withEveryRefresh" }}
              saved={base.schedule ?? { kind: "withEveryRefresh" }}
              fault={fault}
              onSchedule={(schedule) => set({ schedule })}
            />
            <ConsentFields
              draft={draft}
              columns={columns}
              fault={fault("consentColumn")}
              without={fresh ? (preview.shown.rejectedByReason.no_consent ?? null) : null}
              onConsent={(consentColumn) => set({ consentColumn })}
            />
            <div class="gap">
              <p class="lab">{t("editor.automations")}</p>
              <Option
                checked={draft.runAutomations ?? false}
                onChecked={(runAutomations) => set({ runAutomations })}
                label={t("editor.automations.on")}
                hint={
                  draft.runAutomations ? (
                    <span class="warnc">
                      {fresh ? t("editor.automations.who", { n: preview.shown.contacts }) : t("editor.automations.all")}
                    </span>
                  ) : (
                    t("editor.automations.hint")
                  )
                }
              />
            </div>
            <GuardFields draft={draft} fault={fault} onDraft={set} />
          </Section>
        </fieldset>
        <section class="pv" id="preview" aria-labelledby="preview-head">
          <h2 id="preview-head">{t("exports.preview")}</h2>
          {preview ? (
            <>
              {!fresh && (
                <Note tone="warn">
                  <p>{t("editor.preview.old")}</p>
                </Note>
              )}
              <PreviewResult
                preview={preview.shown}
                at={preview.at}
                onValues={() => {
                  setValues(null);
                  setOpened("values");
                }}
              />
            </>
          ) : (
            <p>{t(previewing.busy ? "editor.preview.busy" : "editor.preview.none")}</p>
          )}
        </section>
        {saved && (
          <div class="gap" id="saved" tabIndex={-1}>
            <Note
              tone="ok"
              title={t("editor.saved")}
              actions={
                mayRun && (
                  <>
                    <Button onClick={() => setOpened("few")}>{t("editor.few")}</Button>
                    {!saved.warnings?.some(isNotExported) && (
                      <>
                        <Button busy={running.busy} onClick={run}>
                          {t("exports.runIt")}
                        </Button>
                        <ForHowMany known={counted} />
                      </>
                    )}
                  </>
                )
              }
            >
              <p>{t("editor.saved.then")}</p>
            </Note>
            {saved.warnings?.map((each, index) =>
              isNotExported(each) ? (
                <NotExported key={index} id={saved.id} warning={each} known={counted} />
              ) : (
                <Note key={index} tone="warn">
                  <p>
                    {warningText(each)} <ReadingLink told={each} />
                  </p>
                </Note>
              ),
            )}
          </div>
        )}
        <div class="save">
          {maySave && (
            <Button look="go" busy={saving.busy} disabled={Boolean(id) && !dirty} onClick={save}>
              {t("editor.save")}
            </Button>
          )}
          {mayPreview && (
            <Button busy={previewing.busy} onClick={runPreview}>
              {t("exports.preview")}
            </Button>
          )}
          {mayRun && (
            <Button disabled={!id || dirty} expanded={opened === "few"} onClick={() => setOpened("few")}>
              {t("editor.few")}
            </Button>
          )}
          <a class="btn flat" href={to(["exports"])}>
            {t(dirty ? "editor.cancel" : "editor.back")}
          </a>
          <p>
            <span role="status">
              {previewing.busy && t("editor.preview.busy")}
              {dirty && !previewing.busy && (
                <span class="st warn small">
                  <Icon name="edit" />
                  {t("editor.dirty", {
                    n: changed.length,
                    names: some(
                      changed.map((each) => lineName(each, known.fields)),
                      4,
                    ),
                  })}
                </span>
              )}
            </span>{" "}
            {maySave && id && !dirty && `${t("editor.clean")} `}
            {t(mayRun && (!id || dirty) ? "editor.few.first" : "editor.noRun")}
          </p>
        </div>
      </Main>
      {opened === "few" && id && (
        <Panel over title={t("editor.few")} onClose={() => setOpened(null)}>
          <Few {...few} />
        </Panel>
      )}
      {opened === "values" && preview && (
        <Panel
          over
          title={values ? t("editor.values.of", { field: values.title ?? values.column }) : t("editor.values")}
          onClose={() => setOpened(null)}
        >
          <UnfitValues values={values ? [values] : preview.shown.values} fields={known.fields} />
        </Panel>
      )}
    </>
  );
}

const SECTIONS: [anchor: string, text: Key][] = [
  ["s1", "editor.s1"],
  ["s2", "editor.s2"],
  ["s3", "editor.segments"],
  ["s4", "editor.matching"],
  ["s5", "editor.s5"],
  ["preview", "exports.preview"],
];

/** The preview after a save: if it was of what was sent, it is of what the service made of that, with its defaults. */
function previewOf(preview: Previewed | null, sent: Draft, saved: Draft): Previewed | null {
  return preview && !differences(preview.of, sent).length ? { ...preview, of: saved } : preview;
}

const TRIES = 4;

/** Segments are read for few callers at a time: wait as long as the answer says, then ask again. */
async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      const { status, retryAfterS } = error as Failure;
      if (status !== 429 || tries === TRIES) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000 * (retryAfterS ?? 2)));
    }
  }
}

function isSegment(segment: Segment, name: string): boolean {
  return segment.name === name || segment.name.endsWith(`/${name}`);
}

function useSegments(may: boolean) {
  const [found, setFound] = useState<{ all: Segment[] | null; failure: Failure | null }>({ all: null, failure: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!may) return;
    let wanted = true;
    all<Segment>("/segments").then(
      (segments) => wanted && setFound({ all: segments, failure: null }),
      (failure: Failure) => wanted && setFound((now) => ({ ...now, failure })),
    );
    return () => {
      wanted = false;
    };
  }, [may, turn]);
  return { ...found, reload: () => setTurn((n) => n + 1) };
}

/** The ids that a new export cannot have; null while they are not known. */
function useTaken(wanted: boolean): ReadonlySet<string> | null {
  const [taken, setTaken] = useState<ReadonlySet<string> | null>(null);
  useEffect(() => {
    if (wanted)
      all<View>("/exports").then(
        (exports) => setTaken(new Set(exports.map((each) => each.id))),
        () => undefined,
      );
  }, [wanted]);
  return taken;
}

function Section({
  no,
  anchor,
  head,
  text,
  children,
}: {
  no: number;
  anchor: string;
  head: Key;
  text?: Key;
  children: ComponentChildren;
}) {
  return (
    <section id={anchor}>
      <div class="lhs">
        <h2 class="hn">
          <span class="no">{number(no)}</span>
          {t(head)}
        </h2>
        {text && <p>{t(text)}</p>}
      </div>
      <div class="rhs">{children}</div>
    </section>
  );
}

interface SegmentsProps {
  chosen: readonly string[];
  all: readonly Segment[] | null;
  rowsOf: (name: string) => number;
  onChosen: (chosen: string[]) => void;
}

/** The chosen ones first, in the order that decides who wins; then all others. */
function Segments({ chosen, all, rowsOf, onChosen: onChange }: SegmentsProps) {
  const toggled = useRef<string | null>(null);
  useEffect(() => {
    // A segment that is chosen moves up to the chosen ones: the focus moves with its box.
    const labels = [...document.querySelectorAll<HTMLElement>("#segments [title]")];
    const label = labels.find((each) => each.title === toggled.current)?.closest("label");
    if (document.activeElement === document.body) label?.querySelector("input")?.focus();
    toggled.current = null;
  }, [chosen]);
  const onChosen = (next: string[], name?: string) => {
    toggled.current = name ?? null;
    onChange(next);
  };
  const others = (all ?? []).filter((each) => !chosen.some((name) => isSegment(each, name)));
  const move = (at: number) => {
    const next = chosen.slice();
    next.splice(at - 1, 0, ...next.splice(at, 1));
    onChosen(next);
  };
  const about = (segment: Segment | undefined, name: string) => {
    if (!segment) return all ? t("editor.segment.gone") : "";
    const rows = rowsOf(name);
    return [
      rows ? t("editor.segment.rows", { n: rows }) : "",
      segment.refreshedUtc ? t("editor.segment.refreshed", { ago: ago(segment.refreshedUtc) }) : "",
      segment.problem
        ? problemText(segment.problem.code, segment.problem.params, "answered", segment.problem.message)
        : t("editor.segment.files", { n: segment.files }),
    ]
      .filter(Boolean)
      .join(", ");
  };
  if (!all && !chosen.length) return <Skeleton />;
  return (
    <>
      {chosen.map((name, at) => {
        const segment = all?.find((each) => isSegment(each, name));
        return (
          <div key={name} class="segment">
            <Option
              checked
              onChecked={() =>
                onChosen(
                  chosen.filter((each) => each !== name),
                  segment?.name ?? name,
                )
              }
              label={
                <span title={segment?.name ?? name}>
                  {chosen.length > 1 && `${number(at + 1)}. `}
                  {segmentName(name)}
                </span>
              }
              hint={about(segment, name)}
            />
            {segment?.problem && <ReadingLink told={segment.problem} />}
            {at > 0 && (
              <Button
                look="flat"
                slim
                label={t("editor.segment.up", { name: segmentName(name) })}
                onClick={() => move(at)}
              >
                ↑
              </Button>
            )}
          </div>
        );
      })}
      {others.map((each) => (
        <Option
          key={each.name}
          checked={false}
          onChecked={() => onChosen([...chosen, each.name], each.name)}
          label={<span title={each.name}>{segmentName(each.name)}</span>}
          hint={about(each, each.name)}
        />
      ))}
      {all && !all.length && !chosen.length && <p class="soft">{t("editor.segment.none")}</p>}
    </>
  );
}

function Zones() {
  return (
    <datalist id="zones">
      {Intl.supportedValuesOf("timeZone").map((each) => (
        <option key={each} value={each} />
      ))}
    </datalist>
  );
}

type Consent = NonNullable<Draft["consentColumn"]>;
const CONDITIONS: [Consent["condition"], Key][] = [
  ["equals", "editor.consent.equals"],
  ["isNot", "editor.consent.isNot"],
  ["isEmpty", "editor.consent.isEmpty"],
];

function ConsentFields({
  draft,
  columns,
  fault,
  without,
  onConsent,
}: {
  draft: Draft;
  columns: readonly string[];
  fault: string | null;
  without: number | null;
  onConsent: (consent: Consent | null) => void;
}) {
  const consent = draft.consentColumn ?? null;
  return (
    <div class="pair gap">
      <Field
        id="consentColumn"
        label={t("editor.consent")}
        error={fault ?? goneText(consent?.column, columns)}
        hint={t("editor.consent.hint")}
      >
        {(control) => (
          <Select
            {...control}
            value={consent?.column ?? ""}
            options={[
              { value: "", label: t("editor.consent.none") },
              ...choosable(columns, consent?.column).map((each) => columnOption(each, columns)),
            ]}
            onValue={(column) => onConsent(column ? { condition: "equals", value: "", ...consent, column } : null)}
          />
        )}
      </Field>
      {consent && (
        <Field
          label={t("editor.consent.if")}
          hint={without === null ? undefined : t("editor.consent.without", { n: without })}
        >
          {(control) => (
            <div class="acts nowrap">
              <Select
                {...control}
                value={consent.condition}
                options={CONDITIONS.map(([value, text]) => ({ value: value as string, label: t(text) }))}
                onValue={(condition) =>
                  onConsent({
                    ...consent,
                    condition: condition as Consent["condition"],
                    value: condition === "isEmpty" ? null : (consent.value ?? ""),
                  })
                }
              />
              {consent.condition !== "isEmpty" && (
                <input
                  class="in"
                  aria-label={t("editor.consent.value")}
                  value={consent.value ?? ""}
                  onInput={(event) => onConsent({ ...consent, value: event.currentTarget.value })}
                />
              )}
            </div>
          )}
        </Field>
      )}
    </div>
  );
}

/** What a run may come to without being held: for whoever opens it. */
function GuardFields({
  draft,
  fault,
  onDraft,
}: {
  draft: Draft;
  fault: (place: string) => string | null;
  onDraft: (part: Partial<Draft>) => void;
}) {
  const guards = draft.guards ?? { mayBeEmpty: false, maxRejectShare: 0.5 };
  const set = (part: object) => onDraft({ guards: { ...guards, ...part } as Draft["guards"] });
  const share = guards.maxRejectShare ?? 0.5;
  const toNumber = (value: string) => (value === "" ? null : Number(value));
  return (
    <details class="fold">
      <summary>{t("editor.guards")}</summary>
      <p class="soft small">{t("editor.guards.text")}</p>
      <div class="pair">
        <TextField
          id="guards.maxRejectShare"
          type="number"
          label={t("editor.rejectShare.percent")}
          hint={t("editor.rejectShare.hint", {
            share: percent(share, share * 100 === Math.round(share * 100) ? 0 : 1),
          })}
          value={String(Math.round(share * 10_000) / 100)}
          error={fault("guards.maxRejectShare")}
          onValue={(value) => set({ maxRejectShare: (toNumber(value) ?? 50) / 100 })}
        />
        <TextField
          id="guards.sizeFactor"
          type="number"
          label={t("editor.sizeFactor")}
          hint={t("editor.sizeFactor.hint")}
          value={guards.sizeFactor == null ? "" : String(guards.sizeFactor)}
          error={fault("guards.sizeFactor")}
          onValue={(value) => set({ sizeFactor: toNumber(value) })}
        />
        <TextField
          id="maxContacts"
          type="number"
          label={t("editor.maxContacts")}
          hint={t("editor.maxContacts.hint")}
          value={String(draft.maxContacts ?? 1_000_000)}
          error={fault("maxContacts")}
          onValue={(value) => onDraft({ maxContacts: toNumber(value) ?? 1_000_000 })}
        />
      </div>
      <Option
        checked={guards.mayBeEmpty ?? false}
        onChecked={(mayBeEmpty) => set({ mayBeEmpty })}
        label={t("editor.mayBeEmpty")}
      />
      <Option
        checked={draft.allowOverContactLimit ?? false}
        onChecked={(allowOverContactLimit) => onDraft({ allowOverContactLimit })}
        label={t("editor.overLimit")}
      />
      <Option
        checked={draft.skipUnchanged ?? true}
        onChecked={(skipUnchanged) => onDraft({ skipUnchanged })}
        label={t("editor.skipUnchanged")}
      />
    </details>
  );
}
