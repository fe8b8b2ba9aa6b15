"""Resources in the JSON shapes of the real service: nearly every scalar is text, numbers included.

The members of users, lists and fields are those of public recordings (2020, 2021); `channel` of a list came later.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from sandbox.activecampaign.contacts import Contact, SentContact

Json = dict[str, Any]
Telling = Literal["both", "by_field", "by_ids", "nothing"]  # as the switch `fields_tell`

_CREATED = "2026-01-05T09:00:00-06:00"
_CREATED_STAMP = "2026-01-05 09:00:00"


@dataclass(frozen=True, slots=True)
class ContactList:
    """A list. `hidden`: the key's group may not see it, so its page answers 403."""

    id: int
    name: str
    channel: str = "email"
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field; `options` are the texts that a dropdown, listbox, radio or checkbox offers.

    `lists`: ids of the lists that it is related to; 0 is all lists.
    """

    id: int
    title: str
    type: str = "text"
    options: Sequence[str] = ()
    lists: Sequence[int] = (0,)

    @property
    def perstag(self) -> str:
        """The personalization tag."""
        return self.title.upper().replace(" ", "_")


LISTS = (ContactList(1, "Newsletter"), ContactList(2, "VIP"), ContactList(3, "SMS", channel="sms"))

FIELDS = (
    CustomField(1, "Customer ID"),
    CustomField(2, "Birthday", "date"),
    CustomField(3, "Loyalty tier", "dropdown", ("Bronze", "Silver", "Gold")),
    CustomField(4, "Interests", "checkbox", ("Coffee", "Tea", "Cocoa")),
    CustomField(5, "Stores", "listbox", ("Downtown", "Airport", "Online")),
    CustomField(6, "City"),
    CustomField(7, "Notes", "textarea"),
    CustomField(8, "Last purchase", "datetime"),
    CustomField(9, "Preferred contact", "radio", ("E-mail", "Phone")),
    CustomField(10, "Source", "hidden"),
    CustomField(11, "Newsletter", "checkbox", ("Yes",)),
    CustomField(12, "Points", "number"),
)


def user(base: str) -> Json:
    """Show the user whose key was used. `base`: URL of the API, for links."""
    links = (
        "lists",
        "userGroup",
        "dealGroupTotals",
        "dealGroupUsers",
        "configs",
        "dealConnection",
        "userConversationsPermission",
        "seatUser",
    )
    return {
        "username": "admin",
        "firstName": "Ada",
        "lastName": "Admin",
        "email": "admin@example.com",
        "phone": "",
        "signature": "",
        "localZoneid": "America/Chicago",
        "password_updated_utc_timestamp": "0000-00-00 00:00:00",
        "cdate": None,
        "udate": None,
        "mfaEnabled": "0",
        "links": {name: f"{base}/users/1/{name}" for name in links},
        "id": "1",
    }


def contact_list(of: ContactList, base: str) -> Json:
    """Show a list as GET lists and GET lists/{id} do."""
    empty = ("sender_addr2", "analytics_source", "analytics_ua", "twitter_token", "twitter_token_secret")
    null = (
        "analytics_domains",
        "facebook_session",
        "carboncopy",
        "subscription_notify",
        "unsubscription_notify",
        "fulladdress",
        "deletestamp",
        "created_by",
        "updated_by",
        "user",
    )
    zero = (
        "p_use_analytics_read",
        "p_use_analytics_link",
        "p_use_twitter",
        "p_use_facebook",
        "send_last_broadcast",
        "private",
        "require_name",
        "get_unsubscribe_reason",
        "optinmessageid",
        "optoutconf",
    )
    return {
        "stringid": of.name.lower(),
        "userid": "1",
        "name": of.name,
        "channel": of.channel,
        "cdate": _CREATED,
        "udate": _CREATED,
        "created_timestamp": _CREATED_STAMP,
        "updated_timestamp": _CREATED_STAMP,
        "p_use_tracking": "1",
        "p_embed_image": "1",
        "p_use_captcha": "1",
        "optinoptout": "1",
        "to_name": "Subscriber",
        "sender_name": "Example Ltd",
        "sender_addr1": "1 Example Street",
        "sender_city": "Chicago",
        "sender_state": "IL",
        "sender_zip": "60601",
        "sender_country": "USA",
        "sender_phone": "",
        "sender_url": "https://example.com",
        "sender_reminder": "You signed up on our site.",
        **dict.fromkeys(zero, "0"),
        **dict.fromkeys(empty, ""),
        **dict.fromkeys(null),
        "links": {name: f"{base}/lists/{of.id}/{name}" for name in ("contactGoalLists", "user", "addressLists")},
        "id": str(of.id),
    }


def fields_page(fields: Sequence[CustomField], base: str, tell: Telling) -> Json:
    """Show fields as GET fields does, with their options and relations beside them."""
    page: Json = {
        "fieldOptions": [option for field in fields for option in field_options(field)],
        "fieldRels": [relation for field in fields for relation in field_relations(field)],
        "fields": [custom_field(field, base) for field in fields],
    }
    if tell == "nothing":
        page |= {"fieldOptions": [], "fieldRels": []}
    if tell == "by_ids":
        for each in (*page["fieldOptions"], *page["fieldRels"]):
            del each["field"]
    if tell in ("by_field", "nothing"):
        for each in page["fields"]:
            each.update(options=[], relations=[])
    return page


def custom_field(of: CustomField, base: str) -> Json:
    """Show a custom field; its options and relations are ids."""
    return {
        "title": of.title,
        "descript": "",
        "type": of.type,
        "isrequired": "0",
        "perstag": of.perstag,
        "defval": "",
        "show_in_list": "0",
        "rows": "0",
        "cols": "0",
        "visible": "1",
        "service": "",
        "ordernum": str(of.id),
        "cdate": _CREATED,
        "udate": _CREATED,
        "created_timestamp": _CREATED_STAMP,
        "updated_timestamp": _CREATED_STAMP,
        "created_by": "1",
        "updated_by": "1",
        "options": [option["id"] for option in field_options(of)],
        "relations": [relation["id"] for relation in field_relations(of)],
        "links": {name: f"{base}/fields/{of.id}/{name}" for name in ("options", "relations")},
        "id": str(of.id),
    }


def field_options(of: CustomField) -> list[Json]:
    """Show the options of a field as GET fields and GET fields/{id}/options do."""
    return [
        {
            "field": str(of.id),
            "orderid": str(number),
            "value": text,
            "label": text,
            "isdefault": "0",
            "cdate": _CREATED,
            "udate": _CREATED,
            "id": str(of.id * 1000 + number),
        }
        for number, text in enumerate(of.options, 1)
    ]


def field_relations(of: CustomField) -> list[Json]:
    """Show the lists that a field is related to, as GET fields does."""
    return [
        {
            "field": str(of.id),
            "relid": str(list_id),
            "dorder": "0",
            "cdate": _CREATED,
            "links": [],
            "id": str(of.id * 1000 + number),
        }
        for number, list_id in enumerate(of.lists, 1)
    ]


def account(base: str, *, limit: int, total: int) -> Json:
    """Show the account as GET settings/account does; here, numbers are numbers. `limit`, `total`: contacts."""
    return {
        "account": base.removeprefix("https://").partition("/")[0],
        "email": "admin@example.com",
        "first_name": "Ada",
        "last_name": "Admin",
        "cname": "",
        "status": "active",
        "subscriber_limit": limit,
        "subscriber_total": total,
        "trial": False,
        "credits": None,
        "branding": True,
    }


def synced_contact(of: Contact, base: str) -> Json:
    """Show a contact as POST contact/sync does."""
    values = [
        {"contact": str(of.id), "field": str(number), "value": value} for number, value in of.field_values().items()
    ]
    return {"fieldValues": values, "contact": contact(of, base)}


def memberships(of: Contact) -> list[Json]:
    """Show the lists of a contact, as its contactLists and an inclusion do."""
    return [
        {"contact": str(of.id), "list": str(number), "status": str(status), "id": f"{of.id}{number:03}"}
        for number, status in of.lists
    ]


def field_values(of: Contact) -> list[Json]:
    """Show the values of a contact's custom fields, as its fieldValues and an inclusion do."""
    return [
        {"contact": str(of.id), "field": str(number), "value": value, "id": f"{of.id}{number:04}"}
        for number, value in of.field_values().items()
    ]


_BESIDE = {"contactLists": memberships, "fieldValues": field_values}


def contact(of: Contact, base: str, beside: Collection[str] = ()) -> Json:
    """Show a contact as GET contacts does; `beside`: of what the answer holds more, the contact names the ids."""
    return {
        **{name: [each["id"] for each in _BESIDE[name](of)] for name in beside},
        "email": of.email,
        "firstName": of.first_name,
        "lastName": of.last_name,
        "phone": of.phone,
        "cdate": _moment(of.created_at),
        "udate": _moment(of.updated_at),
        "links": {"contactLists": f"{base}/contacts/{of.id}/contactLists"},
        "id": str(of.id),
    }


def contact_membership(of: Contact, list_id: int, status: int, now: float) -> Json:
    """Show the membership of a contact as POST contactLists does."""
    shown = {
        "contact": str(of.id),
        "list": str(list_id),
        "status": str(status),
        "sdate": _moment(now),
        "sourceid": "0",
        "id": f"{of.id}{list_id:03}",
    }
    return {"contacts": [], "contactList": shown}


def as_bulk_contact(sent: Mapping[str, Any]) -> SentContact:
    """Turn the contact of POST contact/sync into one of a bulk import: other names for the same members.

    Values that are not text are dropped, as are field values without a numeric id.
    """
    names = {"email": "email", "firstName": "first_name", "lastName": "last_name", "phone": "phone"}
    texts = {names[name]: value for name, value in sent.items() if name in names and isinstance(value, str)}
    pairs = [each for each in sent.get("fieldValues", ()) if str(each.get("field")).isdecimal()]
    fields = [{"id": int(each["field"]), "value": str(each.get("value", ""))} for each in pairs]
    return cast("SentContact", {**texts, "fields": fields})


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")
