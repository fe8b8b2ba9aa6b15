/** When an export runs by itself: with every refresh, at times of day with the next three of them, or only on demand. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Model } from "../../api/types";
import { useLoaded } from "../../api/use";
import { Field, Option, Select, TextField } from "../../parts/controls";
import {
  cronFault,
  cronOf,
  EVERY_DAY,
  ownZone,
  type Picked,
  pickedOf,
  type Schedule,
  same,
  WEEKDAYS,
} from "../../rules/schedule";
import { dayName, t, whenIn } from "../../texts";

type Times = Model<"AtTimes">;

interface Props {
  schedule: Schedule;
  /** As it was saved last. */
  saved: Schedule;
  fault: (place: string) => string | null;
  onSchedule: (schedule: Schedule) => void;
}

export function ScheduleFields({ schedule, saved, fault, onSchedule }: Props) {
  const typed = useRef<Times>({ kind: "cron", cron: "0 6 * * *", timeZone: ownZone() });
  if (schedule.kind === "cron" && schedule.cron != null) typed.current = schedule;
  const ofTheApp = schedule.kind === "cron" && schedule.cron == null;
  const option = (label: string, hint: string | undefined, checked: boolean, wanted: () => Schedule) => (
    <Option
      type="radio"
      name="schedule"
      checked={checked}
      onChecked={() => onSchedule(wanted())}
      label={label}
      hint={hint}
    />
  );
  return (
    <fieldset id="schedule" tabIndex={-1}>
      <legend class="lab">{t("editor.schedule")}</legend>
      {option(
        t("editor.schedule.refresh"),
        t("editor.schedule.refresh.hint"),
        schedule.kind === "withEveryRefresh",
        () => ({
          kind: "withEveryRefresh",
        }),
      )}
      {option(t("editor.schedule.times"), undefined, schedule.kind === "cron" && !ofTheApp, () => typed.current)}
      {schedule.kind === "cron" && !ofTheApp && <TimesFields times={schedule} fault={fault} onTimes={onSchedule} />}
      {saved.kind === "cron" &&
        saved.cron == null &&
        option(t("editor.schedule.app"), t("editor.schedule.app.hint"), ofTheApp, () => saved)}
      {option(t("editor.schedule.demand"), undefined, schedule.kind === "none", () => ({ kind: "none" }))}
    </fieldset>
  );
}

type Which = "every" | "weekdays" | "own";

function TimesFields({
  times,
  fault,
  onTimes,
}: {
  times: Times;
  fault: (place: string) => string | null;
  onTimes: (times: Times) => void;
}) {
  const cron = times.cron ?? "";
  const [picked, setPicked] = useState<Picked | null>(() => pickedOf(cron));
  const [own, setOwn] = useState(
    () => picked !== null && !same(picked.days, EVERY_DAY) && !same(picked.days, WEEKDAYS),
  );
  const next = useNextTimes(times);
  const wrong = (member: string) => next.refused?.some((each) => each.startsWith(`${member}:`)) ?? false;
  const cronError = wrong("cron") ? t(`fault.${cronFault(cron)}` as "fault.cronTimes") : fault("schedule.cron");
  const pick = (change: Partial<Picked>) => {
    const now = { days: EVERY_DAY, time: "06:00", ...picked, ...change };
    setPicked(now);
    onTimes({ ...times, cron: cronOf(now) });
  };
  const which: Which = own ? "own" : picked && same(picked.days, WEEKDAYS) ? "weekdays" : "every";
  const zone = (
    <TextField
      id="schedule.timeZone"
      label={t("editor.schedule.zone")}
      value={times.timeZone}
      error={wrong("timeZone") ? t("fault.zone") : fault("schedule.timeZone")}
      list="zones"
      spellcheck={false}
      onValue={(timeZone) => onTimes({ ...times, timeZone })}
    />
  );
  const simple = pickedOf(cron);
  return (
    <div class="sub">
      {picked ? (
        <>
          <div class="pair">
            <Field label={t("editor.schedule.days")}>
              {(control) => (
                <Select
                  {...control}
                  value={which}
                  options={[
                    { value: "every", label: t("editor.schedule.days.every") },
                    { value: "weekdays", label: t("editor.schedule.days.weekdays") },
                    { value: "own", label: t("editor.schedule.days.own") },
                  ]}
                  onValue={(value) => {
                    setOwn(value === "own");
                    if (value !== "own") pick({ days: value === "every" ? EVERY_DAY : WEEKDAYS });
                  }}
                />
              )}
            </Field>
            <Field id="schedule.cron" label={t("editor.schedule.time")} error={cronError}>
              {(control) => (
                <input
                  {...control}
                  class="in"
                  type="time"
                  value={picked.time}
                  onInput={(event) => pick({ time: event.currentTarget.value })}
                />
              )}
            </Field>
          </div>
          {own && (
            <fieldset class="chips gap" aria-label={t("editor.schedule.days.own")}>
              {EVERY_DAY.map((day) => {
                const on = picked.days.includes(day);
                return (
                  <button
                    key={day}
                    type="button"
                    class="chip"
                    aria-pressed={on}
                    title={dayName(day, "long")}
                    onClick={() =>
                      pick({ days: on ? picked.days.filter((each) => each !== day) : [...picked.days, day].sort() })
                    }
                  >
                    {dayName(day, "short")}
                  </button>
                );
              })}
            </fieldset>
          )}
          <div class="pair gap">{zone}</div>
        </>
      ) : (
        <div class="pair">
          <TextField
            id="schedule.cron"
            label={t("editor.schedule.cron")}
            value={cron}
            error={cronError}
            hint={t("editor.schedule.cron.hint")}
            maxLength={100}
            spellcheck={false}
            onValue={(typed) => onTimes({ ...times, cron: typed })}
          />
          {zone}
        </div>
      )}
      <div class="next3" aria-live="polite">
        {next.times && (
          <>
            <span class="soft">{t("editor.schedule.next")}</span>
            <ol>
              {next.times.map((at) => (
                <li key={at}>
                  <time dateTime={at}>{whenIn(at, times.timeZone)}</time>
                </li>
              ))}
            </ol>
          </>
        )}
      </div>
      {picked ? (
        <button type="button" class="lnk small" onClick={() => setPicked(null)}>
          {t("editor.schedule.asCron")}
        </button>
      ) : (
        simple && (
          <button
            type="button"
            class="lnk small"
            onClick={() => {
              setPicked(simple);
              setOwn(!same(simple.days, EVERY_DAY) && !same(simple.days, WEEKDAYS));
            }}
          >
            {t("editor.schedule.asDays")}
          </button>
        )
      )}
    </div>
  );
}

const TYPING_MS = 300;

/** The next three times, asked for when nothing was typed for a moment; `refused`: what the API says against them. */
function useNextTimes({ cron, timeZone }: Times): {
  times: readonly string[] | null;
  refused: readonly string[] | null;
} {
  const path = `/schedule-times?${new URLSearchParams({ cron: cron ?? "", timeZone })}`;
  const [asked, setAsked] = useState(path);
  useEffect(() => {
    const timer = setTimeout(() => setAsked(path), TYPING_MS);
    return () => clearTimeout(timer);
  }, [path]);
  const answer = useLoaded<Model<"NextTimes">>(asked);
  const settled = asked === path;
  return {
    times: settled ? (answer.data?.value ?? null) : null,
    refused: settled && answer.failure?.code === "invalid_query" ? answer.failure.members : null,
  };
}
