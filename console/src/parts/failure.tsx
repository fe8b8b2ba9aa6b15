/** What went wrong, in sentences: of the API where it said one, else of the page. */
import { useEffect, useState } from "preact/hooks";
import type { Failure } from "../api/client";
import { t } from "../texts";
import { problemText } from "../texts/problems";
import { Button, Note } from "./controls";

export function failureText(failure: Failure): string {
  switch (failure.code) {
    case "no_answer":
      return failure.status ? t("failure.noUse", { status: failure.status }) : t("failure.noAnswer");
    case "signed_out":
      return t("failure.signedOut");
    case "too_many_requests":
      return t("failure.tooMany");
    default:
      return problemText(failure.code, failure.params, "answered", failure.detail);
  }
}

export function FailureNote({ failure, onAgain }: { failure: Failure; onAgain?: () => void }) {
  return (
    <Note
      tone="bad"
      code={failure.code}
      actions={
        onAgain && (
          <Button icon="reload" onClick={onAgain}>
            {t("failure.again")}
          </Button>
        )
      }
    >
      <p>{failureText(failure)}</p>
    </Note>
  );
}

/** While the newest look failed but an older answer is still shown: what still holds, and when the page asks again. */
export function StaleBanner({ failure, onAgain }: { failure: Failure; onAgain: () => void }) {
  const [left, setLeft] = useState(failure.retryAfterS ?? 0);
  useEffect(() => {
    setLeft(failure.retryAfterS ?? 0);
    const timer = setInterval(() => setLeft((s) => Math.max(0, s - 1)), 1000);
    return () => clearInterval(timer);
  }, [failure]);
  const busy = failure.status === 429 && failure.retryAfterS !== null; // else nobody has said when
  return (
    <div class="banner" role="status">
      <p>{busy ? t("banner.tooMany", { n: Math.ceil(left) }) : `${failureText(failure)} ${t("banner.older")}`}</p>
      <Button slim icon="reload" onClick={onAgain}>
        {t("failure.again")}
      </Button>
    </div>
  );
}
