"""A strict stand-in of the ActiveCampaign API v3, for laptops and tests.

`Account` is the model: requests in, answers out, time as a function. `serve(account)` puts it on a loopback port:

    account = Account("demo-key")
    with serve(account) as server:
        requests.get(f"{server.url}/api/3/users/me", headers={"Api-Token": "demo-key"})
        account.add_fault(Fault("lose_answer", match="bulk_import"))
        account.state()

Every method of `Account` that prepares or inspects it is also an HTTP call under /_sandbox/ (control.py has the table).
`python -m sandbox.activecampaign` serves an account from a process of its own.

How well each behavior is founded: DOC, ActiveCampaign says so; REC, recorded traffic of a real account shows it;
PROBE, somebody outside this project tried it on one; ASSUMED, nothing is known and the stricter or more dangerous
reading is taken. A name in brackets is the switch (switches.py) for another reading.

General
- DOC https://developers.activecampaign.com/reference/authentication: the key is in the header Api-Token.
- DOC: a missing or wrong key gets 403. PROBE: or the login page with status 200 [bad_key]. ASSUMED: body of the 403.
- DOC https://developers.activecampaign.com/reference/rate-limits: 5 requests a second for an account; beyond, 429 with
  Retry-After in seconds. ASSUMED: body; other forms of the header [retry_after]; that imports count too
  [imports_count_as_requests]; that a second is any second [counting].
- DOC https://developers.activecampaign.com/reference/pagination: pages of 20, at most 100. REC: the total is text.
  ASSUMED: a greater limit means 100; GET fields too has 20.
- REC: X-Request-Id on every answer; members and types of users, lists and fields.
- DOC https://developers.activecampaign.com/reference/retrieve-account-information: settings/account,
  administrators only.
- DOC: a list that the key may not see gets 403, one that is not there 404; their bodies.
- DOC: options and relations of custom fields stand beside them in GET fields. Sources differ on how they are tied to
  them, and recordings have none at all [fields_tell]. ASSUMED: shape and paging of fields/{id}/options.
- DOC: GET contacts filters by email, listid, status (-1 is any) and id_greater; an unknown filter is ignored, and
  everybody comes back [contact_filters]. REC: the total is text. Programs rely on inclusion of contactLists and
  fieldValues, which is not documented [includes]. Not modelled: any other filter and order.
- DOC: a deleted contact is archived, and no answer of GET contacts has it. ASSUMED: an import makes a new one, with a
  new id.

POST import/bulk_import, https://developers.activecampaign.com/reference/bulk-import-contacts
- DOC: at most 250 contacts and 399,999 bytes. ASSUMED: beyond, 400 with reasons as text.
- DOC: 100 requests a minute, 20 for those of one contact; beyond, 400 with "Rate limit exceeded." and reasons as text.
  ASSUMED: a minute is any 60 seconds [counting]; one-contact requests use up both rates; refused contacts do, too.
- REC: the accepted answer, its spelling [success_spelling] and its Content-Type, text/html.
- DOC: excluded addresses leave 200 with success 5 and fewer queued contacts; they fail in import/info [excluded].
- DOC: one contact that is not valid refuses all, reasons by position. PROBE: positions count from 1 [index_base], plain
  quotes [typographic_quotes]. DOC, from an example of import/info: this first rule is looser than that of
  the processing. ASSUMED: what exactly it is; that the documented types are checked.
- PROBE: unknown members, such as names in camelCase, are dropped without a word.
- PROBE: an unparsable body is refused. ASSUMED: so are NaN, a byte order mark, and text that is not UTF-8.
- DOC: automations run unless exclude_automations is true. Sources differ on its place [exclude_automations_at].
- Not modelled: the callback.

GET import/info, https://developers.activecampaign.com/reference/bulk-import-status-info
- DOC: status is false in the first second [status_delay_s], then waiting, claimed, active, and completed, failed or
  interrupted. ASSUMED: how long each lasts; that nothing but the status is told in the first second, and no contact
  before the end; that nothing of a failed import is stored, and the first half of an interrupted one.
- REC: one contact took 7 seconds. ASSUMED: 5 seconds and 8 ms a contact, imports beside each other [processing_base_s,
  processing_per_contact_s].
- DOC: success lists ids of new contacts. PROBE: of updated ones as well [success_lists].
- DOC: failure lists addresses. ASSUMED: spelled as sent [failure_case].
- DOC: no batchId gets 400. ASSUMED: an unknown one has status false [unknown_import].

GET import/bulk_import, https://developers.activecampaign.com/reference/bulk-import-status-list
- DOC: totals by day as text, those of completed imports for seven days. ASSUMED: days are of UTC.

What an import does
- DOC: contacts are upserted by e-mail address; addresses differing in case are equal by a third party's report.
- DOC: the domain has a dot and two letters or more after it, no special characters. DOC, by example: an apostrophe
  fails. ASSUMED: so do non-ASCII characters and more than 254 characters.
- DOC: who left a list is not put on it again, and the contact is not updated. ASSUMED: it is in failure [unsubscribed].
- DOC: bounced addresses fail. DOC: new contacts over the plan's limit fail; another official page disagrees
  [over_contact_limit].
- PROBE of contact/sync: absent members keep what is there, unknown fields are ignored. ASSUMED: the same here; empty
  text erases [empty_text]; unknown lists are ignored [unknown_list]; of two rows with one address both are applied, in
  order.
- DOC: a value must match the type and the option exactly, and the contact must be on a list that the field is related
  to (0: all lists), or it silently does not show. ASSUMED: so it is dropped, and a list that the contact has left
  counts; of an import, a value that does not match may fail its contact as well [unfit_values].
- DOC: unsubscribe closes the list to later imports.

POST contact/sync, POST contactLists
- REC: 201 for what is new, 200 otherwise. PROBE: bodies of 400 and 422.
- DOC https://developers.activecampaign.com/reference/update-list-status-for-contact: status 1 does subscribe again
  somebody who had left.
"""

from sandbox.activecampaign.account import Account
from sandbox.activecampaign.answers import Answer, ConnectionDropped
from sandbox.activecampaign.faults import Fault
from sandbox.activecampaign.imports import Import
from sandbox.activecampaign.requests import LoggedRequest
from sandbox.activecampaign.server import Server, serve
from sandbox.activecampaign.shapes import ContactList, CustomField
from sandbox.activecampaign.switches import Switches

__all__ = [
    "Account",
    "Answer",
    "ConnectionDropped",
    "ContactList",
    "CustomField",
    "Fault",
    "Import",
    "LoggedRequest",
    "Server",
    "Switches",
    "serve",
]
