/** One segment: which files are read and how, what its columns hold. Examples are masked. */
import { useContext, useEffect, useState } from "preact/hooks";
import { call } from "../api/client";
import { usePages } from "../api/pages";
import type { Model } from "../api/types";
import { useAct, useLoaded } from "../api/use";
import { Main } from "../app";
import { Button, grow, LinkButton, Note, Select, Skeleton } from "../parts/controls";
import { FailureNote, StaleBanner } from "../parts/failure";
import { Icon } from "../parts/icons";
import { MeContext, useMay } from "../parts/me";
import { Say } from "../parts/text";
import { to } from "../router";
import { columnsInUse, MAX_COLUMNS, parted, rowsOf, segmentPath, usedBy } from "../rules/segments";
import { ago, type Key, list, number, percent, recently, t } from "../texts";
import { problemText, warningText } from "../texts/problems";
import { size } from "../texts/sizes";
import { SegmentState } from "./segments";

type Details = Model<"SegmentDetails">;
type Facts = Model<"ColumnFactsView">;
type Export = Model<"ExportView">;

export function SegmentPage({ name }: { name: string }) {
  const loaded = useLoaded<Details>(segmentPath(name));
  const exports = usePages<Export>("/exports", Number.POSITIVE_INFINITY);
  const mayAdd = useMay("saveExport");
  const { last } = parted(name);
  const segment = loaded.data;
  const users = usedBy(segment?.name ?? name, exports.items ?? []);
  const rows = rowsOf(segment?.name ?? name, exports.items ?? []);
  return (
    <Main title={last}>
      {loaded.failure && segment && <StaleBanner failure={loaded.failure} onAgain={loaded.reload} />}
      <nav class="crumb" aria-label={t("crumb")}>
        <a href={to(["segments"])}>{t("nav.segments")}</a>
        <span aria-hidden="true">/</span>
        <span aria-current="page" class="wrap">
          {name}
        </span>
      </nav>
      <div class="head">
        <div>
          <h1 class="wrap">{last}</h1>
          {segment && (
            <div class="meta">
              {segment.warnings.length > 0 && !segment.problem ? (
                <span class="st warn">
                  <Icon name="warning" />
                  {t("segment.warned")}
                </span>
              ) : (
                <SegmentState segment={segment} long />
              )}
              {rows && <span>{t("segment.rows", { n: rows.rows, when: ago(rows.at) })}</span>}
              {segment.refreshedUtc && <span>{t("segment.refreshed", { when: recently(segment.refreshedUtc) })}</span>}
            </div>
          )}
        </div>
        <div class="acts">
          {mayAdd && segment && !segment.problem && (
            <LinkButton look="go" icon="add" href={to(["exports", "new"], { segment: segment.name })}>
              {t("segment.add")}
            </LinkButton>
          )}
          <Button icon="reload" busy={loaded.busy} onClick={loaded.reload}>
            {t("segment.again")}
          </Button>
        </div>
      </div>
      {!segment ? (
        loaded.failure ? (
          <FailureNote failure={loaded.failure} onAgain={loaded.reload} />
        ) : (
          <Skeleton lines={9} />
        )
      ) : (
        <>
          <Sentence segment={segment} />
          <Files segment={segment} />
          <section>
            <h2>{t("segments.th.understood")}</h2>
            <Understood segment={segment} users={users} />
          </section>
          {segment.columns.length > 0 && exports.items !== null && (
            <Columns key={segment.name} segment={segment} users={users} />
          )}
        </>
      )}
    </Main>
  );
}

function Sentence({ segment }: { segment: Details }) {
  const { problem, files, filesNotReadCount: notRead, warnings } = segment;
  return (
    <>
      <p class="say">
        {problem ? t("segment.unread") : <Say of="segment.say" with={{ read: files, n: files + notRead }} />}
      </p>
      {problem ? (
        <p class="then">{problemText(problem.code, problem.params, "answered", problem.message)}</p>
      ) : (
        notRead > 0 && <p class="then">{t("segment.say.notRead", { n: notRead })}</p>
      )}
      {problem && <p class="code small">{t("note.code", { code: problem.code })}</p>}
      {warnings.length > 0 && (
        <div class="gap">
          <Note tone="warn">
            {warnings.map((each) => {
              const text = warningText(each);
              return (
                <p key={text} class="wrap">
                  {text}
                </p>
              );
            })}
          </Note>
        </div>
      )}
    </>
  );
}

/** Why a file is not read, by the API's code; its own words where there is no other. */
const WHY: Record<string, Key> = {
  empty: "segment.why.empty",
  ignored: "segment.why.ignored",
  older: "segment.why.older",
  otherFormat: "segment.why.otherFormat",
  subfolder: "segment.why.subfolder",
  unlisted: "segment.why.unlisted",
};
const QUIET = new Set(["empty", "ignored", "older"]);

function Files({ segment }: { segment: Details }) {
  const { filesRead, filesNotRead } = segment;
  if (!filesRead.length && !filesNotRead.length) return null;
  const more = segment.files - filesRead.length + segment.filesNotReadCount - filesNotRead.length;
  const path = (of: string) => (of.startsWith(`${segment.name}/`) ? of.slice(segment.name.length + 1) : of);
  return (
    <section>
      <h2>{t("segment.files")}</h2>
      <table class="stack sums files">
        <caption class="vh">{t("segment.files")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("segment.th.file")}</th>
            <th scope="col">{t("segment.th.read")}</th>
            <th scope="col" class="num">
              {t("segment.th.size")}
            </th>
          </tr>
        </thead>
        <tbody>
          {filesRead.map((file) => (
            <tr key={file.path}>
              <th scope="row" class="mono wrap">
                {path(file.path)}
              </th>
              <td data-l={t("segment.th.read")}>{t("segment.read")}</td>
              <td class="num" data-l={t("segment.th.size")}>
                {size(file.sizeBytes)}
              </td>
            </tr>
          ))}
          {filesNotRead.map((file) => (
            <tr key={file.path}>
              <th scope="row" class="mono wrap">
                {path(file.path)}
              </th>
              <td data-l={t("segment.th.read")}>
                <span class={QUIET.has(file.code) ? "st off" : "st warn"}>
                  <Icon name={QUIET.has(file.code) ? "held" : "warning"} />
                  <span class="plain">{t("segment.notRead", { why: whyText(file) })}</span>
                </span>
              </td>
              <td class="num" data-l={t("segment.th.size")}>
                –
              </td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">{t("segment.sum", { n: segment.files })}</th>
            <td>{more > 0 && <span class="soft">{t("segment.moreFiles", { n: more })}</span>}</td>
            <td class="num">{size(segment.sizeBytes)}</td>
          </tr>
        </tfoot>
      </table>
    </section>
  );
}

function whyText(file: Model<"FileNotReadView">): string {
  const key = WHY[file.code];
  return key ? t(key) : file.why;
}

const LAYOUTS: Record<Model<"Layout">, Key> = {
  "model.json": "segment.layout.model",
  folder: "segment.layout.folder",
  partitionedFolder: "segment.layout.partitioned",
  file: "segment.layout.file",
};
const DELIMITERS: Record<string, Key> = {
  ",": "segment.delimiter.comma",
  ";": "segment.delimiter.semicolon",
  "\t": "segment.delimiter.tab",
  "|": "segment.delimiter.pipe",
};

function Understood({ segment, users }: { segment: Details; users: readonly Export[] }) {
  const [first] = segment.filesRead;
  const formats = [...new Set(segment.filesRead.map(formatOf))];
  const names =
    segment.layout === "model.json" || first?.header === false ? "segment.header.model" : "segment.header.row";
  return (
    <dl class="dl facts">
      <dt>{t("segment.layout")}</dt>
      <dd>{t(segment.layout ? LAYOUTS[segment.layout] : "segment.layout.unknown")}</dd>
      {formats.length > 0 && (
        <>
          <dt>{t("segment.format")}</dt>
          <dd>{list(formats)}</dd>
        </>
      )}
      {segment.columns.length > 0 && (
        <>
          <dt>{t("segment.header")}</dt>
          <dd>
            {t("segment.columns.n", { n: segment.columns.length })},{" "}
            {t(first?.format === "parquet" ? "segment.header.parquet" : names)}
          </dd>
        </>
      )}
      <dt>{t("segment.refresh")}</dt>
      <dd>{segment.refreshedUtc ? recently(segment.refreshedUtc) : t("segment.refresh.unknown")}</dd>
      {segment.unreadableRows > 0 && (
        <>
          <dt>{t("segment.unreadable")}</dt>
          <dd>{t("segment.unreadable.n", { n: segment.unreadableRows, of: segment.rowsLookedAt })}</dd>
        </>
      )}
      <dt>{t("admin.th.used")}</dt>
      <dd>
        {users.length === 0
          ? t("admin.nothing")
          : users.map((each, index) => (
              <span key={each.id}>
                {index > 0 && ", "}
                <a href={to(["exports", each.id, "edit"])}>{each.displayName}</a>
              </span>
            ))}
      </dd>
    </dl>
  );
}

function formatOf(file: Model<"FileView">): string {
  if (file.format !== "csv") return t("segment.format.parquet");
  const delimiter = DELIMITERS[file.delimiter ?? ""];
  return t(file.header ? "segment.format.csv.header" : "segment.format.csv", {
    delimiter: delimiter ? t(delimiter) : (file.delimiter ?? ""),
    encoding: (file.encoding ?? "UTF-8").replace(/^utf/, "UTF"),
  });
}

/** What columns hold: those in use first, others on demand. Only their names are shown until the API has looked. */
function Columns({ segment, users }: { segment: Details; users: readonly Export[] }) {
  const all = segment.columns.map((column) => column.name);
  const inUse = columnsInUse(all, users, {});
  const [looked, setLooked] = useState<readonly Facts[]>([]);
  const [asked, setAsked] = useState(() => columnsInUse(all, users, segment.suggestion));
  const [unmasked, setUnmasked] = useState(false);
  const act = useAct();
  const me = useContext(MeContext);
  const left = all.filter((column) => !asked.includes(column));

  const look = (columns: readonly string[], plain: boolean) =>
    act.run(async () => {
      if (!columns.length) return;
      const { value } = await call<Details>(segmentPath(segment.name, columns, plain));
      const told = new Map(value.columnFacts.map((facts) => [facts.name, facts]));
      setLooked((before) => [
        ...before.map((facts) => told.get(facts.name) ?? facts),
        ...value.columnFacts.filter((facts) => !before.some((known) => known.name === facts.name)),
      ]);
      setUnmasked(plain);
      setAsked((before) => [...new Set([...before, ...columns])]);
    });
  useEffect(() => void look(asked, false), []);

  return (
    <section>
      <h2>{t("segment.columns")}</h2>
      <p>
        {t("segment.columns.used", { used: inUse.length, n: all.length })}{" "}
        {unmasked ? t("segment.unmasked") : t("segment.masked")}
      </p>
      {looked.length > 0 && <ColumnTable looked={looked} unmasked={unmasked} />}
      {act.busy && !looked.length && <Skeleton lines={4} />}
      {act.failure && <FailureNote failure={act.failure} onAgain={() => look(asked, unmasked)} />}
      <div class="acts gap">
        {left.length > 0 && looked.length < MAX_COLUMNS && (
          <span class="pick">
            <Select
              label={t("segment.more")}
              value=""
              disabled={act.busy}
              options={[
                { value: "", label: t("segment.more") },
                ...left.map((column) => ({ value: column, label: column })),
              ]}
              onValue={(column) => column && look([column], unmasked)}
            />
          </span>
        )}
        {me?.role === "Admin" && looked.length > 0 && (
          <Button
            icon="eye"
            busy={act.busy}
            onClick={() =>
              look(
                looked.map((facts) => facts.name),
                !unmasked,
              )
            }
          >
            {t(unmasked ? "segment.mask" : "segment.unmask")}
          </Button>
        )}
      </div>
      {left.length > 0 && (
        <details>
          <summary>{t("segment.others", { n: left.length })}</summary>
          <p class="soft wrap">{list(left)}</p>
        </details>
      )}
    </section>
  );
}

const MANY = 50; // values that the API counts at most

function ColumnTable({ looked, unmasked }: { looked: readonly Facts[]; unmasked: boolean }) {
  const examples = t(unmasked ? "segment.th.examples.plain" : "segment.th.examples");
  return (
    <table class="stack columns">
      <caption class="vh">{t("segment.columns")}</caption>
      <thead>
        <tr>
          <th scope="col">{t("segment.th.column")}</th>
          <th scope="col">{t("segment.th.filled")}</th>
          <th scope="col" class="num">
            {t("segment.th.distinct")}
          </th>
          <th scope="col">{examples}</th>
        </tr>
      </thead>
      <tbody>
        {looked.map((facts) => (
          <tr key={facts.name}>
            <th scope="row" class="mono wrap">
              {facts.name}
            </th>
            {facts.hidden ? (
              <td colSpan={3} class="soft">
                {t("segment.hidden")}
              </td>
            ) : (
              <>
                <td data-l={t("segment.th.filled")}>
                  <Filled facts={facts} />
                </td>
                <td class="num" data-l={t("segment.th.distinct")}>
                  {(facts.distinctValues ?? 0) >= MANY
                    ? t("segment.many", { n: MANY })
                    : number(facts.distinctValues ?? 0)}
                </td>
                <td class="soft wrap" data-l={examples}>
                  {facts.examples?.length ? facts.examples.join(" · ") : t("segment.empty")}
                </td>
              </>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Filled({ facts }: { facts: Facts }) {
  const rows = facts.rowsLookedAt ?? 0;
  const share = rows ? (facts.filled ?? 0) / rows : 0;
  // 4,999 of 5,000 are not all of them.
  const shown = share < 1 ? Math.floor(share * 10_000) / 10_000 : 1;
  return (
    <div>
      <span class="meter" aria-hidden="true">
        <i ref={grow(share)} />
        {share < 1 && <i class="rest" ref={grow(1 - share)} />}
      </span>
      {percent(shown, shown < 1 ? 2 : 0)}
      {facts.validAddresses ? <small>{t("segment.addresses", { n: facts.validAddresses, of: rows })}</small> : null}
    </div>
  );
}
