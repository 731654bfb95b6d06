"""`accounts.yaml`: who has a key or a password of their own, and what it is good for."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeAlias

import yaml
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from whisper_inference.errors import InvalidSettings
from whisper_inference.quotas.quota import NO_QUOTA, Quota
from whisper_inference.security.passwords import is_hash
from whisper_inference.security.roles import Role

_MOST_PROBLEMS: Final = 3
"""Said of one file: who mends these sees the next ones."""
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


Name: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]


class NamedKey(BaseModel):
    """A key that one program or person has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(pattern=r"^[0-9a-f]{16}$")
    name: Name
    """Whose it is: in logs and metrics. Two keys may have one name, so that one can take over from the other."""
    role: Role
    hash: str = Field(pattern=r"^sha256:[0-9a-f]{64}$")
    expires: AwareDatetime | None = None
    quotas: Quota = NO_QUOTA

    def expired(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.expires is not None and now >= self.expires


def _distinct(keys: tuple[NamedKey, ...]) -> tuple[NamedKey, ...]:
    identities = [key.id for key in keys]
    if len(set(identities)) < len(identities):
        raise ValueError("two keys have the same id")
    return keys


def _argon2(text: str) -> str:
    if not is_hash(text):
        raise ValueError("not an Argon2id hash: make one with `whisper-inference hash-password`")
    return text


class Account(BaseModel):
    """Who logs in with a password."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    role: Role
    password: Annotated[str, AfterValidator(_argon2)]
    """Its hash."""
    quotas: Quota = NO_QUOTA


def _no_namesake(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    names = [account.name for account in accounts]
    if len(set(names)) < len(names):
        raise ValueError("two accounts have the same name")
    return accounts


class Accounts(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: Annotated[tuple[Account, ...], AfterValidator(_no_namesake)] = ()

    keys: Annotated[tuple[NamedKey, ...], AfterValidator(_distinct)] = ()

    def find_key(self, identity: str) -> NamedKey | None:
        """Find a key by its public id."""
        return next((key for key in self.keys if key.id == identity), None)

    def next_end(self, now: datetime) -> datetime | None:
        """Return when the first of those who have a good key will have none; `None` if that is never."""
        last: dict[str, datetime] = {}
        for key in self.keys:
            if not key.expired(now):
                last[key.name] = max(last.get(key.name, now), key.expires or _NEVER)
        first = min(last.values(), default=_NEVER)
        return None if first == _NEVER else first


def parse_accounts(text: str, where: str) -> Accounts:
    """Read the file's text.

    Args:
        text: YAML.
        where: The file's name, for the sentence that says what is wrong.

    Raises:
        InvalidSettings: It is not YAML, or says what means nothing; the sentence repeats no value of it.
    """
    try:
        document: Any = yaml.safe_load(text)
    except yaml.YAMLError as problem:
        line = getattr(getattr(problem, "problem_mark", None), "line", 0) + 1
        raise InvalidSettings(f"{where} is not YAML: look at line {line}.") from None
    try:
        return Accounts.model_validate({} if document is None else document)
    except ValidationError as problem:
        found = problem.errors(include_url=False, include_context=False, include_input=False)
        told = "; ".join(f"{each['msg']} ({_place(each['loc'])})" for each in found[:_MOST_PROBLEMS])
        raise InvalidSettings(f"{where} cannot be used: {told}.") from None


def write_key(key: NamedKey) -> str:
    """Return a key as an entry under `keys:`."""
    entry = key.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump([entry], sort_keys=False)


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "the file"
