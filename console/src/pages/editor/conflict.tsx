/** Somebody else saved meanwhile: both versions line by line, to choose from. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Model } from "../../api/types";
import { Button } from "../../parts/controls";
import { strong } from "../../parts/text";
import { type Draft, definitionOf, differences, lineCount, lineOf, take } from "../../rules/editor";
import { clock, t } from "../../texts";
import { lineName, valueText } from "./names";

interface ConflictProps {
  base: Draft;
  mine: Draft;
  theirs: Model<"ExportView">;
  known: Parameters<typeof valueText>[2] & { fields: readonly Model<"FieldView">[] };
  busy: boolean;
  onSave: (chosen: Draft) => void;
  onTheirs: () => void;
  onBack: () => void;
}

export function Conflict({ base, mine, theirs, known, busy, onSave, onTheirs, onBack }: ConflictProps) {
  const saved = definitionOf(theirs);
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => head.current?.focus(), []); // the button that was pressed is gone
  const lines = differences(saved, mine);
  const changed = new Set(differences(base, mine));
  // What I have changed is mine, so that nothing typed is lost unasked; all else is theirs.
  const [chosen, setChosen] = useState(() => new Set(lines.filter((line) => changed.has(line))));
  const byKey = theirs.updatedBy === "function key"; // nobody's name, so no sentence names it
  const who = byKey ? t("editor.conflict.key") : (theirs.updatedBy ?? t("editor.conflict.somebody"));
  const asTheirs = byKey ? t("editor.conflict.theirs.key") : t("editor.conflict.theirs", { who });
  const choose = (line: string, isMine: boolean) => {
    const next = new Set(chosen);
    if (isMine) next.add(line);
    else next.delete(line);
    setChosen(next);
  };
  const option = (line: string, isMine: boolean) => (
    <label class="opt">
      <input
        type="radio"
        name={`choose ${line}`}
        checked={chosen.has(line) === isMine}
        onChange={() => choose(line, isMine)}
      />
      <span>{valueText(line, lineOf(isMine ? mine : saved, line), known)}</span>
    </label>
  );
  return (
    <>
      <div class="head">
        <h1 ref={head} tabIndex={-1}>
          {t("editor.conflict.title")}
        </h1>
      </div>
      <p class="say" role="alert">
        {strong(
          t("editor.conflict.say", {
            who: `**${who.replaceAll("**", "")}**`,
            name: theirs.displayName,
            time: clock(theirs.updatedUtc ?? new Date()),
          }),
        )}{" "}
        <span class="soft">{t("editor.conflict.differ", { n: lines.length })}</span>
      </p>
      <p class="then">{t("editor.conflict.then")}</p>
      <table class="versions stack">
        <caption class="vh">{t("editor.conflict.caption")}</caption>
        <thead>
          <tr>
            <th scope="col">{t("editor.conflict.what")}</th>
            <th scope="col">{asTheirs}</th>
            <th scope="col">{t("editor.conflict.mine")}</th>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <tr key={line}>
              <th scope="row">
                <strong>{lineName(line, known.fields)}</strong>
              </th>
              <td data-l={asTheirs}>{option(line, false)}</td>
              <td data-l={t("editor.conflict.mine")}>{option(line, true)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="soft small gapt">{t("editor.conflict.same", { n: lineCount(saved, mine) - lines.length })}</p>
      <div class="acts gap">
        <Button look="go" busy={busy} onClick={() => onSave(take(saved, mine, [...chosen]))}>
          {t("editor.conflict.save")}
        </Button>
        <Button onClick={onTheirs}>{byKey ? t("editor.conflict.take.key") : t("editor.conflict.take", { who })}</Button>
        <Button look="flat" onClick={onBack}>
          {t("editor.conflict.back")}
        </Button>
      </div>
      <p class="code small">{t("note.code", { code: "changed_meanwhile" })}</p>
    </>
  );
}
