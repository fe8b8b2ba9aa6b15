"""What the tests of the world share."""

from pathlib import Path

APP = Path(__file__).parent / "apps" / "triggers"
"""The app of these tests: every kind of trigger, nothing else."""

SETTINGS = {"WORK_QUEUE": "upload-lane", "RARELY": "0 0 2 29 2 *"}
"""Its app settings. The timer fires on 29 February, so that no test meets that moment."""
