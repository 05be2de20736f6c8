"""SMTP server for the tests, on aiosmtpd (written by others): port on the first line, then one JSON line a mail.

A --reply of "hold" is never given: the mail is received, and the sender is not told.
"""

import argparse
import asyncio
import email
import email.policy
import json
import ssl
import sys

try:
    from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword
except ImportError:
    sys.exit("the Python module aiosmtpd is missing: pip install 'aiosmtpd==1.4.*'")


class Tampered(SMTP):
    """What a client sees when somebody on the way adds unprotected answers behind that to STARTTLS."""

    async def push(self, status):
        await super().push(status + "\r\n250 tampered" if status.startswith("220 Ready") else status)


def say(**fields):
    print(json.dumps(fields), flush=True)


class Handler:
    def __init__(self, replies):
        self.replies = replies
        self.seen = set()

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("bad"):
            return "550 5.1.1 no such user here"
        if address.startswith("grey") and address not in self.seen:
            self.seen.add(address)
            return "451 4.7.1 greylisted, come back"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        reply = self.replies.pop(0) if self.replies else "250 2.0.0 queued"
        login = session.auth_data.decode() if session.auth_data else None
        say(
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            tls=server.transport.get_extra_info("ssl_object") is not None,
            login=login,
            headers=[[name, str(value)] for name, value in mail.items()],
            text=mail.get_content().replace("\r\n", "\n"),
            ascii=envelope.content.isascii(),
            reply=reply,
        )
        if reply == "hold":
            await asyncio.Event().wait()
        return reply


def authenticator(user, password, echo):
    def check(server, session, envelope, mechanism, data):
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        if (data.login.decode(), data.password.decode()) == (user, password):
            return AuthResult(success=True, auth_data=data.login)
        told = f"535 5.7.8 wrong: {data.password.decode()}" if echo else None
        return AuthResult(success=False, handled=False, message=told)

    return check


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", choices=["none", "starttls", "tls"], default="none")
    parser.add_argument("--cert")
    parser.add_argument("--key")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--mechanism", choices=["PLAIN", "LOGIN"])
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--tamper", action="store_true")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--reply", action="append", default=[])
    options = parser.parse_args()
    context = None
    if options.cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.cert, options.key)
    handler = Handler(options.reply)
    settings = {"hostname": "mail.test", "enable_SMTPUTF8": False, "ident": "test"}
    if options.tls == "starttls":
        settings |= {"tls_context": context, "require_starttls": True}
    if options.user:
        settings |= {
            "authenticator": authenticator(options.user, options.password, options.echo),
            "auth_required": True,
            "auth_require_tls": options.tls == "starttls",
        }
        if options.mechanism:
            settings["auth_exclude_mechanism"] = {"PLAIN", "LOGIN"} - {options.mechanism}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: (Tampered if options.tamper else SMTP)(handler, loop=loop, **settings),
        "127.0.0.1",
        options.port,
        ssl=context if options.tls == "tls" else None,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # The test holds the other end: when it is gone, so is this.
    await loop.run_in_executor(None, sys.stdin.read)


asyncio.run(main())
