/** CSV as RFC 4180 writes it: quoted texts may hold commas, line breaks and doubled quotes. */

/** The data rows of a file by the names of its header; a byte order mark is dropped. */
export function recordsOf(file: string): Record<string, string>[] {
  const [head = [], ...rows] = rowsOf(file.replace(/^\uFEFF/, ""));
  return rows.map((row) => Object.fromEntries(head.map((name, index) => [name, row[index] ?? ""])));
}

function rowsOf(file: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  const cell = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/y;
  while (cell.lastIndex < file.length) {
    const found = cell.exec(file);
    if (!found) break; // a quote in the middle of a text: what follows cannot be told apart
    row.push(found[1]?.replaceAll('""', '"') ?? found[2] ?? "");
    if (found[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  if (row.length) rows.push(row);
  return rows;
}
