import { beforeAll, describe, expect, it, vi } from "vitest";
import { use } from "../src/texts";
import { type Params, problemText, type Situation, warningText } from "../src/texts/problems";

const made = (code: string, params: Params = {}, situation: Situation = "ended") =>
  problemText(code, params, situation, "English");

beforeAll(async () => {
  vi.stubGlobal("localStorage", { setItem: () => undefined });
  vi.stubGlobal("document", { documentElement: {} });
  await use("id");
});

describe("in Indonesian, a sentence", () => {
  it("writes numbers and shares as Indonesian does, and ids as they are", () => {
    expect(
      made("too_many_rows_rejected", {
        maxRejectShare: 0.05,
        rowsRead: 5000,
        rejected: 1268,
        rejectShare: 0.2536,
        reason: "missing_email",
        count: 1200,
        countShare: 0.24,
      }),
    ).toBe(
      "Paling banyak 5,0% dari 5.000 baris boleh tidak dapat dikirim; ternyata 1.268 (25,4%), paling sering karena " +
        "missing_email (1.200, 24,0%). Tidak ada yang dikirim. Periksa pencocokan data dan segmen ekspor. Jika " +
        "disengaja, setujui proses yang ditahan, atau naikkan “Batas baris yang tidak dapat dipakai” (guards.maxRejectShare) di ekspor.",
    );
    expect(made("size_changed", { factor: 2.5, lastRowsRead: 5000, rowsRead: 1200 })).toContain("lebih dari 2,5 kali");
    expect(
      made("too_many_filled", { mostFilled: 100_000, mostCharacters: 4_000_000, filled: 100_001, characters: 12 }),
    ).toContain("Paling banyak 100.000 nilai, atau 4.000.000 karakter");
    expect(made("list_not_found", { listId: 12345, host: "a.api-us1.com" })).toContain("Daftar 12345 tidak ada di");
  });

  it("fits the case and the situation", () => {
    expect(made("newer_run", { case: "approval", run: "r1" })).toMatch(/^Proses terbaru ekspor ini adalah r1\. Jika/);
    const host = { host: "a.api-us1.com" };
    expect(made("throttled", host, "ended")).toMatch(/selama proses dapat menunggu.*lalu jalankan lagi ekspornya\.$/);
    expect(made("throttled", host, "waiting")).toMatch(/Dicoba lagi otomatis\.$/);
    expect(made("throttled", { ...host, retryAfterS: 29.6 }, "answered")).toMatch(/Coba lagi dalam 30 detik\.$/);
    expect(made("segment_empty", { rowsRead: 0 }, "preview")).toContain("Proses tidak akan mengirim apa pun.");
  });

  it("names things in words", () => {
    const asked = { host: "a.api-us1.com", asked: "field_options", fieldId: 1234 };
    expect(made("credentials_refused", asked)).toContain("permintaan pilihan bidang kustom 1234: kunci API ditolak");
    expect(made("format_unsupported", { file: "a.csv", format: "zip" })).toContain("menunjukkan arsip zip.");
  });

  it("shows a path of the API with its braces", () => {
    expect(made("run_not_found")).toBe(
      "Tidak ada proses dengan ID ini. GET /exports/{id}/runs menampilkan proses suatu ekspor.",
    );
    expect(made("field_not_found", { field: "Kota", case: "near", near: "CITY" })).toContain(
      "/connections/{id}/fields",
    );
  });

  it("is said of warnings, too, and is the API's where there is none", () => {
    const warning = { code: "trimmed", message: "English", params: { contacts: 1234 } };
    expect(warningText(warning)).toBe("Kontak dengan spasi di sekitar nilai: 1.234. Spasinya dibuang.");
    expect(warningText({ code: "new_code", message: "English", params: {} })).toBe("English");
  });
});
