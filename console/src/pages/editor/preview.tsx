/** What a run would do, drawn: who would be sent, who not and why, values, time, room. Nothing is sent for it. */
import type { Model } from "../../api/types";
import { Note } from "../../parts/controls";
import { Statement, TallyPicture } from "../../parts/tally";
import { Say } from "../../parts/text";
import { partsOfPreview, sum } from "../../rules/tally";
import { clock, duration, t } from "../../texts";
import { problemText, warningText } from "../../texts/problems";
import { ReadingLink } from "./place";

export type Preview = Model<"PreviewView">;

export function PreviewResult({ preview, at, onValues }: { preview: Preview; at: Date; onValues: () => void }) {
  const parts = partsOfPreview(preview.contacts, preview.duplicates, preview.rejectedByReason);
  const purpose = sum(parts.filter((each) => each.group === "purpose"));
  const cannot = sum(parts.filter((each) => each.group === "missing"));
  const unfit = preview.values.reduce((n, each) => n + Object.values(each.unfit ?? {}).reduce((a, b) => a + b, 0), 0);
  const room = preview.contactRoom;
  const stops = preview.problems.filter((each) => each.stopsRun);
  const others = preview.problems.filter((each) => !each.stopsRun);
  return (
    <>
      <p class="soft">{t("editor.preview.at", { time: clock(at) })}</p>
      {stops.map((each) => (
        <Note key={each.code + each.message} tone="bad" title={t("editor.preview.stops")} code={each.code}>
          <p>
            {problemText(each.code, each.params, "preview", each.message)} <ReadingLink told={each} />
          </p>
        </Note>
      ))}
      {others.length + preview.warnings.length > 0 && (
        <Note tone="warn">
          {others.map((each) => (
            <p key={each.code + each.message}>{problemText(each.code, each.params, "preview", each.message)}</p>
          ))}
          {preview.warnings.map((each, index) => (
            <p key={index}>
              {warningText(each)} <ReadingLink told={each} />
            </p>
          ))}
        </Note>
      )}
      <p class="say" role="status">
        <Say of="editor.preview.say" with={{ n: preview.contacts }} />{" "}
        <span class="soft">
          {purpose + cannot ? t("editor.preview.rest", { purpose, cannot }) : t("editor.preview.everybody")}
        </span>
      </p>
      <TallyPicture parts={parts} total={t("editor.preview.read")} />
      <div class="two">
        <Statement
          parts={parts}
          total={t("editor.preview.read")}
          head={t("editor.preview.head")}
          heads={{ there: t("editor.preview.would"), missing: t("editor.preview.cannot") }}
        />
        <dl class="one">
          <dt>{t("editor.preview.values")}</dt>
          <dd>
            {t(unfit ? "editor.preview.unfit" : "editor.preview.fit", { n: unfit })}{" "}
            {unfit > 0 && (
              <button type="button" class="lnk" onClick={onValues}>
                {t("editor.preview.all")}
              </button>
            )}
          </dd>
          <dt>{t("editor.preview.time")}</dt>
          <dd>{t("editor.preview.requests", { n: preview.requests, time: duration(preview.secondsNeeded) })}</dd>
          <dt>{t("editor.preview.limit")}</dt>
          <dd>
            {room?.contactLimit != null && room.contacts != null
              ? t("editor.preview.room", { n: preview.contacts, there: room.contacts, limit: room.contactLimit })
              : t("editor.preview.noRoom")}
          </dd>
        </dl>
      </div>
    </>
  );
}

/** The values that do not fit, by field and reason: shapes only, with the option that was likely meant. */
export function UnfitValues({
  values,
  fields,
}: {
  values: readonly Model<"ValuesView">[];
  fields: readonly Model<"FieldView">[];
}) {
  const options = (of: Model<"ValuesView">) => fields.find((each) => each.id === of.fieldId)?.options ?? [];
  return (
    <>
      {values
        .filter((each) => each.examples.length)
        .map((each) => (
          <section key={`${each.member} ${each.fieldId} ${each.column}`}>
            {values.length > 1 && <h3>{each.title ?? each.column}</h3>}
            {options(each).length > 0 && (
              <p class="soft">{t("editor.values.options", { options: options(each).join(", ") })}</p>
            )}
            {each.examples.map((unfit) => (
              <div key={unfit.reason} class="gapt">
                <p>
                  {t("editor.values.people", { n: unfit.contacts })}{" "}
                  <span class="soft">{unfitText(unfit.reason, unfit.explanation)}</span>
                </p>
                <table class="small">
                  <thead>
                    <tr>
                      <th scope="col">{t("editor.values.value")}</th>
                      <th scope="col">{t("editor.values.meant")}</th>
                      <th scope="col" class="num">
                        {t("editor.values.row")}
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {unfit.examples.map((example) => (
                      <tr key={`${example.file} ${example.row}`}>
                        <td class="mono">{example.value ? `“${example.value}”` : t("editor.values.hidden")}</td>
                        <td>{example.didYouMean ?? t("editor.nothing")}</td>
                        <td class="num">{t("editor.values.place", { row: example.row })}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            ))}
          </section>
        ))}
      <p class="soft small gapt">{t("editor.values.then")}</p>
    </>
  );
}

function unfitText(reason: string, sentence: string): string {
  return reason === "not_an_option" ? t("editor.values.noOption") : sentence;
}
