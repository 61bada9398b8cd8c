"""A real SMTP server for tests: aiosmtpd, told by its arguments what to ask for.

Prints its port, then one JSON line a mail: {"from", "to", "data", "tls", "user"}.
Arguments: --auth USER:PASSWORD, --starttls, --implicit, --cert FILE --key FILE,
--refuse ADDRESS (550), --later ADDRESS (451, once).
"""

import argparse
import asyncio
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, options):
        self.refused = set(options.refuse)
        self.later = set(options.later)

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in self.refused:
            return "550 no such mailbox"
        if address in self.later:
            self.later.remove(address)
            return "451 greylisted, come again"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        mail = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "data": envelope.content.decode("utf-8"),
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data,
        }
        print(json.dumps(mail), flush=True)
        return "250 OK"


def authenticator(options):
    user, _, password = options.auth.partition(":")

    def check(server, session, envelope, mechanism, data):
        is_right = data.login.decode() == user and data.password.decode() == password
        return AuthResult(success=is_right, handled=False, auth_data=user)

    return check


async def main(options):
    context = None
    if options.cert:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(options.cert, options.key)

    def factory():
        arguments = {"hostname": "localhost", "enable_SMTPUTF8": False}
        if options.auth:
            arguments |= {
                "authenticator": authenticator(options),
                "auth_required": True,
                "auth_require_tls": options.starttls,
            }
        if options.starttls:
            arguments |= {"tls_context": context, "require_starttls": True}
        return SMTP(handler, **arguments)

    handler = Handler(options)
    implicit = context if options.implicit else None
    server = await asyncio.get_running_loop().create_server(factory, "127.0.0.1", 0, ssl=implicit)
    print(server.sockets[0].getsockname()[1], flush=True)
    # The end of standard input is the end of the test.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


parser = argparse.ArgumentParser()
parser.add_argument("--auth")
parser.add_argument("--starttls", action="store_true")
parser.add_argument("--implicit", action="store_true")
parser.add_argument("--cert")
parser.add_argument("--key")
parser.add_argument("--refuse", action="append", default=[])
parser.add_argument("--later", action="append", default=[])
asyncio.run(main(parser.parse_args()))
