/** Two parts of a run that name people or what they have: the rows that are not on the list, the values that did not fit. */
import { useEffect, useState } from "preact/hooks";
import { call, download, Failure, fetchText, pathAfter } from "../api/client";
import type { Model } from "../api/types";
import { useAct, useLoaded } from "../api/use";
import { Button, Skeleton } from "../parts/controls";
import { FailureNote } from "../parts/failure";
import { go, to } from "../router";
import { recordsOf } from "../rules/csv";
import { maskAddress, maskText } from "../rules/mask";
import { isOver, type Run, unfitOf } from "../rules/run";
import { maybe, number, t } from "../texts";
import { reasonText } from "../texts/problems";

type Page = Model<"RejectPage">;
const A_PAGE = 50;

export function Rejects({ run, reason }: { run: Run; reason: string | null }) {
  const path = `/runs/${encodeURIComponent(run.runId)}/rejects`;
  const wanted = reason ? `&reason=${encodeURIComponent(reason)}` : "";
  const first = useLoaded<Page>(`${path}?format=json&top=${A_PAGE}${wanted}`);
  // Further pages of the rows that are shown: one that comes when others are shown by then is of no use.
  const [later, setLater] = useState<{ of: Page | null; pages: Page[] }>({ of: null, pages: [] });
  const [reasons, setReasons] = useState<Record<string, number>>(run.tally?.reasons ?? {});
  const [open, setOpen] = useState(false);
  const act = useAct();
  useEffect(() => {
    setLater({ of: first.data, pages: [] });
    act.clear();
    if (first.data) setReasons(first.data.reasons);
  }, [first.data]);

  const all = Object.values(reasons).reduce((a, b) => a + b, 0);
  const of = reason ? (reasons[reason] ?? 0) : all;
  const pages = first.data ? [first.data, ...later.pages] : [];
  const rows = pages.flatMap((each) => each.value);
  const next = pathAfter(pages.at(-1) ?? null);
  const choose = (code: string | null) =>
    go(to(["runs", run.runId, "rejects"], code ? { reason: code } : {}), { replace: true });
  const more = () =>
    act.run(async () => {
      if (!next) return;
      const page = (await call<Page>(next)).value;
      setLater((now) => (now.of === first.data ? { ...now, pages: [...now.pages, page] } : now));
    });
  const save = () => act.run(() => download(path + wanted.replace("&", "?"), `${run.runId}.csv`));
  const again = () => {
    act.clear();
    first.reload();
  };
  const { rowsRead = 0, confirmed = 0 } = run.tally ?? {};
  return (
    <section class="view">
      <h2 class="vh">{t("run.rejects.head", { n: all })}</h2>
      <p class="soft">
        {run.held
          ? t("run.rejects.held")
          : !isOver(run.status)
            ? t("run.rejects.going")
            : rowsRead - all === confirmed
              ? t("run.rejects.lead", { a: rowsRead, n: all, c: confirmed })
              : t("run.rejects.head", { n: all })}
      </p>
      <fieldset class="chips" aria-label={t("run.rejects.chips")}>
        {[null, ...Object.keys(reasons).sort((a, b) => (reasons[b] ?? 0) - (reasons[a] ?? 0))].map((code) => (
          <button key={code} type="button" class="chip" aria-pressed={code === reason} onClick={() => choose(code)}>
            {code ? reasonText(code) : t("run.rejects.all")} <b>{number(code ? (reasons[code] ?? 0) : all)}</b>
          </button>
        ))}
      </fieldset>
      <div class="cmd">
        <Button look="flat" icon="download" onClick={() => void save()} busy={act.busy}>
          {t("run.rejects.csv")}
        </Button>
        <Button look="flat" icon="eye" onClick={() => setOpen(!open)} pressed={open}>
          {t("run.rejects.show")}
        </Button>
        <span class="end soft small">{t("run.rejects.recorded")}</span>
      </div>
      {first.failure && <FailureNote failure={first.failure} onAgain={again} />}
      {act.failure && <FailureNote failure={act.failure} onAgain={again} />}
      {!first.data ? (
        first.busy && <Skeleton lines={6} />
      ) : (
        <>
          <table class="stack rejects" aria-label={t("run.rejects.head", { n: all })}>
            <thead>
              <tr>
                <th scope="col">{t("run.rejects.email")}</th>
                <th scope="col">{t("run.rejects.why")}</th>
                <th scope="col">{t("run.rejects.customer")}</th>
                <th scope="col">{t("run.rejects.row")}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map((each) => (
                <tr key={`${each.file} ${each.row}`}>
                  <th scope="row">
                    {each.email.trim() ? (
                      open ? (
                        each.email
                      ) : (
                        maskAddress(each.email)
                      )
                    ) : (
                      <span class="soft">{t("run.rejects.none")}</span>
                    )}
                  </th>
                  <td>
                    {reasonText(each.reason, each.explanation)}
                    <small>{whatToDo(each)}</small>
                  </td>
                  <td data-l={t("run.rejects.customer")} title={each.customerId}>
                    <span class="mono">{shorter(each.customerId) || "–"}</span>
                  </td>
                  <td data-l={t("run.rejects.row")} title={each.file}>
                    <span>
                      {number(each.row)} <span class="soft mono">…{tailOfName(each.file)}</span>
                    </span>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
          <div class="foot">
            <span role="status">{t("run.rejects.shown", { a: rows.length, n: of })}</span>
            {next && (
              <Button slim onClick={() => void more()} busy={act.busy}>
                {t("run.rejects.more", { n: Math.min(A_PAGE, Math.max(1, of - rows.length)) })}
              </Button>
            )}
          </div>
          {!next && isOver(run.status) && !run.held && rows.length < of && (
            <p class="soft small">{t("run.rejects.gone", { n: of - rows.length })}</p>
          )}
        </>
      )}
    </section>
  );
}

/** What to do about a row; where another row is why, which one that is. */
function whatToDo(row: Model<"RejectView">): string {
  const other = /^Row (\d+) of (.+) (?:has|says) /.exec(row.explanation);
  if (other?.[1] && other[2]) {
    const values = { row: number(Number(other[1])), file: other[2].split("/").at(-1) ?? "" };
    return maybe(`reason.${row.reason}.row`, values) ?? row.explanation;
  }
  return maybe(`reason.${row.reason}.do`) ?? row.explanation;
}

const SHOWN = 12; // enough to find a row by, and the table stays narrow

function shorter(id: string): string {
  return id.length > SHOWN + 4 ? `${id.slice(0, SHOWN)}…` : id;
}

/** The end of a file's name, by which the files of a segment differ. */
function tailOfName(file: string): string {
  const name = file.split("/").at(-1) ?? file;
  return name.includes("_") ? name.slice(name.lastIndexOf("_")) : name.slice(-SHOWN);
}

export function Values({ run, may }: { run: Run; may: boolean }) {
  const unfit = unfitOf(run.plan?.values ?? []);
  const notices = Object.entries(run.plan?.notices ?? {});
  const all = unfit.reduce((n, each) => n + each.n, 0);
  const path = `/runs/${encodeURIComponent(run.runId)}/values`;
  const { examples, failure } = useExamples(may && run.valuesUrl ? path : null);
  const act = useAct();
  return (
    <section class="view">
      <h2 class="vh">{t("run.values.head")}</h2>
      {unfit.length > 0 && (
        <>
          <p class="soft">{t("run.values.lead", { n: all })}</p>
          {failure && <FailureNote failure={failure} />}
          {act.failure && <FailureNote failure={act.failure} />}
          <table class="stack values" aria-label={t("run.values.head")}>
            <thead>
              <tr>
                <th scope="col">{t("run.values.field")}</th>
                <th scope="col">{t("run.rejects.why")}</th>
                <th scope="col">{t("run.values.examples")}</th>
                <th scope="col" class="num">
                  {t("run.tab.values")}
                </th>
              </tr>
            </thead>
            <tbody>
              {unfit.map(({ value, reason, n }) => {
                const found = examples?.get(`${value.column} ${reason}`);
                return (
                  <tr key={`${value.column} ${reason}`}>
                    <th scope="row">
                      <strong>
                        {value.title ?? (value.member ? maybe(`value.member.${value.member}`) : value.column)}
                      </strong>
                      <small>{t("run.values.from", { column: value.column })}</small>
                    </th>
                    <td>
                      {maybe(`value.${reason}`) ?? reason}
                      <small>{maybe(`value.${reason}.do`)}</small>
                    </td>
                    <td data-l={t("run.values.examples")}>
                      <span>
                        {found?.shapes.map(([shape, times]) => (
                          <span key={shape} class="shape">
                            “<bdi>{shape}</bdi>” × {number(times)}
                          </span>
                        ))}
                        {found?.mean && <span class="mean small">{t("run.values.mean", { option: found.mean })}</span>}
                        {!found && <span class="soft">–</span>}
                      </span>
                    </td>
                    <td class="num" data-l={t("run.tab.values")}>
                      {number(n)}
                    </td>
                  </tr>
                );
              })}
            </tbody>
            <tfoot>
              <tr>
                <th scope="row" colSpan={3}>
                  {t("run.values.sum")}
                </th>
                <td class="num">{number(all)}</td>
              </tr>
            </tfoot>
          </table>
          {may && run.valuesUrl && (
            <div class="foot">
              <span>{t("run.values.masked")}</span>
              <Button
                slim
                icon="download"
                busy={act.busy}
                onClick={() => void act.run(() => download(path, `${run.runId}.values.csv`))}
              >
                {t("run.rejects.csv")}
              </Button>
            </div>
          )}
        </>
      )}
      {notices.length > 0 && (
        <section>
          <h2>{t("run.values.cleaned")}</h2>
          <ul class="fine">
            {notices.map(([code, n]) => (
              <li key={code}>{maybe(`notice.${code}`, { n }) ?? `${code}: ${number(n)}`}</li>
            ))}
          </ul>
        </section>
      )}
    </section>
  );
}

interface Examples {
  /** The most frequent shapes among those that the list names, masked. */
  shapes: [shape: string, times: number][];
  mean: string | null;
}

/** The list of values that do not fit, as masked examples by column and reason. */
function useExamples(path: string | null): { examples: Map<string, Examples> | null; failure: Failure | null } {
  const [examples, setExamples] = useState<Map<string, Examples> | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  useEffect(() => {
    if (!path) return;
    const stop = new AbortController();
    fetchText(path, stop.signal).then(
      (file) => setExamples(examplesOf(recordsOf(file))),
      (error) => {
        if (!stop.signal.aborted) setFailure(error instanceof Failure ? error : new Failure("no_answer", 0));
      },
    );
    return () => stop.abort();
  }, [path]);
  return { examples, failure };
}

const EXAMPLES = 3;

function examplesOf(rows: readonly Record<string, string>[]): Map<string, Examples> {
  const found = new Map<string, { shapes: Map<string, number>; mean: string | null }>();
  for (const { column = "", reason = "", value = "", didYouMean = "" } of rows) {
    const key = `${column} ${reason}`;
    const one = found.get(key) ?? { shapes: new Map(), mean: null };
    found.set(key, one);
    const shape = maskText(value);
    if (shape) one.shapes.set(shape, (one.shapes.get(shape) ?? 0) + 1);
    one.mean ??= didYouMean || null;
  }
  return new Map(
    [...found].map(([key, { shapes, mean }]) => [
      key,
      { shapes: [...shapes].sort((a, b) => b[1] - a[1]).slice(0, EXAMPLES), mean },
    ]),
  );
}
