"""Who may do what: tokens with scopes, of which only hashes are kept.

    .venv/bin/python auth.py NAME SCOPE        makes a token, and the entry for API_TOKENS

Promises: without tokens only this machine is let in, and an unknown token is nobody. Leaves HTTP to
`routes.auth` and the dashboard's buttons to the views.
"""

import argparse
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Literal, get_args

from settings import Settings

__all__ = ["ANYONE", "COOKIE", "LOOPBACK", "Access", "Grant", "Scope", "access_of", "new_token"]

Scope = Literal["read", "run", "admin"]  # each includes those before it
SCOPES: tuple[Scope, ...] = get_args(Scope)
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
COOKIE = "model_dashboard_token"
PREFIX = "mmd_"  # so that a token is known for one wherever it leaks
TOKEN_BYTES = 32  # too many to guess, so a plain hash of them is enough


@dataclass(frozen=True)
class Grant:
    """What a caller may do, and under which name it is counted and logged."""

    name: str
    scope: Scope
    id: str = field(default="anyone", compare=False)  # its token's SHA-256: names may be given twice

    def allows(self, scope: Scope) -> bool:
        """
        >>> Grant("ci", "run").allows("read"), Grant("ci", "run").allows("admin")
        (True, False)
        """
        return SCOPES.index(scope) <= SCOPES.index(self.scope)


ANYONE = Grant("anyone", "admin")


@dataclass(frozen=True)
class Access:
    """Who is let in. `tokens` maps a secret's SHA-256 to its grant; `is_open` lets everybody in."""

    is_open: bool
    tokens: tuple[tuple[str, Grant], ...]

    def grant(self, secret: str | None) -> Grant | None:
        """What the bearer of `secret` may do; None for nobody."""
        if self.is_open:
            return ANYONE
        digest = hashlib.sha256((secret or "").encode()).hexdigest()
        found = None
        for known, grant in self.tokens:  # all of them, so that the time tells nothing
            if hmac.compare_digest(known, digest):
                found = grant
        return found


def access_of(settings: Settings) -> Access:
    """Open when asked to be in so many words, or when no token is set and only this machine can connect."""
    tokens = tuple((digest, Grant(name, scope, digest)) for name, scope, digest in settings.tokens)
    alone = settings.host.strip("[]").lower() in LOOPBACK
    return Access(is_open=settings.api_tokens == "open" or (not tokens and alone), tokens=tokens)


def new_token(name: str, scope: Scope) -> tuple[str, str]:
    """A fresh token, and its entry for API_TOKENS."""
    token = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    return token, f"{name}:{scope}:{hashlib.sha256(token.encode()).hexdigest()}"


def main(arguments: list[str] | None = None) -> None:
    """Make a token and print it once."""
    parser = argparse.ArgumentParser(
        prog="auth.py", description="Make a token for the API and the dashboard."
    )
    parser.add_argument("name", help="who it is for: a person, a CI job")
    parser.add_argument("scope", choices=SCOPES, help="read; run (and read); admin (and delete)")
    options = parser.parse_args(arguments)
    if not options.name.replace("-", "").replace("_", "").isalnum():
        parser.error("the name may hold letters, digits, - and _ only")
    token, entry = new_token(options.name, options.scope)
    print(f"Token, shown this once:\n  {token}\n")
    print(f"Add to API_TOKENS (comma separated) in .env, and restart:\n  {entry}")


if __name__ == "__main__":
    main()
