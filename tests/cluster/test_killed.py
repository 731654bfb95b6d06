"""An operator that dies at a write, whichever it is, against a real API server: the next one finishes its work."""

import pytest
from kubernetes import client

from tests.support.mortal import LITTLE, MUCH, Mortal, children, finish, live
from tests.support.person import Person
from whisper_operator.reconcile import OwnerKey

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("heard", [False, True], ids=["before it is sent", "after it is done"])
def test_whatever_write_is_the_last_the_next_operator_finishes(
    api: client.ApiClient, person: Person, *, heard: bool
) -> None:
    whole = OwnerKey(person.namespace, "whole")
    person.create(whole.name, **MUCH)
    writes = live(Mortal(api), whole)
    finish(api, whole)
    much = children(api, whole)
    person.patch(whole.name, **LITTLE)
    changes = live(Mortal(api), whole)
    finish(api, whole)
    little = children(api, whole)
    assert writes > 15
    assert changes > 8

    for last in range(1, max(writes, changes) + 1):
        key = OwnerKey(person.namespace, f"live-{last}")
        person.create(key.name, **MUCH)
        live(Mortal(api, last, heard=heard), key)
        finish(api, key)
        assert children(api, key) == much
        person.patch(key.name, **LITTLE)
        live(Mortal(api, last, heard=heard), key)
        finish(api, key)
        assert children(api, key) == little
        person.delete(key.name)
