/** Try the saved export with a few people: they are really sent, and shown as ActiveCampaign has them then. */
import { useState } from "preact/hooks";
import { call } from "../../api/client";
import type { Model } from "../../api/types";
import { useAct } from "../../api/use";
import { Button, Field, Note } from "../../parts/controls";
import { FailureNote } from "../../parts/failure";
import { to } from "../../router";
import { addresses } from "../../rules/editor";
import { type Key, t } from "../../texts";
import { problemText, reasonText } from "../../texts/problems";

const MOST = 20; // of the API: `only` takes at most so many
type Tried = Model<"StartedOrTried">;
type Person = Model<"TriedPerson">;

/** What was typed and what came of it; it stays while the panel is closed, since people were really sent. */
export function useFew(id: string | null) {
  const [text, setText] = useState("");
  const [tried, setTried] = useState<Tried | null>(null);
  const act = useAct();
  const wanted = addresses(text);
  const send = () =>
    act.run(async () => {
      setTried(null);
      const path = `/exports/${encodeURIComponent(id ?? "")}/runs`;
      setTried((await call<Tried>(path, { method: "POST", body: { only: wanted } })).value);
    });
  return { text, setText, tried, act, wanted, send };
}

export function Few({ text, setText, tried, act, wanted, send }: ReturnType<typeof useFew>) {
  const tooMany = wanted.length > MOST ? t("editor.few.tooMany", { n: wanted.length, most: MOST }) : null;
  const people = tried?.people ?? [];
  const arrived = people.filter((each) => each.bucket === "confirmed").length;
  return (
    <>
      <p class="soft">{t("editor.few.lead", { n: MOST })}</p>
      <section>
        <Field label={t("editor.few.label")} error={tooMany}>
          {(control) => (
            <textarea
              class="in"
              rows={6}
              spellcheck={false}
              autocomplete="off"
              {...control}
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          )}
        </Field>
        <div class="acts gap">
          <Button look="go" busy={act.busy} disabled={!wanted.length || Boolean(tooMany)} onClick={send}>
            {t("editor.few.send", { n: wanted.length })}
          </Button>
        </div>
        <p class="soft gapt" role="status">
          {act.busy && t("editor.few.busy")}
          {people.length > 0 && t("editor.few.sum", { n: arrived, of: people.length })}
        </p>
        {act.failure && <FailureNote failure={act.failure} />}
      </section>
      {tried && (
        <section>
          <h3>{t(tried.people ? "editor.few.result" : "editor.few.goesOn")}</h3>
          {tried.problem && (
            <Note tone="warn" code={tried.problem.code}>
              <p>{problemText(tried.problem.code, tried.problem.params, "ended", tried.problem.message)}</p>
            </Note>
          )}
          {tried.people?.map((person) => (
            <One key={person.email} person={person} />
          ))}
          <p class="gapt">
            <a href={to(["runs", tried.runId])}>{t("editor.few.run")}</a>
          </p>
        </section>
      )}
    </>
  );
}

const BUCKET: Record<Person["bucket"], Key> = {
  confirmed: "editor.few.confirmed",
  duplicate: "look.duplicate",
  rejected: "look.left",
  rejectedByActiveCampaign: "look.refused",
  unconfirmed: "look.unconfirmed",
  notInSegment: "editor.few.notInSegment",
  unknown: "editor.few.unknown",
};
const STANDING: Record<Model<"Standing">, Key> = {
  onTheList: "editor.few.onTheList",
  unsubscribed: "editor.few.unsubscribed",
  bounced: "editor.few.bounced",
  unconfirmed: "editor.few.optIn",
  notOnTheList: "editor.few.notOnTheList",
  notThere: "editor.few.notThere",
  unknown: "editor.few.standingUnknown",
};

function One({ person }: { person: Person }) {
  const there = person.activeCampaign;
  const values: [string, string | null | undefined][] = there
    ? [
        [t("editor.firstName"), there.firstName],
        [t("editor.lastName"), there.lastName],
        [t("editor.phone"), there.phone],
        ...(there.fields ?? []).map((each): [string, string] => [each.title, each.value]),
      ]
    : [];
  return (
    <div class="person">
      <p class="b">{person.email}</p>
      <p>
        {t(BUCKET[person.bucket])}
        {person.reason && <span class="soft"> · {reasonText(person.reason, person.explanation ?? person.reason)}</span>}
      </p>
      {there && (
        <>
          <p class="soft">{t(STANDING[there.standing])}</p>
          <dl class="dl small">
            {values
              .filter(([, value]) => value !== undefined && value !== null)
              .map(([name, value]) => [
                <dt key={`${name} name`}>{name}</dt>,
                <dd key={name}>{value || t("editor.empty")}</dd>,
              ])}
          </dl>
        </>
      )}
    </div>
  );
}
