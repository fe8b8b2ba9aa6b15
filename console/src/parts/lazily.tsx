/** Pages that are fetched when they are opened. */
import { type ComponentType, h } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Main } from "../app";
import { t } from "../texts";
import { Button, Note, Skeleton } from "./controls";

/** A component that is fetched at its first use, and then there at once. */
export function lazily<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let there: ComponentType<Props> | null = null;
  return function Lazily(props: Props) {
    const [page, setPage] = useState(() => there);
    const [failed, setFailed] = useState(false);
    useEffect(() => {
      let wanted = true;
      if (!there && !failed)
        load().then(
          (loaded) => {
            there = loaded;
            if (wanted) setPage(() => loaded);
          },
          () => wanted && setFailed(true),
        );
      return () => {
        wanted = false;
      };
    }, [failed]);
    if (page) return h(page, props);
    return (
      <Main title={t("loading")}>
        {failed ? (
          // Most often, a new release has replaced the page's files: everything is loaded again.
          <Note
            tone="bad"
            actions={
              <Button icon="reload" onClick={() => location.reload()}>
                {t("failure.again")}
              </Button>
            }
          >
            <p>{t("failure.noAnswer")}</p>
          </Note>
        ) : (
          <Skeleton />
        )}
      </Main>
    );
  };
}
