"""A plain SOAP service: service.py. Prints where it listens.

It answers Ping with the text behind the name of who sent it, and knows nothing of WS-Security. GET tells whom the gateway named as
callers since the last GET, one a line, and a hyphen for nobody.
"""

import http.server
import threading
import xml.etree.ElementTree as tree
from xml.sax.saxutils import escape

PING = "http://xmlsoap.org/Ping"
MEDIA = {
    "http://schemas.xmlsoap.org/soap/envelope/": "text/xml; charset=utf-8",
    "http://www.w3.org/2003/05/soap-envelope": "application/soap+xml; charset=utf-8",
}

callers: list[str] = []
lock = threading.Lock()


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        envelope = tree.fromstring(self.rfile.read(int(self.headers["Content-Length"])))
        soap = envelope.tag[1:].partition("}")[0]
        header, body = envelope.find(f"{{{soap}}}Header"), envelope.find(f"{{{soap}}}Body")
        if header is not None and len(header):
            raise ValueError(f"a header that nobody here understands: {header[0].tag}")
        request = body.find(f"{{{PING}}}PingRequest")
        origin, text = (request.findtext(f"{{{PING}}}{name}") for name in ("origin", "text"))
        with lock:
            callers.append(self.headers.get("X-User", "-"))
        self.answer(
            MEDIA[soap],
            f'<e:Envelope xmlns:e="{soap}"><e:Body><PingResponse xmlns="{PING}">'
            f"<text>{escape(origin)} : {escape(text)}</text></PingResponse></e:Body></e:Envelope>",
        )

    def do_GET(self) -> None:
        with lock:
            told = "\n".join(callers)
            callers.clear()
        self.answer("text/plain; charset=utf-8", told)

    def answer(self, media: str, text: str) -> None:
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(f"127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
