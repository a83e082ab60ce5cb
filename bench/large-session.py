#!/usr/bin/env python3
"""How much memory a server takes to import and export a session of 100 MB.

    cargo build --release && bench/large-session.py target/release/skald

Writes a document in Skald's own format, starts the program on SQLite, sends the
document, imports and exports it, and prints after each step how long it took and
the peak of resident memory since the start (Linux: VmHWM).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

MOMENT = "2026-01-01T00:00:00Z"
TEXT = "Лампа горит, и дождь идёт по крыше. " * 30
REGISTER = "mutation($input: RegisterInput!) { register(input: $input) { accessToken } }"
UPLOAD = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id url } } }"
IMPORT = """mutation($input: ImportSessionInput!) { importSession(input: $input) {
    session { id } errors { code message } } }"""
EXPORT = "mutation($input: ExportSessionInput!) { exportSession(input: $input) { export { url } } }"


def write_document(path: str, size: int) -> int:
    """A story with a short branch at every third message; how many messages it has."""
    session = {
        "mode": "SANDBOX",
        "settings": {"language": "ru", "narrativeVoice": "THIRD"},
        "createdAt": MOMENT,
        "persona": 0,
        "cast": [{"name": "Мира", "character": 0}],
    }
    count = 0
    with open(path, "w", encoding="utf-8") as out:
        out.write('{"format":"skald-session","version":"1.0",\n"session":')
        out.write(json.dumps(session, ensure_ascii=False))
        out.write(',\n"personas":[{"name":"Аста"}],\n"characters":[{"name":"Мира"}],\n"messages":[')
        while out.tell() < size:
            message = {
                "number": count,
                "role": "PLAYER" if count % 2 else "CHARACTER",
                "author": {"name": "Мира", "character": 0},
                "content": f"{count} {TEXT}",
                "status": "COMPLETE",
                "createdAt": MOMENT,
            }
            if count:
                message["parent"] = max(0, count - 1 - count % 3)
            out.write((",\n" if count else "\n") + json.dumps(message, ensure_ascii=False))
            count += 1
        out.write(f'],\n"head":{count - 1},\n"tips":[]}}\n')
    return count


class Server:
    """A running program and somebody who is signed in."""

    def __init__(self, program: str, folder: str) -> None:
        command = [os.path.abspath(program), "serve", "--listen", "127.0.0.1:0", "--data", f"{folder}/data"]
        env = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
        env["SKALD_LOG__FILTER"] = "error"
        self.process = subprocess.Popen(command, cwd=folder, env=env, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().split()[1]
        self.token = None
        person = {"username": "freya", "email": "freya@example.org", "password": "a lantern for every window"}
        self.token = self.ask(REGISTER, person)["data"]["register"]["accessToken"]
        time.sleep(1)
        self.idle = self.megabytes("VmRSS")

    def ask(self, document: str, request: dict) -> dict:
        body = json.dumps({"query": document, "variables": {"input": request}}).encode()
        headers = {"content-type": "application/json", "accept": "application/json"}
        if self.token:
            headers["authorization"] = f"Bearer {self.token}"
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{self.url}graphql", body, headers)) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            return json.load(refused)

    def megabytes(self, name: str) -> float:
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            line = next(line for line in status if line.startswith(f"{name}:"))
        return int(line.split()[1]) / 1024

    def tell(self, what: str, since: float) -> None:
        peak = self.megabytes("VmHWM")
        took = time.monotonic() - since
        print(f"{what}: {took:.1f} s, peak {peak:.0f} MB, {peak - self.idle:.0f} MB above idle", flush=True)

    def import_session(self, upload: str) -> str:
        """Asks until it is done: a large file may take longer than one request."""
        wish = {"uploadIds": [upload], "clientRequestId": "import"}
        while True:
            answer = self.ask(IMPORT, wish)
            made = (answer.get("data") or {}).get("importSession") or {}
            if made.get("session"):
                return made["session"]["id"]
            codes = {error["code"] for error in made.get("errors", [])}
            codes |= {error["extensions"]["code"] for error in answer.get("errors", [])}
            if codes - {"CONFLICT", "TIMEOUT"}:
                sys.exit(str(answer))
            time.sleep(1)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/story.json"
        count = write_document(path, 100_000_000)
        server = Server(sys.argv[1], folder)
        try:
            print(f"{count} messages, {os.path.getsize(path)} bytes; idle {server.idle:.0f} MB")
            since = time.monotonic()
            request = {"fileName": "story.json", "clientRequestId": "upload"}
            upload = server.ask(UPLOAD, request)["data"]["createUpload"]["upload"]
            subprocess.run(["curl", "-sSf", "-T", path, upload["url"]], check=True)
            server.tell("upload", since)
            since = time.monotonic()
            session = server.import_session(upload["id"])
            server.tell("import", since)
            since = time.monotonic()
            request = {"sessionId": session, "format": "NATIVE_JSON"}
            export = server.ask(EXPORT, request)["data"]["exportSession"]["export"]
            subprocess.run(["curl", "-sSf", "-o", f"{folder}/out.json", export["url"]], check=True)
            server.tell("export", since)
        finally:
            server.process.terminate()
            server.process.wait()


if __name__ == "__main__":
    main()
