/** How the files of the segments are read: which of them, from when on, in which encoding. Most exports say none of it. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Field, Option, TextField } from "../../parts/controls";
import { Icon } from "../../parts/icons";
import { type Draft, patterns, saysReading } from "../../rules/editor";
import { type Key, t } from "../../texts";

interface ReadingProps {
  draft: Draft;
  /** The settings that a problem or a warning says to change, as one text: another one opens the fold again. */
  named: string;
  /** How many files the preview of this draft left out because of the patterns; null if that is not known. */
  ignored: number | null;
  fault: (place: string) => string | null;
  onDraft: (part: Partial<Draft>) => void;
}

const FILES = [
  [null, "editor.files.any"],
  ["newest", "editor.files.newest"],
  ["all", "editor.files.all"],
] as const satisfies [Draft["files"], Key][];

const FILES_HINT = {
  "editor.files.any": "editor.files.any.hint",
  "editor.files.newest": "editor.files.newest.hint",
  "editor.files.all": "editor.files.all.hint",
} as const satisfies Record<string, Key>;

export function ReadingFields({ draft, named, ignored, fault, onDraft }: ReadingProps) {
  const [open, setOpen] = useState(() => saysReading(draft));
  useEffect(() => {
    if (named) setOpen(true);
  }, [named]);
  return (
    <details class="fold reading" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{t("editor.reading")}</summary>
      <p class="soft small">{t("editor.reading.text")}</p>
      <Group place="files" label={t("editor.files")} fault={fault("files")}>
        {FILES.map(([value, text]) => (
          <Option
            key={text}
            type="radio"
            name="files"
            checked={(draft.files ?? null) === value}
            onChecked={() => onDraft({ files: value })}
            label={t(text)}
            hint={t(FILES_HINT[text])}
          />
        ))}
      </Group>
      <Ignore draft={draft} ignored={ignored} fault={fault("ignore")} onDraft={onDraft} />
      <Complete draft={draft} fault={fault("completeWhen")} onDraft={onDraft} />
      <TextField
        id="encoding"
        label={t("editor.encoding")}
        hint={t("editor.encoding.hint")}
        value={draft.encoding ?? ""}
        error={fault("encoding")}
        placeholder="UTF-8"
        list="encodings"
        spellcheck={false}
        onValue={(value) => onDraft({ encoding: value || null })}
      />
      <datalist id="encodings">
        {ENCODINGS.map(([name, key]) => (
          <option key={name} value={name} label={`${name}: ${t(key)}`} />
        ))}
      </datalist>
    </details>
  );
}

/** Those that programs write most; the API knows more. */
const ENCODINGS: [name: string, languages: Key][] = [
  ["windows-1252", "editor.encoding.western"],
  ["windows-1250", "editor.encoding.central"],
  ["windows-1251", "editor.encoding.cyrillic"],
  ["windows-1254", "editor.encoding.turkish"],
  ["utf-16", "editor.encoding.utf16"],
  ["shift_jis", "editor.encoding.japanese"],
  ["gb18030", "editor.encoding.chinese"],
  ["euc-kr", "editor.encoding.korean"],
];

interface GroupProps {
  place: string;
  label: string;
  fault: string | null;
  children: ComponentChildren;
}

function Group({ place, label, fault, children }: GroupProps) {
  return (
    <fieldset id={place} tabIndex={-1} aria-describedby={fault ? `${place}-error` : undefined}>
      <legend class="lab">{label}</legend>
      {fault && (
        <p class="err small" id={`${place}-error`}>
          <Icon name="warning" />
          <span>{fault}</span>
        </p>
      )}
      {children}
    </fieldset>
  );
}

interface PartProps {
  draft: Draft;
  fault: string | null;
  onDraft: (part: Partial<Draft>) => void;
}

function Ignore({ draft, ignored, fault, onDraft }: PartProps & { ignored: number | null }) {
  const [typed, setTyped] = useState("");
  const ignore = draft.ignore ?? [];
  // While somebody types, the lines are theirs: one may be empty yet.
  const shown = JSON.stringify(patterns(typed)) === JSON.stringify(ignore) ? typed : ignore.join("\n");
  return (
    <Field
      id="ignore"
      label={t("editor.ignore")}
      error={fault}
      hint={
        <>
          {t("editor.ignore.hint")}{" "}
          <span role="status">
            {ignored === 0 ? (
              <span class="warnc">{t("editor.ignore.none")}</span>
            ) : (
              ignored !== null && t("editor.ignore.left", { n: ignored })
            )}
          </span>
        </>
      }
    >
      {(control) => (
        <textarea
          class="in mono"
          rows={3}
          spellcheck={false}
          autocomplete="off"
          {...control}
          value={shown}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            onDraft({ ignore: patterns(event.currentTarget.value) });
          }}
        />
      )}
    </Field>
  );
}

const MINUTES = 30; // to begin with: longer than the app's own five

function Complete({ draft, fault, onDraft }: PartProps) {
  const when = draft.completeWhen ?? null;
  const way = when === null ? "quiet" : when.marker == null ? "minutes" : "marker";
  const set = (completeWhen: { marker?: string; minutes?: number | null } | null) =>
    onDraft({ completeWhen: completeWhen as Draft["completeWhen"] });
  return (
    <Group place="completeWhen" label={t("editor.complete")} fault={fault}>
      <Option
        type="radio"
        name="completeWhen"
        checked={way === "quiet"}
        onChecked={() => set(null)}
        label={t("editor.complete.quiet")}
        hint={t("editor.complete.quiet.hint")}
      />
      <Option
        type="radio"
        name="completeWhen"
        checked={way === "minutes"}
        onChecked={() => set({ minutes: MINUTES })}
        label={t("editor.complete.minutes")}
        hint={t("editor.complete.minutes.hint")}
      />
      {way === "minutes" && (
        <input
          class="in"
          type="number"
          min={1}
          max={1440}
          aria-label={t("editor.complete.minutes.n")}
          aria-invalid={fault ? true : undefined}
          value={when?.minutes ?? ""}
          onInput={(event) => {
            const { value } = event.currentTarget;
            set({ minutes: value === "" ? null : Number(value) });
          }}
        />
      )}
      <Option
        type="radio"
        name="completeWhen"
        checked={way === "marker"}
        onChecked={() => set({ marker: "" })}
        label={t("editor.complete.marker")}
        hint={t("editor.complete.marker.hint")}
      />
      {way === "marker" && (
        <input
          class="in mono"
          aria-label={t("editor.complete.marker.name")}
          aria-invalid={fault ? true : undefined}
          placeholder="_SUCCESS"
          spellcheck={false}
          value={when?.marker ?? ""}
          onInput={(event) => set({ marker: event.currentTarget.value })}
        />
      )}
    </Group>
  );
}
