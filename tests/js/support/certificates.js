// Certificate authorities of our own, and certificates by them, as text in PEM.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** An authority; its files go when `scope` ends. `certificate` is its own, at `file`; see `issue`. */
export function createAuthority(scope, name) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-tls-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = (each) => join(folder, each);
  const read = (each) => readFileSync(file(each), "utf8");
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const request = (key, ...rest) => ["req", ...KEY, "-keyout", key, ...rest];
  openssl(...request("ca.key", "-x509", "-out", "ca.crt", "-days", "2", "-subj", `/CN=${name}`));
  let count = 0;
  return {
    file: file("ca.crt"),
    certificate: read("ca.crt"),
    /** A certificate for `names` ("DNS:..." or "IP:..."), valid for `days`: { cert, key, certFile, keyFile }. */
    issue(names, days = 2) {
      count += 1;
      const [key, csr, crt, extra] = ["key", "csr", "crt", "cnf"].map((kind) => `${count}.${kind}`);
      openssl(...request(key, "-out", csr, "-subj", "/CN=redlatch"));
      writeFileSync(file(extra), `subjectAltName=${names.join(",")}\n`);
      const by = ["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", String(days)];
      openssl("x509", "-req", "-in", csr, ...by, "-extfile", extra, "-out", crt);
      return { cert: read(crt), key: read(key), certFile: file(crt), keyFile: file(key) };
    },
  };
}
