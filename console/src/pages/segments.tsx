/** The segments in storage: how old each is, whether it can be read, which exports use it. */
import { useEffect, useState } from "preact/hooks";
import { usePages } from "../api/pages";
import type { Model } from "../api/types";
import { Main } from "../app";
import { Button, SearchField, Skeleton } from "../parts/controls";
import { FailureNote, StaleBanner } from "../parts/failure";
import { Icon, type IconName } from "../parts/icons";
import { useMay } from "../parts/me";
import { to } from "../router";
import { condition, parted, rowsOf, usedBy } from "../rules/segments";
import { ago, type Key, number, recently, some, t } from "../texts";
import { problemText } from "../texts/problems";
import { size } from "../texts/sizes";

type Segment = Model<"SegmentView">;
type Export = Model<"ExportView">;

export function SegmentsPage() {
  const may = useMay("listSegments");
  const segments = usePages<Segment>(may ? "/segments?top=50" : null);
  const exports = usePages<Export>(may ? "/exports" : null, Number.POSITIVE_INFINITY);
  const [filter, setFilter] = useState("");
  const { items, more, busy, failure, loadMore } = segments;
  useEffect(() => {
    if (filter && more && !busy && !failure) loadMore(); // who looks for a name means all of them
  }, [filter, more, busy, failure, loadMore]);
  const sought = filter.trim().toLowerCase();
  const shown = items?.filter((each) => each.name.toLowerCase().includes(sought)) ?? [];
  return (
    <Main title={t("nav.segments")}>
      {failure && items && <StaleBanner failure={failure} onAgain={segments.reload} />}
      <div class="head">
        <div>
          <h1>{t("nav.segments")}</h1>
          {items && <p class="lead">{leadOf(items, more)}</p>}
        </div>
      </div>
      {!may ? (
        <p>{t("admin.notYours")}</p>
      ) : items === null ? (
        failure ? (
          <FailureNote failure={failure} onAgain={segments.reload} />
        ) : (
          <Skeleton lines={9} />
        )
      ) : items.length === 0 ? (
        <div class="empty">
          <p class="lead">{t("segments.first")}</p>
          <div class="acts gap">
            <Button icon="reload" busy={busy} onClick={segments.reload}>
              {t("reload")}
            </Button>
          </div>
        </div>
      ) : (
        <>
          <fieldset class="cmd" aria-label={t("commands")}>
            <Button look="flat" icon="reload" busy={busy} onClick={segments.reload}>
              {t("reload")}
            </Button>
            <SearchField label={t("filter")} value={filter} onValue={setFilter} />
          </fieldset>
          {shown.length > 0 && <Table segments={shown} exports={exports.items} />}
          <div class="foot" role="status">
            <span>
              {filter && !shown.length && !more
                ? t("segments.noneCalled", { name: filter.trim(), n: items.length })
                : (filter || more) && t("segments.shown", { shown: shown.length, n: items.length })}
            </span>
            {more && (
              <Button slim busy={busy} onClick={loadMore}>
                {t("segments.more")}
              </Button>
            )}
          </div>
        </>
      )}
    </Main>
  );
}

function leadOf(segments: readonly Segment[], more: boolean): string {
  const now = new Date();
  const count = (what: ReturnType<typeof condition>) => segments.filter((each) => condition(each, now) === what).length;
  const [unread, writing, old] = [count("unread"), count("writing"), count("old")];
  return [
    t(more ? "segments.lead.more" : "segments.lead", { n: segments.length }),
    unread > 0 && t("segments.lead.unread", { n: unread }),
    writing > 0 && t("segments.lead.writing", { n: writing }),
    old > 0 && t("segments.lead.old", { n: old }),
    !unread && !writing && !old && segments.length > 0 && t("segments.lead.fine", { n: segments.length }),
  ]
    .filter(Boolean)
    .join(" ");
}

const LOOKS = {
  complete: ["ok", "done", "segments.complete"],
  old: ["warn", "waiting", "segments.old"],
  writing: ["warn", "waiting", "segments.writing"],
  unread: ["bad", "failed", "segments.unread"],
} as const satisfies Record<ReturnType<typeof condition>, [string, IconName, Key]>;

/** Whether a segment can be read, and if not, why. */
export function SegmentState({ segment, long }: { segment: Segment; long?: boolean }) {
  const [tone, icon, text] = LOOKS[condition(segment, new Date())];
  const { problem } = segment;
  return (
    <span class={`st ${tone}`}>
      <Icon name={icon} />
      <span class={long ? undefined : "plain"}>
        {problem && !long ? problemText(problem.code, problem.params, "answered", problem.message) : t(text)}
      </span>
    </span>
  );
}

/** A segment's name: what people know it by, and before that the folder, quieter. */
function SegmentName({ name }: { name: string }) {
  const { folder, last } = parted(name);
  return (
    <>
      <a class="name" href={to(["segments", name])}>
        {last}
      </a>
      {folder && <small>{folder.replace(/\/$/, "")}</small>}
    </>
  );
}

function Table({ segments, exports }: { segments: readonly Segment[]; exports: readonly Export[] | null }) {
  return (
    <table class="stack segments">
      <caption class="vh">{t("nav.segments")}</caption>
      <thead>
        <tr>
          <th scope="col">{t("segments.th.name")}</th>
          <th scope="col" class="num">
            {t("segments.th.rows")}
          </th>
          <th scope="col">{t("segments.th.refreshed")}</th>
          <th scope="col">{t("segments.th.understood")}</th>
          <th scope="col">{t("admin.th.used")}</th>
        </tr>
      </thead>
      <tbody>
        {segments.map((each) => {
          const rows = exports && rowsOf(each.name, exports);
          const users = exports ? usedBy(each.name, exports).map((user) => user.displayName) : [];
          return (
            <tr key={each.name}>
              <th scope="row" class="wrap">
                <SegmentName name={each.name} />
              </th>
              <td class="num" data-l={t("segments.th.rows")}>
                <div>
                  {rows ? number(rows.rows) : "–"}
                  {rows && <small>{t("segments.rows.at", { when: ago(rows.at) })}</small>}
                </div>
              </td>
              <td data-l={t("segments.th.refreshed")}>
                {each.refreshedUtc ? (
                  <time dateTime={each.refreshedUtc} title={recently(each.refreshedUtc)}>
                    {ago(each.refreshedUtc)}
                  </time>
                ) : (
                  "–"
                )}
              </td>
              <td data-l={t("segments.th.understood")}>
                <div>
                  <SegmentState segment={each} />
                  {!each.problem && (
                    <small>
                      {t("segments.files", { n: each.files })}, {size(each.sizeBytes)}
                    </small>
                  )}
                </div>
              </td>
              <td data-l={t("admin.th.used")} class="wrap">
                {users.length ? some(users, 3) : "–"}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
