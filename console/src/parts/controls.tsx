/** Buttons, fields, notes: the parts of which pages are made. Their looks are in styles/controls.css. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { t } from "../texts";
import { Icon, type IconName } from "./icons";

interface ButtonProps {
  onClick?: () => void;
  icon?: IconName;
  /** One primary button in a view; danger is for what cannot be undone. */
  look?: "go" | "flat" | "danger";
  slim?: boolean;
  /** The label, if the button shows only its icon. */
  label?: string;
  busy?: boolean;
  disabled?: boolean;
  submit?: boolean;
  expanded?: boolean;
  /** Of a button that switches something on and off. */
  pressed?: boolean;
  children?: ComponentChildren;
}

export function Button({
  onClick,
  icon,
  look,
  slim,
  label,
  busy,
  disabled,
  submit,
  expanded,
  pressed,
  children,
}: ButtonProps) {
  const classes = ["btn", look, slim && "slim", label && "sq"].filter(Boolean).join(" ");
  return (
    <button
      type={submit && !busy ? "submit" : "button"}
      class={classes}
      aria-label={label}
      title={label}
      aria-busy={busy || undefined}
      aria-expanded={expanded}
      aria-pressed={pressed}
      // While it waits it does nothing, but stays where it is for whoever came to it by keyboard.
      aria-disabled={busy || undefined}
      disabled={disabled && !busy}
      onClick={busy ? undefined : onClick}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

export function LinkButton({
  href,
  icon,
  look,
  children,
}: {
  href: string;
  icon?: IconName;
  look?: "go" | "flat" | undefined;
  children: ComponentChildren;
}) {
  return (
    <a class={["btn", look].filter(Boolean).join(" ")} href={href}>
      {icon && <Icon name={icon} />}
      {children}
    </a>
  );
}

type Tone = "ok" | "warn" | "bad";
const TONE_ICON: Record<Tone, IconName> = { ok: "done", warn: "warning", bad: "failed" };

/** What happened, the next step, the code small and last. A failure is announced at once. */
export function Note({
  tone,
  title,
  code,
  actions,
  children,
}: {
  tone?: Tone;
  title?: ComponentChildren;
  code?: string;
  actions?: ComponentChildren;
  children?: ComponentChildren;
}) {
  return (
    <div class={["note", tone].filter(Boolean).join(" ")} role={tone === "bad" ? "alert" : "status"}>
      {tone && <Icon name={TONE_ICON[tone]} />}
      <div>
        {title && <p class="b">{title}</p>}
        {children}
        {code && <p class="code small">{t("note.code", { code })}</p>}
        {actions && <div class="acts">{actions}</div>}
      </div>
    </div>
  );
}

interface FieldProps {
  /** Given where a link leads to it. */
  id?: string;
  label: string;
  hint?: ComponentChildren;
  error?: string | null | undefined;
  /** Gets the id and the ids of what describes it. */
  children: (control: {
    id: string;
    "aria-describedby": string | undefined;
    "aria-invalid": boolean | undefined;
  }) => ComponentChildren;
}

export function Field({ id: given, label, hint, error, children }: FieldProps) {
  const own = useId();
  const id = given ?? own;
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return (
    <div class="fld">
      <label for={id}>{label}</label>
      {children({ id, "aria-describedby": described, "aria-invalid": error ? true : undefined })}
      {error && (
        <p class="err" id={`${id}-error`}>
          <Icon name="warning" />
          <span>{error}</span>
        </p>
      )}
      {hint && (
        <p class="hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface InputProps {
  id?: string;
  label: string;
  value: string;
  onValue: (value: string) => void;
  hint?: ComponentChildren;
  error?: string | null | undefined;
  type?: "text" | "password" | "search" | "number" | "email";
  placeholder?: string;
  autocomplete?: string;
  inputMode?: "numeric" | "email" | "url";
  spellcheck?: boolean;
  disabled?: boolean;
  maxLength?: number;
  /** The id of a `<datalist>` with suggestions. */
  list?: string;
}

export function TextField({ id, label, value, onValue, hint, error, type = "text", ...rest }: InputProps) {
  return (
    <Field {...(id ? { id } : {})} label={label} hint={hint} error={error}>
      {(control) => (
        <input
          class="in"
          autocomplete="off"
          {...rest}
          {...control}
          type={type as "text"}
          value={value}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
      )}
    </Field>
  );
}

/** A field that narrows down what is listed below it. */
export function SearchField({
  label,
  value,
  onValue,
}: {
  label: string;
  value: string;
  onValue: (value: string) => void;
}) {
  return (
    <div class="end search">
      <Icon name="search" />
      <input
        class="in"
        type="search"
        aria-label={label}
        placeholder={label}
        value={value}
        onInput={(event) => onValue(event.currentTarget.value)}
      />
    </div>
  );
}

export interface Choice {
  value: string;
  label: string;
  disabled?: boolean;
}

interface SelectProps {
  value: string;
  options: readonly Choice[];
  onValue: (value: string) => void;
  id?: string;
  label?: string;
  disabled?: boolean;
  "aria-describedby"?: string | undefined;
  "aria-invalid"?: boolean | undefined;
}

/** `label` names it where no `<label>` does, as in a table. */
export function Select({ value, options, onValue, label, ...rest }: SelectProps) {
  return (
    <select {...rest} aria-label={label} value={value} onChange={(event) => onValue(event.currentTarget.value)}>
      {options.map((each) => (
        <option key={each.value} value={each.value} disabled={each.disabled ?? false}>
          {each.label}
        </option>
      ))}
    </select>
  );
}

/** A checkbox or a radio button with a second line that says what follows. */
export function Option({
  type = "checkbox",
  name,
  checked,
  onChecked,
  label,
  hint,
  disabled,
}: {
  type?: "checkbox" | "radio";
  name?: string;
  checked: boolean;
  onChecked: (checked: boolean) => void;
  label: ComponentChildren;
  hint?: ComponentChildren;
  disabled?: boolean;
}) {
  return (
    <label class="opt">
      <input
        type={type}
        name={name}
        checked={checked}
        disabled={disabled}
        onChange={(e) => onChecked(e.currentTarget.checked)}
      />
      <span>
        {label}
        {hint && <small>{hint}</small>}
      </span>
    </label>
  );
}

/** A panel at the side for one thing. Escape closes it; the focus goes in, and back to where it was. */
export function Panel({
  title,
  over,
  onClose,
  children,
}: {
  title: string;
  over?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}) {
  const panel = useRef<HTMLElement>(null);
  const id = useId();
  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    panel.current?.focus();
    const onKey = (event: KeyboardEvent) => {
      if (event.key === "Escape") close.current();
    };
    document.addEventListener("keydown", onKey);
    return () => {
      document.removeEventListener("keydown", onKey);
      // Where nothing opened it, as after a save, or what did is gone, there is no way back but to the page.
      const back = before?.isConnected && before !== document.body ? before : document.getElementById("main");
      back?.focus({ preventScroll: back.id === "main" });
    };
  }, []);
  return (
    <aside class={over ? "panel over" : "panel"} ref={panel} tabIndex={-1} aria-labelledby={id}>
      <div class="panel-head">
        <h2 id={id}>{title}</h2>
        <Button icon="close" look="flat" label={t("panel.close")} onClick={onClose} />
      </div>
      {children}
    </aside>
  );
}

export function Skeleton({ lines = 3 }: { lines?: number }) {
  return (
    <div role="status" class="skeletons">
      <span class="vh">{t("loading")}</span>
      {Array.from({ length: lines }, (_, index) => (
        <span key={index} class={`skel w${(index % 3) + 1}`} />
      ))}
    </div>
  );
}

/** Give an element a share of its row, through the object model, which the page's policy allows. */
export function grow(share: number) {
  return (element: HTMLElement | null) => element?.style.setProperty("flex-grow", String(share));
}

export function Progress({ label, share, text }: { label: string; share: number; text: string }) {
  const done = Math.min(1, Math.max(0, share));
  return (
    <div class="prow">
      <span>{label}</span>
      <span
        class="track"
        role="progressbar"
        aria-label={label}
        aria-valuenow={Math.round(100 * done)}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuetext={text}
      >
        <i ref={grow(done)} />
        <i class="rest" ref={grow(1 - done)} />
      </span>
      <span class="soft num">{text}</span>
    </div>
  );
}
