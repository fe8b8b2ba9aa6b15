/** Signing in again without leaving a page on which something is typed. */
import { useEffect, useRef, useState } from "preact/hooks";
import { keep, signIn, signInAddress } from "../api/session";
import { t } from "../texts";
import { Button, Note } from "./controls";

/** Says that nothing is lost; takes the key, or opens the sign-in in another tab. `onAgain` tries once more. */
export function SignInAgain({ onAgain }: { onAgain: () => void }) {
  const [key, setKey] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []); // it may be far from what was pressed
  const enter = () => {
    if (!key.trim()) return;
    keep(key.trim());
    onAgain();
  };
  return (
    <Note
      tone="bad"
      title={t("again.title")}
      actions={
        signIn === "key" ? (
          <>
            <input
              ref={field}
              class="in date"
              type="password"
              autocomplete="off"
              aria-label={t("signin.key")}
              value={key}
              onInput={(event) => setKey(event.currentTarget.value)}
              onKeyDown={(event) => {
                if (event.key !== "Enter") return;
                event.preventDefault(); // the form around it is not what is meant
                enter();
              }}
            />
            <Button disabled={!key.trim()} onClick={enter}>
              {t("again.go")}
            </Button>
          </>
        ) : (
          <>
            <a class="btn" href={signInAddress()} target="_blank" rel="noreferrer">
              {t("signin.title")}
            </a>
            <Button onClick={onAgain}>{t("again.go")}</Button>
          </>
        )
      }
    >
      <p>{t(signIn === "key" ? "again.key" : "again.entra")}</p>
    </Note>
  );
}
