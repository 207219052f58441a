"""An image registry of a few lines: serves what it is given, and keeps a list of what was asked for."""

import base64
import contextlib
import gzip
import http.server
import json
import threading

import images
from tasks import insist

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@contextlib.contextmanager
def serving(port, stored, login=None):
    """`stored` are images by `repository:tag`, each a layer and the members of its configuration; `login` is the
    `user:password` that everybody needs. Yields the paths asked for."""
    answers, asked = {}, []
    for name, (layer, how) in stored.items():
        answers.update(paths(*name.split(":"), layer, how))

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            if self.command == "GET":
                asked.append(self.path)
            if login and self.headers["Authorization"] != "Basic " + base64.b64encode(login.encode()).decode():
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="registry"')
                self.send_header("Content-Length", "0")
                return self.end_headers()
            kind, content = answers.get(self.path, ("application/json", b'{"errors": []}'))
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            if kind == MANIFEST:
                self.send_header("Docker-Content-Digest", images.digest(content))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content)

        do_HEAD = do_GET

        def log_message(self, *_):
            pass

    # The port is one that the kernel may just be lending to somebody's connection.
    server = insist(lambda: http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler), OSError, seconds=60)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield asked
    finally:
        server.shutdown()
        server.server_close()


def paths(repository, tag, layer, how):
    """What the distribution protocol answers of one image."""
    config = json.dumps(images.config(layer, how)).encode()
    packed = gzip.compress(layer, compresslevel=1, mtime=0)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described(config, "application/vnd.docker.container.image.v1+json"),
        "layers": [described(packed, "application/vnd.docker.image.rootfs.diff.tar.gzip")],
    }
    document = json.dumps(manifest).encode()
    blobs = {f"/v2/{repository}/blobs/{images.digest(blob)}": ("application/octet-stream", blob) for blob in (config, packed)}
    references = {f"/v2/{repository}/manifests/{name}": (MANIFEST, document) for name in (tag, images.digest(document))}
    return {"/v2/": ("application/json", b"{}"), **blobs, **references}


def described(content, kind):
    return {"mediaType": kind, "size": len(content), "digest": images.digest(content)}
