"""A file server on this machine, and archives made in memory."""

import io
import socket
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Server:
    """A file server on this machine that can break off, ignore Range, and remembers what it was asked."""

    def __init__(self):
        self.files = {}
        self.ranges = []
        self.break_after = None
        self.honours_range = True
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def address(self, name):
        return f"http://127.0.0.1:{self.http.server_port}/{name}"

    def answer(self, request):
        content = self.files.get(request.path[1:])
        if content is None:
            request.send_error(404)
            return
        wanted = request.headers.get("Range")
        self.ranges.append(wanted)
        start = int(wanted[6:-1]) if wanted and self.honours_range else 0
        if wanted and start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if wanted and self.honours_range else 200)
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        stop = None if self.break_after is None else start + self.break_after
        request.wfile.write(content[start:stop])
        request.wfile.flush()
        if stop is not None:
            request.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def server():
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def archive_of():
    """A function that packs ``members`` (name → bytes) and returns the archive's bytes."""

    def pack(members, kind="tar"):
        buffer = io.BytesIO()
        if kind == "zip":
            with zipfile.ZipFile(buffer, "w") as bundle:
                for name, content in members.items():
                    bundle.writestr(name, content)
        else:
            with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
                for name, content in members.items():
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
        return buffer.getvalue()

    return pack
