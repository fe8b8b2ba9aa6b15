/** Find a person: one address, an answer for each export. The address goes in the body, and into no address bar. */
import { useState } from "preact/hooks";
import { call } from "../api/client";
import type { Model } from "../api/types";
import { useAct } from "../api/use";
import { Main } from "../app";
import { Button, Note, TextField } from "../parts/controls";
import { FailureNote } from "../parts/failure";
import { Icon, type IconName } from "../parts/icons";
import { Say } from "../parts/text";
import { to } from "../router";
import { answerOf, countsOf, type Tone } from "../rules/person";
import { groupOf } from "../rules/tally";
import { list, maybe, number, t, type Values, when } from "../texts";
import { problemText, reasonText } from "../texts/problems";
import "../styles/run.css";

type Found = Model<"PersonInExport">;
const ICON: Record<Tone, IconName> = { ok: "done", run: "reload", warn: "warning", bad: "failed", off: "held" };

export function PersonPage() {
  const [email, setEmail] = useState("");
  const [found, setFound] = useState<{ email: string; view: Model<"PersonView"> } | null>(null);
  const act = useAct();
  const submit = (event: Event) => {
    event.preventDefault();
    const asked = email.trim();
    if (!asked) return;
    setFound(null);
    void act.run(async () => {
      const answer = await call<Model<"PersonView">>("/lookup", { method: "POST", body: { email: asked } });
      setFound({ email: asked, view: answer.value });
    });
  };
  return (
    <Main title={t("nav.people")}>
      <div class="head">
        <h1>{t("nav.people")}</h1>
      </div>
      <form class="ask" onSubmit={submit} noValidate>
        <TextField
          label={t("person.email")}
          type="email"
          inputMode="email"
          value={email}
          onValue={setEmail}
          spellcheck={false}
        />
        <Button look="go" icon="search" submit busy={act.busy} disabled={!email.trim()}>
          {t("person.find")}
        </Button>
      </form>
      <p class="hint">{t("person.hint")}</p>
      <section role="status">
        {act.busy && <p class="soft">{t("person.looking")}</p>}
        {found && <Summary email={found.email} view={found.view} />}
      </section>
      {found && <Answers view={found.view} />}
      {act.failure && <FailureNote failure={act.failure} />}
    </Main>
  );
}

/** The answer in a sentence: what a screen reader says of itself. */
function Summary({ email, view }: { email: string; view: Model<"PersonView"> }) {
  const { there, all, open } = countsOf(view);
  if (!all) return <p class="say">{t("person.noExports")}</p>;
  return (
    <p class="say">
      <Say of={there ? "person.sum" : "person.sum.none"} with={{ email, n: there, all }} />
      {open > 0 && <span class="soft"> {t("person.sum.open", { n: open })}</span>}
    </p>
  );
}

function Answers({ view }: { view: Model<"PersonView"> }) {
  const silent = view.value.filter((each) => each.code === "person_not_looked" || each.code === "person_unknown");
  if (!view.value.length) {
    return (
      <p class="then">
        <a href={to(["exports", "new"])}>{t("person.noExports.then")}</a>
      </p>
    );
  }
  return (
    <>
      {silent.length > 0 && (
        <Note tone="warn">
          <p>{t("person.partial", { names: list(silent.map((each) => each.displayName)) })}</p>
        </Note>
      )}
      <h2 class="vh">{t("person.answers")}</h2>
      <div class="answers">
        {view.value.map((each) => (
          <AnswerOf key={each.exportId} found={each} />
        ))}
      </div>
    </>
  );
}

function AnswerOf({ found }: { found: Found }) {
  const onPurpose = found.reason ? groupOf(found.reason) === "purpose" : false;
  const { tone, head, found: key, next } = answerOf(found.code, found.params, onPurpose);
  const values = valuesOf(found);
  // All rows but the one that the sentence names.
  const others = (found.rows ?? []).filter((row) => row.file !== found.params.file || row.row !== found.params.row);
  return (
    <div class="ans">
      <span class={`st ${tone}`}>
        <Icon name={ICON[tone]} />
      </span>
      <div>
        <h3>{t("person.head", { name: found.displayName, what: t(head) })}</h3>
        <p>{t(key, values)}</p>
        <p class="then">
          {next ? t(next, values) : found.reason && (maybe(`reason.${found.reason}.do`) ?? found.explanation)}
        </p>
        {found.problem && (
          <p class="then">{problemText(found.problem.code, found.problem.params, "answered", found.problem.message)}</p>
        )}
        {others.length > 0 && (
          <ul class="small soft fine">
            {others.map((row) => (
              <li key={`${row.file} ${row.row}`}>
                {t("person.row", {
                  row: row.row,
                  file: fileName(row.file),
                  what: row.reason ? reasonText(row.reason, row.explanation ?? undefined) : t(BUCKET[row.bucket]),
                })}
              </li>
            ))}
          </ul>
        )}
        {found.runId && (
          <p class="small">
            <a href={to(["runs", found.runId])}>
              {found.plannedUtc ? t("run.of", { when: when(found.plannedUtc) }) : t("person.run")}
            </a>
          </p>
        )}
      </div>
    </div>
  );
}

const BUCKET = {
  open: "look.sent",
  confirmed: "look.confirmed",
  duplicate: "look.duplicate",
  rejected: "look.left",
  rejectedByActiveCampaign: "look.refused",
  unconfirmed: "look.unconfirmed",
} as const satisfies Record<Model<"RowView">["bucket"], string>;

function fileName(path: string): string {
  return path.split("/").at(-1) ?? path;
}

/** The parameters of an answer as people read them. */
function valuesOf(found: Found): Values {
  const { at, file, reason, row, rowsRead, unreadable, listId } = found.params;
  return {
    n: Number(rowsRead ?? 0),
    unreadable: Number(unreadable ?? 0),
    row: number(Number(row ?? 0)),
    file: fileName(String(file ?? "")),
    list: String(listId ?? found.listId),
    at: at ? when(String(at)) : "",
    reason: reason ? reasonText(String(reason)) : "",
    run: found.plannedUtc ? when(found.plannedUtc) : "",
  };
}
