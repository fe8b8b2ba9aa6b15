/** The frame around every page: who is signed in, where one is, the language. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { forget, functionKey, SIGN_OUT_ADDRESS, signIn } from "./api/session";
import type { Model } from "./api/types";
import { useLoaded } from "./api/use";
import { ExportsPage } from "./pages/exports";
import { SignInPage } from "./pages/signin";
import { Button, Skeleton } from "./parts/controls";
import { FailureNote } from "./parts/failure";
import { Icon, type IconName } from "./parts/icons";
import { lazily } from "./parts/lazily";
import { MeContext } from "./parts/me";
import { type Place, partsHere, to, usePlace } from "./router";
import { type Key, LANGUAGES, type Language, language, t, use } from "./texts";

// What the first page needs comes at once, each other page when it is opened.
const ConnectionPage = lazily(async () => (await import("./pages/connection")).ConnectionPage);
const ConnectionsPage = lazily(async () => (await import("./pages/connections")).ConnectionsPage);
const ExportPage = lazily(async () => (await import("./pages/export")).ExportPage);
const PersonPage = lazily(async () => (await import("./pages/person")).PersonPage);
const RunPage = lazily(async () => (await import("./pages/run")).RunPage);
const SegmentPage = lazily(async () => (await import("./pages/segment")).SegmentPage);
const SegmentsPage = lazily(async () => (await import("./pages/segments")).SegmentsPage);
const SystemPage = lazily(async () => (await import("./pages/system")).SystemPage);

export function App() {
  const [, draw] = useState(0); // another language draws everything again, and keeps what is typed
  const [key, setKey] = useState(functionKey);
  const me = useLoaded<Model<"Me">>(signIn === "key" && !key ? null : "/me");
  const place = usePlace();
  const change = async (next: Language) => {
    await use(next);
    draw((n) => n + 1);
  };
  const out = () => {
    forget();
    setKey(null);
    if (signIn === "entra") location.assign(SIGN_OUT_ADDRESS);
  };
  const entered = () => {
    setKey(functionKey());
    me.reload();
  };
  const [open, setOpen] = useState(false);
  useEffect(() => setOpen(false), [place]);
  const signedIn = me.data && (signIn === "entra" || key);
  return (
    <div class={signedIn ? "frame" : "frame bare"}>
      <Top who={signedIn ? me.data : null} onLanguage={change} onOut={out} open={open} onOpen={setOpen} />
      {signedIn && <Rail place={place} role={me.data?.role} open={open} />}
      <div class="stage">
        {signedIn && me.data ? (
          <MeContext.Provider value={me.data}>
            <Page place={place} />
          </MeContext.Provider>
        ) : (
          <Main title={t("signin.title")}>
            {me.failure && !me.failure.signedOut ? (
              <FailureNote failure={me.failure} onAgain={me.reload} />
            ) : me.busy ? (
              <Skeleton />
            ) : (
              <SignInPage refused={Boolean(me.failure)} onKey={entered} />
            )}
          </Main>
        )}
      </div>
    </div>
  );
}

/** The page that the address names. */
function Page({ place }: { place: Place }) {
  const [page = "exports", id, more, ...rest] = place.parts;
  switch (page) {
    case "exports":
      if (id === undefined) return <ExportsPage />;
      return more === "edit" || id === "new" ? (
        <ExportPage key={id} id={id === "new" ? null : id} query={place.query} />
      ) : (
        <Missing />
      );
    case "runs":
      return id ? <RunPage key={id} id={id} part={more ?? "rows"} query={place.query} /> : <Missing />;
    case "people":
      return <PersonPage />;
    case "segments":
      return id === undefined ? (
        <SegmentsPage />
      ) : (
        <SegmentPage
          key={place.parts.join("/")}
          name={[id, more, ...rest].filter((part) => part !== undefined).join("/")}
        />
      );
    case "connections":
      if (id === undefined) return <ConnectionsPage query={place.query} />;
      return <ConnectionPage key={id} id={id === "new" ? null : id} query={place.query} />;
    case "system":
      return <SystemPage query={place.query} />;
    default:
      return <Missing />;
  }
}

function Missing() {
  return (
    <Main title={t("missing.title")}>
      <h1>{t("missing.title")}</h1>
      <p class="lead">
        <a href={to([])}>{t("missing.then")}</a>
      </p>
    </Main>
  );
}

/** The page that was shown last, and whether it was another one before: the first page leaves the focus to the browser. */
const arrived = { at: "", moved: false };

/** The content of a page. A new page takes the focus and begins at its top, so that a screen reader begins with it. */
export function Main({ title, children }: { title: string; children: ComponentChildren }) {
  const main = useRef<HTMLElement>(null);
  const [page = "exports", id] = partsHere();
  const here = `${page}/${id ?? ""}`;
  useEffect(() => {
    document.title = `${title} · ${t("app.name")}`;
  }, [title]);
  useEffect(() => {
    const isNew = arrived.at !== "" && arrived.at !== here;
    arrived.at = here;
    arrived.moved ||= isNew;
    if (isNew) scrollTo(0, 0);
    // What had the focus may be gone with what was shown while the page was loading.
    if (isNew || (arrived.moved && document.activeElement === document.body))
      main.current?.focus({ preventScroll: true });
  }, [here]);
  return (
    <main id="main" tabIndex={-1} ref={main}>
      {children}
    </main>
  );
}

interface TopProps {
  who: Model<"Me"> | null;
  onLanguage: (next: Language) => void;
  onOut: () => void;
  open: boolean;
  onOpen: (open: boolean) => void;
}

function Top({ who, onLanguage, onOut, open, onOpen }: TopProps) {
  const other = (Object.keys(LANGUAGES) as Language[]).filter((each) => each !== language);
  return (
    <header class="top">
      <a class="skip" href="#main">
        {t("skip")}
      </a>
      {who && (
        <span class="only-narrow">
          <Button icon="menu" look="flat" label={t("menu")} expanded={open} onClick={() => onOpen(!open)} />
        </span>
      )}
      <a class="brand" href={to([])}>
        <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" />
        {t("app.name")}
      </a>
      <div class="tools">
        {other.map((each) => (
          <Button key={each} look="flat" onClick={() => onLanguage(each)}>
            <span lang={each}>{LANGUAGES[each]}</span>
          </Button>
        ))}
        <Button icon="theme" look="flat" label={t("theme")} onClick={changeTheme} />
        {who && (
          <span class="who">
            {who.role
              ? `${who.signIn === "key" ? t("who.key") : who.name} · ${t(ROLES[who.role] ?? "role.viewer")}`
              : who.name}
          </span>
        )}
        {who && (
          <Button look="flat" onClick={onOut}>
            {t(signIn === "key" ? "signout.key" : "signout")}
          </Button>
        )}
      </div>
    </header>
  );
}

const ROLES: Record<string, Key> = { Admin: "role.admin", Contributor: "role.contributor", Viewer: "role.viewer" };

function changeTheme(): void {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = document.documentElement.dataset.theme ?? (dark ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
}

type Entry = [page: string, icon: IconName, text: Key];
const DATA: Entry[] = [
  ["exports", "exports", "nav.exports"],
  ["segments", "segments", "nav.segments"],
  ["people", "search", "nav.people"],
];
const ADMIN: Entry[] = [
  ["connections", "connections", "nav.connections"],
  ["system", "system", "nav.system"],
];

function Rail({ place, role, open }: { place: Place; role: Model<"Me">["role"] | undefined; open: boolean }) {
  const [page = "exports"] = place.parts;
  const current = page === "runs" ? "exports" : page;
  const entries = (of: Entry[]) => (
    <ul>
      {of.map(([name, icon, text]) => (
        <li key={name}>
          <a href={to([name])} aria-current={name === current ? "page" : undefined}>
            <Icon name={icon} />
            {t(text)}
          </a>
        </li>
      ))}
    </ul>
  );
  return (
    <nav class={open ? "rail open" : "rail"} aria-label={t("nav")}>
      <p>{t("nav.data")}</p>
      {entries(role === "Viewer" ? DATA.slice(0, 1) : DATA)}
      {role !== "Viewer" && <p>{t("nav.admin")}</p>}
      {role !== "Viewer" && entries(role === "Admin" ? ADMIN : ADMIN.slice(0, 1))}
    </nav>
  );
}
