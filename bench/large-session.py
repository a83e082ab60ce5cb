#!/usr/bin/env python3
"""How much memory a server takes to import and export large sessions.

    cargo build --release && bench/large-session.py target/release/skald [document|chats]

Writes a document of 100 MB in Skald's own format, or a chat of SillyTavern with
20,000 messages, every other one with three swipes, and 3 branches of it; starts the
program on SQLite, sends, imports and exports it, and prints after each step how long
it took and the peak of resident memory since the start (Linux: VmHWM).
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
LINE = TEXT[:360]
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


def write_chats(folder: str, messages: int, branches: int) -> list[str]:
    """A long chat, and others that leave it near its end."""
    lines = ['{"user_name":"Аста","character_name":"Мира","chat_metadata":{}}\n']
    for n in range(messages):
        message = {"name": "Аста" if n % 2 else "Мира", "is_user": bool(n % 2), "mes": f"{n} {LINE}"}
        message["send_date"] = 1_700_000_000_000 + n * 60_000
        if n % 2 == 0:
            message |= {"swipe_id": 1, "swipes": [f"{n} a {LINE}", f"{n} {LINE}", f"{n} b {LINE}"]}
        lines.append(json.dumps(message, ensure_ascii=False) + "\n")
    paths = []
    for branch in range(branches + 1):
        paths.append(f"{folder}/chat {branch:02}.jsonl")
        last = {"name": "Аста", "is_user": True, "mes": f"Branch {branch}.", "send_date": 1_800_000_000_000}
        with open(paths[-1], "w", encoding="utf-8") as out:
            out.writelines(lines[: len(lines) - branch * 10 if branch < branches else None])
            out.write(json.dumps(last) + "\n")
    return paths


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

    def send(self, path: str, number: int) -> str:
        """Sends a file; its upload's id."""
        request = {"fileName": os.path.basename(path), "clientRequestId": f"upload-{number}"}
        upload = self.ask(UPLOAD, request)["data"]["createUpload"]["upload"]
        subprocess.run(["curl", "-sSf", "-T", path, upload["url"]], check=True)
        return upload["id"]

    def fetch(self, path: str, request: dict) -> None:
        """Exports a session to a file."""
        export = self.ask(EXPORT, request)["data"]["exportSession"]["export"]
        subprocess.run(["curl", "-sSf", "-o", path, export["url"]], check=True)

    def import_session(self, uploads: list[str]) -> str:
        """Asks until it is done: a large file may take longer than one request."""
        wish = {"uploadIds": uploads, "clientRequestId": "import"}
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


def measure(server: Server, folder: str, paths: list[str], formats: list[str]) -> None:
    size = sum(os.path.getsize(path) for path in paths)
    print(f"{len(paths)} files, {size} bytes; idle {server.idle:.0f} MB")
    since = time.monotonic()
    uploads = [server.send(path, number) for number, path in enumerate(paths)]
    server.tell("upload", since)
    since = time.monotonic()
    session = server.import_session(uploads)
    server.tell("import", since)
    for form in formats:
        since = time.monotonic()
        server.fetch(f"{folder}/out", {"sessionId": session, "format": form})
        server.tell(f"export as {form}, {os.path.getsize(f'{folder}/out')} bytes", since)


def main() -> None:
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["document"], ["chats"]):
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        if sys.argv[2:] == ["chats"]:
            paths, formats = write_chats(folder, 20_000, 3), ["SILLY_TAVERN"]
        else:
            write_document(f"{folder}/story.json", 100_000_000)
            paths, formats = [f"{folder}/story.json"], ["NATIVE_JSON"]
        server = Server(sys.argv[1], folder)
        try:
            measure(server, folder, paths, formats)
        finally:
            server.process.terminate()
            server.process.wait()


if __name__ == "__main__":
    main()
