/** Icons as SVG, 20 x 20, drawn with the colour of the text beside them. They say nothing that words do not. */

const PATHS = {
  exports: "M3 10h9M9 6l4 4-4 4M16 4v12",
  segments:
    "M7.5 9a2.75 2.75 0 1 0 0-5.5 2.75 2.75 0 0 0 0 5.5M2.5 16.5c0-3 2-5 5-5s5 2 5 5M13 4a2.5 2.5 0 0 1 0 4.8M14.5 12c2 .6 3 2.2 3 4.5",
  search: "M9 14A5 5 0 1 0 9 4a5 5 0 0 0 0 10M12.8 12.8 17 17",
  connections: "M8.5 11.5l3-3M7 9 5 11a2.8 2.8 0 0 0 4 4l2-2M13 11l2-2a2.8 2.8 0 0 0-4-4L9 7",
  system: "M2 10h4l2-5 4 10 2-5h4",
  add: "M10 4v12M4 10h12",
  run: "M6 4.5v11l9-5.5z",
  reload: "M15.5 7A6 6 0 1 0 16 11.5M16 3.5V7h-3.5",
  edit: "M4 16l1-4 8.5-8.5 3 3L8 15z",
  panel: "M3 4.5h14v11H3zM12 4.5v11",
  close: "M5 5l10 10M15 5 5 15",
  menu: "M3 5h14M3 10h14M3 15h14",
  theme: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14M10 7h6M10 10h7M10 13h6",
  done: "M4 10.5l4 4 8-9",
  warning: "M10 3.5 17.5 16h-15zM10 8v4M10 14v.4",
  failed: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M7.5 7.5l5 5M12.5 7.5l-5 5",
  held: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M6.5 10h7",
  paused: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M8.3 7.5v5M11.7 7.5v5",
  waiting: "M10 3a7 7 0 1 0 0 14 7 7 0 0 0 0-14M10 6v4.2l2.6 1.6",
  eye: "M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5M10 12.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4",
  download: "M10 3v9M6.5 8.5 10 12l3.5-3.5M4 16h12",
  key: "M12.5 10.5a3.5 3.5 0 1 0-3.2-2L3.5 14v2.5H6V15h1.5v-1.5H9l1.6-1.6c.5.4 1.2.6 1.9.6",
  copy: "M7 7h9v9H7zM4 13V4h9",
  detach: "M4 10h3M13 10h3M8.5 6.5v7M11.5 6.5v7",
  remove: "M4 5.5h12M8 5.5v-2h4v2M5.5 5.5l.8 11h7.4l.8-11",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="i" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
