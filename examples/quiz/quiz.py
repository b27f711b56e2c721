"""A quiz with its own users: a right answer is worth points, and the page shows the scoreboard's live board.

Only `award` and `viewer_token` speak to the scoreboard; the rest is what any site has. Anybody signs in by saying a
name, which is enough for a demo and for nothing else.
"""

import argparse
import contextlib
import html
import http.server
import json
import secrets
import sqlite3
import urllib.parse
import urllib.request
from pathlib import Path
from string import Template

QUESTIONS = [
    ("Which planet has the shortest year?", ["Venus", "Mercury", "Mars"], "Mercury"),
    ("How many strings has a violin?", ["Four", "Five", "Six"], "Four"),
    ("Which sea has no coast?", ["The Sargasso Sea", "The Dead Sea", "The Red Sea"], "The Sargasso Sea"),
    ("What is 17 times 3?", ["41", "51", "61"], "51"),
]
SIGN_IN = (
    '<form method="post" action="/sign-in"><label>Your name <input name="name" required></label> '
    "<button>Start</button></form>"
)
PAGE = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
TABLES = """
CREATE TABLE IF NOT EXISTS users (id TEXT PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE IF NOT EXISTS sessions (cookie TEXT PRIMARY KEY, user TEXT);
CREATE TABLE IF NOT EXISTS answers (id TEXT UNIQUE, user TEXT, question INTEGER, correct INTEGER, told INTEGER,
                                    PRIMARY KEY (user, question));
"""


def ask(path: str, body: dict[str, str]) -> dict[str, str]:
    """One call of the scoreboard's API with the key. Raises OSError, also when the call is refused."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{OPTIONS.scoreboard}/api/v1{path}", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=5) as answer:
        return dict(json.load(answer)["data"])


def award(answer: str, user: str, name: str) -> None:
    ask("/awards", {"id": answer, "player": user, "name": name, "action_type": "COMPLETE_TASK"})


def viewer_token(user: str) -> str:
    return ask("/viewer-tokens", {"player": user})["token"]


class Quiz(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        user = self.user()
        if self.path != "/board-token":
            page = PAGE.substitute(quiz=self.quiz(*user) if user else SIGN_IN, scoreboard=OPTIONS.scoreboard)
            return self.answer(page)
        try:
            self.answer(json.dumps({"token": viewer_token(user[0]) if user else None}), "application/json")
        except OSError:
            self.send_error(503)

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), 1000)).decode(errors="replace")
        said = {name: values[0] for name, values in urllib.parse.parse_qs(body).items()}
        if self.path == "/sign-in" and (name := said.get("name", "").strip()[:30]):
            DATABASE.execute("INSERT OR IGNORE INTO users VALUES (?, ?)", (secrets.token_hex(8), name))
            [user] = DATABASE.execute("SELECT id FROM users WHERE name = ?", (name,)).fetchone()
            cookie = secrets.token_urlsafe()
            DATABASE.execute("INSERT INTO sessions VALUES (?, ?)", (cookie, user))
            return self.redirect(f"quiz={cookie}; HttpOnly; SameSite=Lax; Path=/")
        if self.path == "/answer" and (who := self.user()):
            number = len(self.answers(who[0]))
            if said.get("question") == str(number) and number < len(QUESTIONS):
                # First into the quiz's own table, then to the scoreboard: whatever fails in between is told again.
                row = (secrets.token_hex(8), who[0], number, said.get("choice") == QUESTIONS[number][2])
                DATABASE.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, 0)", row)
            tell()
        return self.redirect()

    def quiz(self, user: str, name: str) -> str:
        given = self.answers(user)
        points = f"<p>{html.escape(name)}, {sum(given)} of {len(given)} were right.</p>"
        if len(given) == len(QUESTIONS):
            return points + "<p>That was the last question.</p>"
        question, choices, _ = QUESTIONS[len(given)]
        buttons = "".join(f'<button name="choice" value="{choice}">{choice}</button>' for choice in choices)
        hidden = f'<input type="hidden" name="question" value="{len(given)}">'
        return f'{points}<form method="post" action="/answer">{hidden}<p>{question}</p>{buttons}</form>'

    def answers(self, user: str) -> list[int]:
        return [row[0] for row in DATABASE.execute("SELECT correct FROM answers WHERE user = ?", (user,))]

    def user(self) -> tuple[str, str] | None:
        """Id and name of who is signed in."""
        cookie = self.headers.get("Cookie", "").partition("quiz=")[2].partition(";")[0]
        query = "SELECT id, name FROM users JOIN sessions ON id = user WHERE cookie = ?"
        return next(DATABASE.execute(query, (cookie,)), None)

    def answer(self, text: str, kind: str = "text/html; charset=utf-8") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(text.encode())

    def redirect(self, cookie: str = "") -> None:
        self.send_response(303)
        self.send_header("Location", "/")
        if cookie:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def tell() -> None:
    """Awards every right answer that the scoreboard has not acknowledged. Its id makes a repeat harmless."""
    waiting = "SELECT answers.id, user, name FROM answers JOIN users ON users.id = user WHERE correct AND NOT told"
    with contextlib.suppress(OSError):  # the next answer tries again
        for answer, user, name in DATABASE.execute(waiting).fetchall():
            award(answer, user, name)
            DATABASE.execute("UPDATE answers SET told = 1 WHERE id = ?", (answer,))


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scoreboard", default="http://127.0.0.1:8000", help="the scoreboard's address")
    options.add_argument("--key", type=Path, required=True, help="a file with an API key")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=8100)
    options.add_argument("--data", default="quiz.sqlite3", help="the quiz's own database")
    OPTIONS = options.parse_args()
    KEY = OPTIONS.key.read_text().strip()
    DATABASE = sqlite3.connect(OPTIONS.data, isolation_level=None, check_same_thread=False)
    DATABASE.executescript(TABLES)
    http.server.ThreadingHTTPServer((OPTIONS.host, OPTIONS.port), Quiz).serve_forever()
