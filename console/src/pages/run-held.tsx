/** A run that is held: the comparison, what follows from approving and from not, and the button with its number. */
import { call } from "../api/client";
import type { Model } from "../api/types";
import type { Act } from "../api/use";
import { Button, grow, LinkButton, Note } from "../parts/controls";
import { useMay } from "../parts/me";
import { words } from "../parts/text";
import { go, to } from "../router";
import { approvalOf, heldOf, type Run } from "../rules/run";
import { number, t, when } from "../texts";
import { problemText } from "../texts/problems";

interface Props {
  run: Run;
  held: Model<"Held">;
  of: Model<"ExportView"> | null;
  act: Act;
}

export function HeldRun({ run, held, of, act }: Props) {
  const may = useMay("approveRun");
  const lastRows = of?.lastSuccess?.rowsRead ?? null;
  const maxShare = Number(run.problem?.params?.maxRejectShare ?? Number.NaN);
  const lines = heldOf(held, lastRows, Number.isNaN(maxShare) ? null : maxShare);
  const newest = of?.lastRun?.runId ?? run.runId;
  const problem = run.problem;
  const approve = () =>
    act.run(async (still) => {
      const started = await call<Model<"StartedRun">>(`/runs/${encodeURIComponent(run.runId)}/approve`, {
        method: "POST",
        body: held,
        headers: { "Idempotency-Key": crypto.randomUUID() },
      });
      if (still()) go(to(["runs", started.value.runId]));
    });
  const signed = (n: number) => (n > 0 ? `+${number(n)}` : n < 0 ? `−${number(-n)}` : number(0));
  return (
    <>
      <Compared held={held} lastRows={lastRows} />
      <div class="two even">
        <section>
          <h2>{t("run.held.numbers")}</h2>
          <table class="stmt cmp" aria-label={t("run.held.numbers")}>
            <thead>
              <tr>
                <th scope="col">{t("run.held.what")}</th>
                <th scope="col" class="num">
                  {t("run.held.usual")}
                </th>
                <th scope="col" class="num">
                  {t("run.held.now")}
                </th>
                <th scope="col" class="num">
                  {t("run.held.difference")}
                </th>
              </tr>
            </thead>
            <tbody>
              {lines.map((each) => (
                <tr key={each.label} class={each.code ? "why" : undefined}>
                  <th scope="row">{t(each.label)}</th>
                  <td class="num">
                    {each.usual === null
                      ? "–"
                      : each.limit
                        ? t("run.held.atMost", { n: each.usual })
                        : number(each.usual)}
                  </td>
                  <td class="num">{number(each.now)}</td>
                  <td class="num d">{each.difference === null ? "–" : signed(each.difference)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        {problem && (
          <section>
            <h2>{t("run.held.why")}</h2>
            <Note
              tone="warn"
              code={problem.code}
              actions={
                of?.segments.map((name) => (
                  <LinkButton key={name} href={to(["segments", ...name.split("/")])}>
                    {t("run.held.look", { name: name.split("/").at(-1) ?? name })}
                  </LinkButton>
                )) ?? null
              }
            >
              <p>{problemText(problem.code, problem.params, "ended", problem.message)}</p>
            </Note>
          </section>
        )}
      </div>
      {newest !== run.runId ? (
        <section>
          <Note
            title={t("run.held.newer")}
            actions={<LinkButton href={to(["runs", newest])}>{t("run.openNewer")}</LinkButton>}
          >
            <p>{t("run.held.newer.then")}</p>
          </Note>
        </section>
      ) : (
        <section>
          <h2>{t("run.held.choice")}</h2>
          <p>{t("run.held.choice.sub")}</p>
          <div class="choice">
            <div>
              <h3>{t("run.held.yes")}</h3>
              <ul class="fine soft">
                <li>{t("run.held.yes.1")}</li>
                <li>{t("run.held.yes.2")}</li>
                <li>{t("run.held.yes.3")}</li>
              </ul>
              <div class="acts">
                {may ? (
                  <Button look="go" onClick={approve} busy={act.busy}>
                    {words(approvalOf(held))}
                  </Button>
                ) : (
                  <p class="soft">{t("run.held.mayNot")}</p>
                )}
              </div>
            </div>
            <div>
              <h3>{t("run.held.no")}</h3>
              <ul class="fine soft">
                <li>{t("run.held.no.1")}</li>
                <li>{t("run.held.no.2")}</li>
              </ul>
              <div class="acts">
                <LinkButton href={to(["exports"])}>{t("run.held.keep")}</LinkButton>
              </div>
            </div>
          </div>
          <p class="soft small gap">{t("run.held.recorded", { when: when(run.requestedUtc) })}</p>
        </section>
      )}
    </>
  );
}

/** Bars of the first cause: last time and now, or those who would be sent and those left out. */
function Compared({ held, lastRows }: { held: Model<"Held">; lastRows: number | null }) {
  const [cause] = held.causes;
  if (!cause) return null;
  const now = cause.numbers.rowsRead ?? 0;
  const rejected = cause.numbers.rejected;
  const usual = rejected === undefined ? (cause.numbers.lastRowsRead ?? lastRows) : null;
  const all = Math.max(now, usual ?? 0);
  const bar = (label: string, n: number, parts: [look: string, n: number][]) => (
    <div class="prow">
      <span>{label}</span>
      <span class="bar mid" aria-hidden="true">
        {parts.map(([look, rows]) => (rows > 0 ? <i key={look} class={`k-${look}`} ref={grow(rows)} /> : null))}
      </span>
      <span class="num">{number(n)}</span>
    </div>
  );
  return (
    <div class="prog held">
      {usual !== null &&
        bar(t("run.held.usual"), usual, [
          ["usual", usual],
          ["gap", all - usual],
        ])}
      {bar(
        t("run.held.now"),
        now,
        rejected === undefined
          ? [
              ["confirmed", now],
              ["gap", all - now],
            ]
          : [
              ["would", now - rejected],
              ["left", rejected],
            ],
      )}
    </div>
  );
}
