/** Data matching as a table: a field of ActiveCampaign, the column that fills it, three examples, and how many fit. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Model } from "../../api/types";
import { Button, Field, Option, Select, TextField } from "../../parts/controls";
import { Icon } from "../../parts/icons";
import { Meter } from "../../parts/meter";
import { choosable, type Draft, fieldKey, type Match, MEMBERS, type Member, suggestions } from "../../rules/editor";
import { type Key, percent, t } from "../../texts";
import { fieldType } from "../../texts/types";
import { fieldOf } from "./names";

type FieldView = Model<"FieldView">;
type Facts = Model<"ColumnFactsView">;
type Values = Model<"ValuesView">;
type Matching = Draft["dataMatching"];

const MEMBER_TEXT: Record<Member, Key> = {
  email: "editor.email",
  firstName: "editor.firstName",
  lastName: "editor.lastName",
  phone: "editor.phone",
};
const SEVERAL = new Set(["checkbox", "listbox", "multiselect"]);
const DATES = new Set(["date", "datetime"]);

interface MatchingProps {
  draft: Draft;
  columns: readonly string[];
  fields: readonly FieldView[];
  suggested: Partial<Record<Member, string | null>>;
  facts: ReadonlyMap<string, Facts>;
  /** How the values fit, of the newest preview; empty before one. */
  values: readonly Values[];
  fault: (place: string) => string | null;
  onMatching: (matching: Matching) => void;
  onValues: (values: Values) => void;
  /** For administrators: show examples as they are, which is recorded, or masked again. */
  onUnmasked: (() => void) | null;
  unmasked: boolean;
}

export function DataMatching(props: MatchingProps) {
  const { draft, columns, fields, facts, values, fault, onMatching } = props;
  const [adding, setAdding] = useState(false);
  const [added, setAdded] = useState(""); // the field chosen in the list, until it is taken
  const controls = useRef<HTMLDivElement>(null);
  // Where the focus goes, once it is drawn: the button that was pressed is gone then.
  const [goal, setGoal] = useState<{ row: string | null } | null>(null);
  useEffect(() => {
    if (!goal) return;
    const there = goal.row ? document.getElementById(goal.row) : controls.current?.querySelector("select, button");
    (there as HTMLElement | null | undefined)?.focus();
  }, [goal]);
  const toRow = (row: string) => setGoal({ row });
  const toControls = () => setGoal({ row: null });
  const matching = draft.dataMatching;
  const matches = matching.fields ?? [];
  const setMatch = (at: number, match: Match | null) => {
    const next = matches.slice();
    next.splice(at, 1, ...(match ? [match] : []));
    onMatching({ ...matching, fields: next });
  };
  const add = (field: FieldView, column: string) => {
    const match = { field: field.tag || String(field.id), column } as Match;
    onMatching({ ...matching, fields: [...matches, match] });
    setAdding(false);
    setAdded("");
    toRow(`field.${fieldKey(match.field)}`);
  };
  const filled = new Set(matches.map((each) => fieldOf(each, fields)?.id));
  const free = fields.filter((each) => !filled.has(each.id));
  const suggested = suggestions(draft, props.suggested, columns, fields);
  const valuesOf = (column: string, member: Member | null, field: FieldView | undefined) =>
    values.find((each) => each.column === column && (member ? each.member === member : each.fieldId === field?.id));
  const examples = props.unmasked ? "segment.th.examples.plain" : "editor.th.examples";
  return (
    <>
      <table class="map stack">
        <caption class="vh">{t("editor.matching")}</caption>
        <thead>
          <tr>
            <th scope="col" class="f">
              {t("editor.th.field")}
            </th>
            <th scope="col" class="k">
              {t("editor.th.column")}
            </th>
            <th scope="col">{t(examples)}</th>
            <th scope="col" class="s">
              {t("editor.th.fits")}
            </th>
          </tr>
        </thead>
        <tbody>
          {MEMBERS.map((member) => (
            <Row
              key={member}
              place={`match.${member}`}
              name={t(MEMBER_TEXT[member])}
              note={member === "email" ? t("editor.required") : null}
              required={member === "email"}
              column={matching[member] ?? ""}
              columns={columns}
              facts={facts.get(matching[member] ?? "")}
              values={valuesOf(matching[member] ?? "", member, undefined)}
              fault={fault(`match.${member}`)}
              examples={t(examples)}
              onColumn={(column) => onMatching({ ...matching, [member]: column || (member === "email" ? "" : null) })}
              onValues={props.onValues}
            />
          ))}
          {matches.map((match, at) => {
            const field = fieldOf(match, fields);
            const place = `field.${fieldKey(match.field)}`;
            return (
              <Row
                key={place}
                place={place}
                name={field?.title ?? match.field}
                note={field ? typeText(field) : fields.length ? t("editor.field.gone") : null}
                required
                column={match.column}
                columns={columns}
                facts={facts.get(match.column)}
                values={valuesOf(match.column, null, field)}
                fault={fault(place)}
                examples={t(examples)}
                onColumn={(column) => setMatch(at, { ...match, column })}
                onValues={props.onValues}
                onRemove={() => {
                  toControls();
                  setMatch(at, null);
                }}
                options={<MatchOptions match={match} field={field} onMatch={(next) => setMatch(at, next)} />}
              />
            );
          })}
        </tbody>
      </table>
      <div class="acts gap" ref={controls}>
        {adding ? (
          // With the keyboard, each arrow is a choice in a closed list: only the button takes one.
          <>
            <Select
              label={t("editor.add.which")}
              value={added}
              options={[
                { value: "", label: t("editor.add.which") },
                ...free.map((each) => ({ value: String(each.id), label: `${each.title} (${typeText(each)})` })),
              ]}
              onValue={setAdded}
            />
            <Button
              disabled={!added}
              onClick={() => {
                const field = free.find((each) => String(each.id) === added);
                if (field) add(field, "");
              }}
            >
              {t("editor.add.take")}
            </Button>
          </>
        ) : (
          <Button
            icon="add"
            disabled={!free.length}
            onClick={() => {
              toControls();
              setAdding(true);
            }}
          >
            {t("editor.add")}
          </Button>
        )}
        {props.onUnmasked && (
          <Button icon="eye" look="flat" pressed={props.unmasked} onClick={props.onUnmasked}>
            {t("editor.unmask")}
          </Button>
        )}
        {suggested.length > 0 && (
          <span class="chips suggested">
            <span class="soft small">{t("editor.suggested")}</span>
            {suggested.map(({ member, field, column }) => (
              <button
                key={`${member} ${field?.id}`}
                type="button"
                class="chip add"
                onClick={() => {
                  if (field) return add(field, column);
                  toRow(`match.${member}`);
                  onMatching({ ...matching, [member as Member]: column });
                }}
              >
                {column} → {member ? t(MEMBER_TEXT[member]) : field?.title}
              </button>
            ))}
          </span>
        )}
      </div>
    </>
  );
}

function typeText(field: FieldView): string {
  const count = field.options?.length ?? 0;
  const type = fieldType(field.type);
  return count ? t("editor.field.options", { type, n: count }) : type;
}

/** A column in a list of them, marked if the segments have none of that name. */
export function columnOption(column: string, columns: readonly string[]): { value: string; label: string } {
  return { value: column, label: goneText(column, columns) ? t("editor.column.gone", { column }) : column };
}

/** What is said of a column that is chosen and that the segments, as far as they are known, have not. */
export function goneText(column: string | null | undefined, columns: readonly string[]): string | null {
  return column && columns.length && !columns.includes(column) ? t("editor.column.absent") : null;
}

interface RowProps {
  place: string;
  name: string;
  note: string | null;
  required: boolean;
  column: string;
  columns: readonly string[];
  facts: Facts | undefined;
  values: Values | undefined;
  fault: string | null;
  /** The head of the column with examples. */
  examples: string;
  onColumn: (column: string) => void;
  onValues: (values: Values) => void;
  onRemove?: () => void;
  options?: ComponentChildren;
}

function Row(props: RowProps) {
  const { place, name, note, required, column, columns, facts, values, fault } = props;
  const [open, setOpen] = useState(false);
  const said = fault ?? goneText(column, columns);
  return (
    <>
      <tr>
        <th scope="row" class="f">
          <strong>
            {name}
            {place === "match.email" && <span class="soft"> *</span>}
          </strong>
          {note && <small>{note}</small>}
          {props.options && (
            <button type="button" class="lnk small" aria-expanded={open} onClick={() => setOpen(!open)}>
              {t(open ? "editor.options.hide" : "editor.options")}
              <span class="vh">: {name}</span>
            </button>
          )}
        </th>
        <td class="k" data-l={t("editor.th.column")}>
          <span>
            <Select
              id={place}
              label={t("editor.columnFor", { field: name })}
              value={column}
              options={[
                { value: "", label: t(required ? "choose" : "editor.column.none") },
                ...choosable(columns, column).map((each) => columnOption(each, columns)),
              ]}
              onValue={props.onColumn}
              aria-invalid={said ? true : undefined}
              aria-describedby={said ? `${place}-error` : undefined}
            />
            {said && (
              <span class="err small" id={`${place}-error`}>
                <Icon name="warning" />
                {said}
              </span>
            )}
          </span>
        </td>
        <td data-l={props.examples} class={column ? undefined : "blank"}>
          <Examples facts={facts} />
        </td>
        <td class={column ? "s" : "s blank"} data-l={t("editor.th.fits")}>
          <span>
            <Fits email={place === "match.email"} facts={facts} values={values} onValues={props.onValues} />
          </span>
        </td>
      </tr>
      {open && (
        <tr class="more-options">
          <td colSpan={4}>
            {props.options}
            {props.onRemove && (
              <p class="acts gap">
                <Button icon="remove" look="flat" onClick={props.onRemove}>
                  {t("editor.remove", { field: name })}
                </Button>
              </p>
            )}
          </td>
        </tr>
      )}
    </>
  );
}

function Examples({ facts }: { facts: Facts | undefined }) {
  if (!facts) return <span class="soft">{t("editor.blank")}</span>;
  if (facts.hidden) return <span class="soft small">{t("editor.hidden")}</span>;
  const empty = (facts.rowsLookedAt ?? 0) > (facts.filled ?? 0);
  return (
    <span class="ex">
      {facts.examples?.map((each) => (
        <span key={each}>{each}</span>
      ))}
      {empty && <span>{t("editor.empty")}</span>}
    </span>
  );
}

/** The share of values that fit, of the preview; before it, what the first rows show: valid addresses, else filled. */
function Fits({
  email,
  facts,
  values,
  onValues,
}: {
  email: boolean;
  facts: Facts | undefined;
  values: Values | undefined;
  onValues: (values: Values) => void;
}) {
  if (values) {
    const unfit = Object.values(values.unfit ?? {}).reduce((a, b) => a + b, 0);
    const of = (values.fit ?? 0) + unfit;
    const share = of ? (values.fit ?? 0) / of : 1;
    return (
      <>
        <span class="nb">
          <Meter share={share} />
          {of ? percent(share, share < 1 ? 2 : 0) : t("editor.fits.empty")}
        </span>
        {unfit > 0 && (
          <>
            <br />
            <button type="button" class="lnk small" onClick={() => onValues(values)}>
              {t("editor.fits.see", { n: unfit })}
            </button>
          </>
        )}
      </>
    );
  }
  const looked = facts?.rowsLookedAt;
  if (!facts || facts.hidden || !looked) return <span class="soft">{t("editor.blank")}</span>;
  const share = ((email ? facts.validAddresses : facts.filled) ?? 0) / looked;
  return (
    <>
      <span class="nb">
        <Meter share={share} />
        {percent(share, share < 1 ? 2 : 0)}
      </span>
      <small>{t(email ? "editor.fits.addresses" : "editor.fits.filled")}</small>
    </>
  );
}

/** What nobody can know from a value alone, as far as the type of the field asks for it. */
function MatchOptions({
  match,
  field,
  onMatch,
}: {
  match: Match;
  field: FieldView | undefined;
  onMatch: (match: Match) => void;
}) {
  const type = field?.type ?? "";
  const choices = field?.options ?? [];
  const empty = match.whenEmpty?.clear ? "clear" : match.whenEmpty ? "text" : "";
  const choose = (
    label: Key,
    hint: Key | null,
    value: string,
    options: [string, Key][],
    set: (value: string) => void,
  ) => (
    <Field label={t(label)} hint={hint && t(hint)}>
      {(control) => (
        <Select
          {...control}
          value={value}
          options={options.map(([each, text]) => ({ value: each, label: t(text) }))}
          onValue={set}
        />
      )}
    </Field>
  );
  return (
    <div class="pair">
      {DATES.has(type) &&
        choose(
          "editor.dateOrder",
          "editor.dateOrder.hint",
          match.dateOrder ?? "",
          [
            ["", "editor.dateOrder.none"],
            ["dmy", "editor.dateOrder.dmy"],
            ["mdy", "editor.dateOrder.mdy"],
          ],
          (value) => onMatch({ ...match, dateOrder: (value || null) as "dmy" | null }),
        )}
      {type === "number" &&
        choose(
          "editor.decimalMark",
          null,
          match.decimalMark ?? "",
          [
            ["", "editor.decimalMark.none"],
            [".", "editor.decimalMark.point"],
            [",", "editor.decimalMark.comma"],
          ],
          (value) => onMatch({ ...match, decimalMark: (value || null) as "." | null }),
        )}
      {SEVERAL.has(type) && (
        <TextField
          label={t("editor.separator")}
          hint={t("editor.separator.hint")}
          value={match.separator ?? ";"}
          onValue={(separator) => onMatch({ ...match, separator })}
        />
      )}
      {choices.length > 0 && (
        <TextField
          label={t("editor.yesValues")}
          hint={t("editor.yesValues.hint")}
          value={(match.yes ?? []).join(", ")}
          onValue={(text) => onMatch({ ...match, yes: text ? text.split(",").map((each) => each.trimStart()) : [] })}
        />
      )}
      {choose(
        "editor.whenEmpty",
        empty === "clear" ? "editor.whenEmpty.try" : null,
        empty,
        [
          ["", "editor.whenEmpty.keep"],
          ["text", "editor.whenEmpty.text"],
          ["clear", "editor.whenEmpty.clear"],
        ],
        (value) =>
          onMatch({
            ...match,
            whenEmpty: (value === "clear"
              ? { clear: true }
              : value
                ? { text: choices[0] ?? "" }
                : null) as Match["whenEmpty"],
          }),
      )}
      {empty === "text" &&
        (choices.length ? (
          <Field label={t("editor.whenEmpty.value")}>
            {(control) => (
              <Select
                {...control}
                value={match.whenEmpty?.text ?? ""}
                options={choices.map((each) => ({ value: each, label: each }))}
                onValue={(text) => onMatch({ ...match, whenEmpty: { text } as Match["whenEmpty"] })}
              />
            )}
          </Field>
        ) : (
          <TextField
            label={t("editor.whenEmpty.value")}
            value={match.whenEmpty?.text ?? ""}
            onValue={(text) => onMatch({ ...match, whenEmpty: { text } as Match["whenEmpty"] })}
          />
        ))}
      <Option
        checked={match.onBadValue === "rejectRow"}
        onChecked={(on) => onMatch({ ...match, onBadValue: on ? "rejectRow" : "leaveOut" })}
        label={t("editor.badValue")}
        hint={t("editor.badValue.hint")}
      />
    </div>
  );
}
