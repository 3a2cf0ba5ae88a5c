"""A backend behind tower-jverify that lets a request in only with an assertion: see docs/assertion.md.

pip install 'pyjwt[crypto]'
python examples/assertion_backend.py 127.0.0.1:8000 accounts jwks.json
"""

import base64
import hashlib
import http.server
import sys
import time

import jwt

ADDRESS, AUDIENCE, JWKS = sys.argv[1:]
with open(JWKS, encoding="utf-8") as jwks:
    KEYS = {key.key_id: key.key for key in jwt.PyJWKSet.from_json(jwks.read()).keys}


def sha256(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def verified(method, path, headers, body):
    """The claims of the request's assertion. Raises an exception if the request must be refused."""
    (token,) = headers.get_all("x-jverify-assertion")  # exactly one
    head = jwt.get_unverified_header(token)
    if head["typ"] != "jverify-assertion+jwt":
        raise ValueError("another type of token")
    claims = jwt.decode(
        token, KEYS[head["kid"]], algorithms=["EdDSA"], audience=AUDIENCE, issuer="jverify", leeway=0,
        options={"require": ["aud", "exp", "iat", "iss", "jti"], "verify_iat": False},
    )
    if claims["iat"] > time.time() + 30:  # the clocks of two hosts differ
        raise ValueError("signed in the future")
    if (claims["htm"], claims["htu"], claims["bd"]) != (method, path.partition("?")[0], sha256(body)):
        raise ValueError("another request")
    if claims["decision"] not in ("allow", "flag") or claims["reason"] == "fallback_captcha" or claims["sandbox"]:
        raise ValueError("not verified")
    return claims


class Backend(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            status, text = 200, f"welcome: {verified(self.command, self.path, self.headers, body)['decision']}"
        except Exception as refused:  # whatever is wrong
            status, text = 403, f"refused: {type(refused).__name__}"
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    do_PUT = do_POST

    def log_message(self, *_):
        pass


host, _, port = ADDRESS.rpartition(":")
server = http.server.ThreadingHTTPServer((host, int(port)), Backend)
print(f"listening on {host}:{server.server_port}", flush=True)
server.serve_forever()
