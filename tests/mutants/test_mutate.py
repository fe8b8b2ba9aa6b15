"""What the mutants of a module are."""

from __future__ import annotations

from tests.mutants.mutate import mutants

SOURCE = '''"""A module."""

from __future__ import annotations

LIMIT = 254  # with its source
NAME = re.compile(r"[a-z]+")


class Address:
    """A class."""

    text: str | None = None

    @property
    def long(self) -> bool:
        """Whether it is."""
        return len(self.text) > LIMIT


def check(address: Address, *, strict: bool = False) -> str:
    if address.long and NAME.fullmatch(address.text):
        raise Stop("too_long", "The address is too long.")
    note(address)
    return (
        "short"
    )
'''


def test_constants_properties_defaults_and_calls_are_changed_but_no_types_and_no_words_for_people() -> None:
    assert {(mutant.place, mutant.function, mutant.change) for mutant in mutants(SOURCE)} == {
        ("", False, "LIMIT = 254  ->  LIMIT = None"),
        ("", False, "LIMIT = 254  ->  LIMIT = 255"),
        ("", False, 'NAME = re.compile(r"[a-z]+")  ->  NAME = None'),
        ("", False, 'NAME = re.compile(r"[a-z]+")  ->  NAME = re.compile(None)'),
        ("", False, 'NAME = re.compile(r"[a-z]+")  ->  NAME = re.compile(r"XX[a-z]+XX")'),
        ("", False, 'NAME = re.compile(r"[a-z]+")  ->  NAME = re.compile(r"[A-Z]+")'),
        ("Address.long", True, "return len(self.text) > LIMIT  ->  return len(self.text) >= LIMIT"),
        (
            "check",
            False,
            (
                "def check(address: Address, *, strict: bool = False) -> str:"
                "  ->  def check(address: Address, *, strict: bool = True) -> str:"
            ),
        ),
        *(
            ("check", True, f"if address.long and NAME.fullmatch(address.text):  ->  if {condition}:")
            for condition in (
                "address.long or NAME.fullmatch(address.text)",
                "address.long and NAME.fullmatch(None)",
                "address.long and NAME.match(address.text)",
            )
        ),
        *(
            ("check", True, f'raise Stop("too_long", "The address is too long.")  ->  raise Stop({arguments})')
            for arguments in (
                'None, "The address is too long."',
                '"The address is too long."',
                '"XXtoo_longXX", "The address is too long."',
            )
        ),
        ("check", True, "note(address)  ->  note(None)"),
        ("check", True, "note(address)  ->  pass"),
        ("check", True, '"short"  ->  "XXshortXX"'),
    }


def test_each_mutant_is_the_module_with_that_change_and_nothing_else() -> None:
    for mutant in mutants(SOURCE):
        compile(mutant.source, "address.py", "exec")
        before, _, after = mutant.change.partition("  ->  ")
        assert mutant.source == SOURCE.replace(before, after, 1)
