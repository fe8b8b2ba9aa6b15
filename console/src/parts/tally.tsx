/** The tally drawn: bar and tail, equation, statement. All three from one list of parts (rules/tally.ts). */
import { Fragment } from "preact";
import { byLook, type Group, type Look, type Part, shares, sum, tailOf, terms } from "../rules/tally";
import { hundredths, type Key, number, t } from "../texts";
import { reasonText } from "../texts/problems";
import { grow } from "./controls";

/** The key of the word for a look. */
export const LOOK_TEXT = {
  confirmed: "look.confirmed",
  sent: "look.sent",
  planned: "look.planned",
  would: "look.would",
  duplicate: "look.duplicate",
  rules: "look.rules",
  left: "look.left",
  notSent: "look.notSent",
  refused: "look.refused",
  unconfirmed: "look.unconfirmed",
} as const satisfies Record<Look, string>;
const GROUP_TEXT = {
  there: "group.there",
  open: "group.open",
  purpose: "group.purpose",
  missing: "group.missing",
} as const satisfies Record<Group, string>;

/** What a group may hold, so that the statement also says of what there is none. */
const EVERY: Record<Group, readonly Look[]> = {
  there: ["confirmed"],
  open: [],
  purpose: ["duplicate", "rules"],
  missing: ["notSent", "left", "refused", "unconfirmed"],
};
/** In the statement, where a line of its own has no reason that says more. */
const ROW_TEXT: Partial<Record<Look, Key>> = {
  confirmed: "tally.confirmed",
  duplicate: "tally.duplicates",
  rules: "tally.noConsent",
};

function rowText({ look, reason }: { look: Look; reason: string | null }): string {
  if (reason && look !== "duplicate") return reasonText(reason);
  return t(ROW_TEXT[look] ?? LOOK_TEXT[look]);
}

/** A name within a line, which begins small unless it begins the line. */
function within(text: string, at: number): string {
  return at ? text.charAt(0).toLocaleLowerCase() + text.slice(1) : text;
}

export function Swatch({ look }: { look: Look }) {
  return <span class={`sw k-${look}`} aria-hidden="true" />;
}

/** The bar alone, as in a list; its text says each part. */
export function Bar({ parts, big }: { parts: readonly Part[]; big?: boolean }) {
  const looks = byLook(parts);
  const text = looks.map((each) => `${t(LOOK_TEXT[each.look])}: ${number(each.rows)}`).join(", ");
  return (
    <span class={big ? "bar big" : "bar"} role="img" aria-label={text}>
      {looks.map((each) => (
        <i key={each.look} class={`k-${each.look}`} ref={grow(each.rows)} />
      ))}
    </span>
  );
}

/** Bar, tail and equation. No tail while a run is `going`: it would jump. */
export function TallyPicture({ parts, total, going }: { parts: readonly Part[]; total: string; going?: boolean }) {
  const tail = going ? [] : tailOf(parts);
  const rest = tail.reduce((rows, each) => rows + each.part.rows, 0);
  const all = sum(parts);
  if (!all) return null;
  const from = (element: HTMLElement | null) => element?.style.setProperty("--from", `${(100 * (all - rest)) / all}%`);
  return (
    <figure class="tally">
      {tail.length ? (
        <div ref={from}>
          <SplitBar parts={parts} />
          <div class="wedge" />
          <div
            class="tail"
            role="img"
            aria-label={t("tally.tail", {
              list: tail.map((each) => `${each.letter} ${number(each.part.rows)}`).join(", "),
            })}
          >
            {tail.map((each) => (
              <span key={each.letter} class={each.part.rows / rest < 0.04 ? "s" : undefined} ref={grow(each.part.rows)}>
                <i class={`k-${each.part.look}`} />
                <b>
                  {each.letter} <span>{number(each.part.rows)}</span>
                </b>
              </span>
            ))}
          </div>
        </div>
      ) : (
        <Bar parts={parts} big />
      )}
      <ul class="eq">
        {terms(parts).map((each) => (
          <li key={each.look}>
            <b>
              <Swatch look={each.look} />
              {number(each.rows)}
            </b>
            <span>{t(each.group ? GROUP_TEXT[each.group] : LOOK_TEXT[each.look])}</span>
          </li>
        ))}
        <li class="tot">
          <b>{number(all)}</b>
          <span>{total}</span>
        </li>
      </ul>
    </figure>
  );
}

/** The bar above a tail: what is there, then all else in at least 20 px, from which the wedge goes down. */
function SplitBar({ parts }: { parts: readonly Part[] }) {
  const looks = byLook(parts);
  const text = looks.map((each) => `${t(LOOK_TEXT[each.look])}: ${number(each.rows)}`).join(", ");
  const there = new Set(parts.filter((each) => each.group === "there").map((each) => each.look));
  const draw = (wanted: boolean) =>
    looks
      .filter((each) => there.has(each.look) === wanted)
      .map((each) => <i key={each.look} class={`k-${each.look}`} ref={grow(each.rows)} />);
  return (
    <span class="bar big split" role="img" aria-label={text}>
      <span class="on">{draw(true)}</span>
      <span class="off">{draw(false)}</span>
    </span>
  );
}

/** The full account in words: groups with their sums, and a total. `heads` renames groups, as a preview does. */
export function Statement({
  parts,
  total,
  head,
  heads = {},
}: {
  parts: readonly Part[];
  total: string;
  head: string;
  heads?: Partial<Record<Group, string>>;
}) {
  const letters = new Map(tailOf(parts).map((each) => [each.part, each.letter]));
  const groups = (["there", "open", "purpose", "missing"] as const).map((group) => ({
    group,
    name: heads[group] ?? t(GROUP_TEXT[group]),
    parts: parts.filter((each) => each.group === group),
    // A renamed group is not about a run: what would be there is none of these.
    none: group in heads ? [] : EVERY[group].filter((look) => !parts.some((each) => each.look === look)),
  }));
  const shown = groups.filter((each) => each.parts.length || each.group !== "open");
  const share = shares(shown.map((each) => sum(each.parts)));
  return (
    <table class="stmt" aria-label={head}>
      <thead>
        <tr>
          <th scope="col" colSpan={3}>
            {head}
          </th>
          <th scope="col" class="num">
            {t("tally.rows")}
          </th>
          <th scope="col" class="num">
            {t("tally.sum")}
          </th>
          <th scope="col" class="num share">
            {t("tally.share")}
          </th>
        </tr>
      </thead>
      {shown.map((each, index) => (
        <tbody key={each.group}>
          <tr class="g">
            <th scope="rowgroup" colSpan={6}>
              {each.name}
            </th>
          </tr>
          {each.parts.map((part, at) => (
            <tr
              key={`${part.look} ${part.reason}`}
              class={!each.none.length && at === each.parts.length - 1 ? "last" : undefined}
            >
              <td class="k">
                <Swatch look={part.look} />
              </td>
              <td class="l">{letters.get(part)}</td>
              <th scope="row">{rowText(part)}</th>
              <td class="num a">{number(part.rows)}</td>
              <td class="num" />
              <td class="num share" />
            </tr>
          ))}
          {each.none.length > 0 && (
            <tr class="zero last">
              <td class="k" />
              <td class="l" />
              <th scope="row">{each.none.map((look, at) => within(rowText({ look, reason: null }), at)).join(", ")}</th>
              <td class="num a">{number(0)}</td>
              <td class="num" />
              <td class="num share" />
            </tr>
          )}
          <tr class="sum">
            <td colSpan={2} />
            <th scope="row">{each.name}</th>
            <td />
            <td class="num">{number(sum(each.parts))}</td>
            <td class="num share">{hundredths(share[index] ?? 0)}</td>
          </tr>
        </tbody>
      ))}
      <tfoot>
        <tr>
          <th scope="row" colSpan={4}>
            {total}
          </th>
          <td class="num">{number(sum(parts))}</td>
          <td class="num share">{hundredths(10_000)}</td>
        </tr>
      </tfoot>
    </table>
  );
}

/** What the looks mean, under a list of bars. */
export function Legend() {
  const groups: [Group, Look[]][] = [
    ["there", ["confirmed"]],
    ["open", ["sent", "planned"]],
    ["purpose", ["duplicate", "rules"]],
    ["missing", ["left", "refused", "notSent", "unconfirmed"]],
  ];
  return (
    <dl class="legend">
      {groups.map(([group, looks]) => (
        <div key={group}>
          <dt>{t(GROUP_TEXT[group])}</dt>
          {looks.map((look) => (
            <Fragment key={look}>
              <dd>
                <Swatch look={look} />
                {t(LOOK_TEXT[look])}
              </dd>
            </Fragment>
          ))}
        </div>
      ))}
    </dl>
  );
}
