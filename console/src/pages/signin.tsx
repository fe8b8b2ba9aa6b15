/** Signing in: with a function key, which is typed once, or with Microsoft Entra. */
import { useState } from "preact/hooks";
import { keep, signIn, signInAddress } from "../api/session";
import { Button, LinkButton, Note, TextField } from "../parts/controls";
import { t } from "../texts";

export function SignInPage({ refused, onKey }: { refused: boolean; onKey: () => void }) {
  const [key, setKey] = useState("");
  if (signIn === "entra") {
    return (
      <>
        <h1>{t("signin.title")}</h1>
        <p class="lead">{t("signin.entra.lead")}</p>
        <div class="acts gap">
          <LinkButton look="go" href={signInAddress()}>
            {t("signin.entra")}
          </LinkButton>
        </div>
      </>
    );
  }
  const submit = (event: Event) => {
    event.preventDefault();
    if (!key.trim()) return;
    keep(key.trim());
    onKey();
  };
  return (
    <>
      <h1>{t("signin.title")}</h1>
      <p class="lead">{t("signin.key.lead")}</p>
      {refused && (
        <Note tone="bad">
          <p>{t("signin.key.refused")}</p>
        </Note>
      )}
      <form onSubmit={submit}>
        <TextField
          label={t("signin.key")}
          type="password"
          value={key}
          onValue={setKey}
          hint={t("signin.key.hint")}
          autocomplete="current-password"
          spellcheck={false}
        />
        <div class="acts gap">
          <Button look="go" icon="key" submit disabled={!key.trim()}>
            {t("signin.key.go")}
          </Button>
        </div>
      </form>
    </>
  );
}
