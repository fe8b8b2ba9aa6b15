"""The sentences that people read, each made from a code, a situation and parameters: the one place of their language.

A page in another language makes its own from the same three, with texts of the same form: `SENTENCES` by code, or by
code and `case` where one code has several causes; in them `PHRASES`, which depend on the situation, and `WORDS`, which
stand for the value of a parameter. Parameters are numbers, and names of what somebody has named: accounts, segments,
files, columns, fields, options, settings, secrets, reason codes. They are never personal data and never a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

type Parameter = str | int | float
type Parameters = Mapping[str, Parameter]


class Situation(StrEnum):
    """What the reader is doing when a sentence is read."""

    PREVIEW = "preview"  # nothing has been started
    WAITING = "waiting"  # the run goes on by itself
    ENDED = "ended"  # the run is over
    ANSWERED = "answered"  # somebody called, and this is the answer


_S = Situation
PHRASES: Mapping[str, Mapping[Situation, str]] = {
    "nothingSent": {
        _S.PREVIEW: "A run would send nothing.",
        _S.WAITING: "Nothing has been sent yet.",
        _S.ENDED: "Nothing was sent.",
        _S.ANSWERED: "Nothing was sent.",
    },
    "tryAgain": {
        _S.PREVIEW: "Try again in {retryAfterS:.0f} s.",
        _S.WAITING: "It is tried again automatically.",
        _S.ENDED: "The run has waited as long as it may: start the export again when this is over.",
        _S.ANSWERED: "Try again in {retryAfterS:.0f} s.",
    },
    "then": {
        _S.PREVIEW: "Then try again.",
        _S.WAITING: "Then the run goes on automatically.",
        _S.ENDED: "Then start the export again.",
        _S.ANSWERED: "Then try again.",
    },
}
"""What a placeholder stands for in each situation."""
WORDS: Mapping[str, Mapping[str, str]] = {
    "asked": {
        "account_limits": "the account's limits",
        "bulk_import": "a bulk import",
        "exclusions": "the exclusion list",
        "field": "the custom field {fieldId}",
        "field_options": "the options of the custom field {fieldId}",
        "fields": "the custom fields",
        "import": "the outcome of an import",
        "list": "list {listId}",
        "list_size": "the size of list {listId}",
        "lists": "the lists",
        "user": "the API key's user",
    },
    "outcome": {
        "payload_too_large": "it is too large",
        "payment_due": "the account has a payment problem",
        "permission_refused": "the key works, but its user may not do this",
        "redirected": "it was sent on to another address",
    },
    "format": {
        "packed_parquet": "gzip around Parquet",
        "zip": "a zip archive",
        "spreadsheet": "a spreadsheet",
        "orc": "an ORC file",
        "avro": "an Avro file",
        "arrow": "an Arrow file",
        "json": "JSON",
        "xml": "XML",
        "html": "a web page",
        "pdf": "a PDF document",
        "zstd": "compressed with Zstandard",
        "bzip2": "compressed with bzip2",
        "xz": "compressed with xz",
        "lz4": "compressed with LZ4",
        "snappy": "compressed with Snappy",
        "seven_zip": "a 7-Zip archive",
        "rar": "a RAR archive",
        "tar": "a tar archive",
        "binary": "no text",
    },
    "why": {
        "empty": "empty",
        "ignored": "as the export says",
        "older": "older than the newest",
        "otherFormat": "of another format, by its name",
        "subfolder": "in a subfolder, which is a segment of its own",
        "unlisted": "not listed by model.json",
    },
    "notAHost": {
        "non_ascii": "letters that are not ASCII",
        "space": "a space or control character",
        "domain": "another domain",
        "label": "an account name that is not a plain host label",
        "scheme": "a scheme other than https",
        "user": "a user name",
        "escape": "an escaped character",
        "backslash": "a backslash",
        "path": "a path",
        "query": "a query",
        "fragment": "a fragment",
        "address": "an IP address",
        "port": "a port",
    },
}
"""What a placeholder stands for, by the parameter's value; a value that is not listed is shown as it is."""

_STOPS: Mapping[str, str] = {
    # What holds a run
    "too_many_contacts": (
        "Expected at most {maxContacts} contacts, found {contacts} in the segments. Raise 'People at most' "
        "(maxContacts) in the export, or split the segments among several exports."
    ),
    "contact_limit": (
        "Expected room for up to {newContacts} new contacts; the account has {accountContacts} of at most "
        "{contactLimit} contacts, and {known} of the people may be among them already. {nothingSent} Raise the limit "
        "of the account's plan, remove contacts, or choose 'Run even if the account could get too many contacts for "
        "its plan' (allowOverContactLimit) in the export."
    ),
    "no_contact": (
        "Expected contacts, found none in {rowsRead} rows: most often, they are rejected as {reason} ({count}). "
        "{nothingSent} Check the data matching and the 'Consent column' (consentColumn) of the export, and its "
        "segments. If nobody has to be sent, choose 'The segment may be empty' (guards.mayBeEmpty) in the export."
    ),
    "segment_empty": (
        "Expected rows, found {rowsRead}: the segment is empty. {nothingSent} Nobody is removed from the list. Check "
        "the segment. If this is intended, approve the held run, or choose 'The segment may be empty' "
        "(guards.mayBeEmpty) in the export."
    ),
    "too_many_rows_rejected": (
        "Expected at most {maxRejectShare:.1%} of the {rowsRead} rows to be rejected, found {rejected} "
        "({rejectShare:.1%}), most often as {reason} ({count}, {countShare:.1%}). {nothingSent} Check the data "
        "matching of the export, and its segments. If this is intended, approve the held run, or raise 'Rows that may "
        "be unusable' (guards.maxRejectShare) in the export."
    ),
    "size_changed": (
        "Expected at most {factor:g} times more or fewer rows than the {lastRowsRead} of the last successful run, "
        "found {rowsRead}. {nothingSent} If this is intended, approve the held run, or raise 'Times more or fewer rows "
        "than last time' (guards.sizeFactor) in the export."
    ),
    "too_many_rejects": (
        "Expected a reject report of at most {reportMiB} MiB, or {ratio} times the size of the files ({sizeBytes} "
        "bytes); {rejects} rejects are more, {count} of them as {reason}. {nothingSent} Check the data matching, and "
        "whether {file} repeats its rows. If it is as it should be, export it uncompressed."
    ),
    "too_many_filled": (
        "Expected at most {mostFilled:,} values, of {mostCharacters:,} characters together, to be filled in from other "
        "rows with the same address; found {filled:,} and more, of {characters:,} characters. {nothingSent} Turn off "
        "'Fill empty values from the other rows with the same address' (fillEmpty) in the data matching, or have the "
        "segment hold one row for each person."
    ),
    # What a run meets on the way
    "payment_due": (
        "Expected an answer from ActiveCampaign ({host}) for {asked}; the account has a payment problem. Settle it in "
        "ActiveCampaign: Settings, Billing. {then}"
    ),
    # The export and its connection
    "connection_paused": (
        "Expected a connection that is not paused; {connection} is. Unpause it, or start the export by itself."
    ),
    "no_connection": (
        "The export '{export}' has no connection. Choose one in the export (by the API: PUT /exports/{export})."
    ),
    "connection_not_found": (
        "The export '{export}' uses the connection '{connection}', which does not exist. Choose another in the export "
        "(by the API: PUT /exports/{export})."
    ),
    "few_not_found": (
        "Expected that somebody with one of these addresses is in the segment; found nobody. {nothingSent} Check the "
        "spelling, and whether the newest refresh of the segment holds them."
    ),
    "not_resumable": (
        "Expected the segments, the export and the options of its fields in ActiveCampaign as they were when the run "
        "was planned; they have changed since. Start the export instead: that sends the current segments."
    ),
    # The account in ActiveCampaign
    "permission_refused": (
        "Expected an answer from ActiveCampaign ({host}) for {asked}; the key works, but its user may not do this. "
        "Give the user's group the permission in ActiveCampaign. {then}"
    ),
    "not_found": (
        "Expected an answer from ActiveCampaign ({host}) for {asked}; it has none. Check the id in ActiveCampaign."
    ),
    "list_not_found": (
        "Expected list {listId} in the account {host}; it has none. Name another list in the export, or restore this "
        "one in ActiveCampaign."
    ),
    "plan_limit": (
        "Expected an answer from ActiveCampaign ({host}) for {asked}; the account's plan does not allow it. Raise its "
        "contact limit, or remove contacts. {then}"
    ),
    "request_refused": (
        "Expected an answer from ActiveCampaign ({host}) for {asked}; the request itself was refused ({reason}), for a "
        "reason that is not known here. Look at the account in ActiveCampaign; if nothing there explains it, please "
        "report it."
    ),
    "request_refused.redirected": (
        "Expected an answer from ActiveCampaign ({host}) for {asked}; the request was sent on to another address "
        "({reason}). Check that the host is the account's API host."
    ),
    "list_not_email": "Expected list {listId} to be for e-mail; it is for {channel}. Choose another.",
    "field_not_found": (
        "Expected a custom field '{field}' in ActiveCampaign; the account has none. Choose another in the data "
        "matching (by the API: GET /connections/{{id}}/fields lists them)."
    ),
    "field_not_found.near": (
        "Expected a custom field '{field}' in ActiveCampaign; the account has none (similar: {near}). Choose another "
        "in the data matching (by the API: GET /connections/{{id}}/fields lists them)."
    ),
    "clear_not_tried": (
        "Expected to know that an empty text erases the field {field}, as 'Where the column is empty' (whenEmpty) of "
        "the column {column} asks; nobody has seen it yet. {nothingSent} Run the export for a few people who have a "
        "value there and none in the segment (only), or choose another than 'erase what ActiveCampaign has' (clear)."
    ),
    "field_mapped_twice": ("Two columns are matched to the custom field {field} (id {fieldId}). Remove one of them."),
    "yes_without_option": (
        "Expected the field {field} to have one option, or one that is called Yes or is named in 'Values that mean "
        "yes' (yes); it has: {options}. Name one of them there."
    ),
    "when_empty_does_not_fit": (
        "Expected 'Where the column is empty' (whenEmpty) of the column {column} to fit the field {field} ({type}); it "
        "does not ({reason}). Correct it."
    ),
    # The segments
    "segment_not_found": "There is no segment '{segment}' below '{folder}'. The nearest names are: {near}.",
    "segment_not_found.none": (
        "There is no segment '{segment}' below '{folder}'. There is none at all: check SEGMENT_CONTAINER and "
        "SEGMENT_PREFIX, and that Customer Insights exports there."
    ),
    "segment_ambiguous": "There are several segments '{segment}'. Use one of: {names}.",
    "segment_mixed": (
        "Expected {model} to list files of one folder, each once, for {table}; it lists files of several refreshes. "
        "Export the segment again."
    ),
    "segment_mixed.unlisted": (
        "The folder of {file} holds {count} files that {model} does not list (first: '{first}'). Export the segment "
        "again or, if they are no part of it, name them in 'Files to leave out' (ignore) of the export."
    ),
    "model_unreadable": (
        "Expected {model} to be a Common Data Model description of tables, but it has no list of entities, each with "
        "a name of its own. Run the export in Customer Insights again, or correct the file."
    ),
    "model_unreadable.entity": (
        "Expected {model} to be a Common Data Model description of tables, but the entity {table} is not as expected. "
        "Run the export in Customer Insights again, or correct the file."
    ),
    "model_unreadable.encoding": (
        "Expected {model} to be a Common Data Model description of tables, but it states the encoding '{encoding}' for "
        "{file}, which is not known. Run the export in Customer Insights again, or correct the file."
    ),
    "partition_without_location": (
        "{model} lists {count} of {files} files of {table} without a location: it describes the table and does not say "
        "where its rows are. Export the segment again, with its data."
    ),
    "partition_outside": (
        "{model} lists a partition outside '{folder}'. Only files below the configured folder (SEGMENT_PREFIX) are "
        "read. Export the segment to that folder, or configure the other one."
    ),
    "partition_foreign": (
        "Expected {model} to list files of this container; it lists files of the container '{container}' for {table}. "
        "Copy them here and list those, or point the app at the other container."
    ),
    "partition_foreign.scheme": (
        "Expected {model} to list files of this container; it lists files of {scheme}:// for {table}. Copy them here "
        "and list those, or point the app at the other container."
    ),
    "partition_foreign.no_url": (
        "Expected {model} to list files of this container; it lists files of a place whose address is no URL for "
        "{table}. Copy them here and list those, or point the app at the other container."
    ),
    "files_missing": (
        "{model} lists {files} files, of which {missing} are missing (first: '{first}'). It was written more than a "
        "day ago, so nobody is going to write them. Export the segment again."
    ),
    "files_ambiguous": (
        "{files} files below {folder} have names that differ only in a date or time (newest: {newest}, oldest: "
        "{oldest}). Set 'Which files' (files) of the export: newest, if each of them holds everybody; all, if they "
        "belong together."
    ),
    "files_ambiguous.day_or_month": (
        "Expected dates in the names of the files below {folder} that begin with the year; which of {newest} and "
        "{other} is newer cannot be told. Write the year first, or name the older files in 'Files to leave out' "
        "(ignore) of the export."
    ),
    "files_ambiguous.kinds": (
        "Expected the newest files below {folder} to be of every kind of names that is there; {newest} is the newest, "
        "and {other} is called otherwise. Move it to a folder of its own, or name it in 'Files to leave out' (ignore) "
        "of the export."
    ),
    "files_ambiguous.parts": (
        "Expected one file below {folder} to be the newest; {newest} and {other} were written within {apartS:.0f} "
        "seconds, as parts of one data set are, and no date in their names tells them apart. Set 'Which files' (files) "
        "of the export to all, if they belong together, or name the others in 'Files to leave out' (ignore)."
    ),
    "table_format": (
        "Expected {folder} to hold plain files; {root} is a table of {table}: only its own log says which of its "
        "files are current, and the others hold people who were deleted. Let a query of that table write its rows to a "
        "folder of their own, as CSV or Parquet."
    ),
    "encoding_unknown": (
        "Expected 'Encoding' (encoding) of the export to be the name of one, such as windows-1252; found '{encoding}'."
    ),
    "too_many_columns": "The segment {segment} has {columns} columns; at most {mostColumns} are read.",
    # The files of segments
    "format_unsupported": (
        "Expected {file} to be CSV, plain or in gzip, or Parquet; by its first bytes it is {format}. Store it as CSV "
        "UTF-8 or Parquet."
    ),
    "format_unsupported.parquet": (
        "Expected {file} to be CSV, plain or in gzip, or Parquet; by its first bytes it is {format}. Parquet "
        "compresses its columns itself: store it without gzip."
    ),
    "format_unsupported.spreadsheet": (
        "Expected {file} to be CSV, plain or in gzip, or Parquet; by its first bytes it is {format}. Save it as CSV "
        "UTF-8."
    ),
    "format_unsupported.archive": (
        "Expected {file} to be CSV, plain or in gzip, or Parquet; by its first bytes it is {format}. Store the files "
        "that it holds."
    ),
    "format_unsupported.compressed": (
        "Expected {file} to be CSV, plain or in gzip, or Parquet; by its first bytes it is {format}. Store it as it "
        "is, or compressed with gzip."
    ),
    "format_unsupported.folder": (
        "Expected {folder} to hold CSV or Parquet files; none of its {files} files is read (first: {file}, {why}). "
        "Unpack archives, and save spreadsheets as CSV UTF-8."
    ),
    "header_missing": (
        "Expected the first row of {file} to hold column names (one has to be a usual name such as Email, or one of "
        "the data matching, and none an e-mail address); it does not. Add a header row; or, if it has one, name one of "
        "its columns in the data matching."
    ),
    "header_missing.parquet": (
        "Expected the columns of {file} to have names; one is an e-mail address: whoever wrote the file took "
        "somebody's data for names. Write it again from a source with a header row."
    ),
    "header_differs": (
        "Expected the first row of {file} to hold the segment's {columns} column names; it does not. Export the "
        "segment again, or correct columnHeaders in model.json."
    ),
    "email_column_missing": (
        "The segment has no column {column} among its {columns}. Choose another column for 'Email' in the data "
        "matching (dataMatching.email) of the export."
    ),
    "column_missing": ("The segment has no column {column} among its {columns}. Name one that it has."),
    "column_missing_in_file": (
        "Expected every file of {segment} to have the column {column}; {file} has none. If it is no file of the "
        "segment, name it in 'Files to leave out' (ignore) of the export; else export the segment again."
    ),
    "column_ambiguous": ("The segment has {count} columns named {column} among its {columns}. Rename one of them."),
    "column_ambiguous.file": "{file} has {count} columns named {column}. Rename one.",
    "column_unreadable": (
        "Expected the column {column} of {file} to hold texts, numbers, dates, true/false or lists of them; it is "
        "missing, nested or there twice. Map another column, or export the segment again."
    ),
    "parquet_damaged": "{file} is not a valid Parquet file. Export the segment again.",
    "parquet_encrypted": "{file} is encrypted. Export the segment without encryption.",
    "parquet_encrypted.column": (
        "The column {column} of {file} is encrypted. Map another column, or export the segment without encryption."
    ),
    "texts_too_large": (
        "The mapped columns of {file} hold texts of {textBytes} bytes for {rows} rows, but a contact has at most "
        "399,999 bytes. Map other columns."
    ),
    "gzip_damaged": "{file} is not a valid gzip file. Export the segment again.",
    "gzip_truncated": "{file} ends in the middle of its gzip data. Export the segment again.",
    "gzip_nested": "{file} is a gzip file within a gzip file. Compress it once.",
    "gzip_too_dense": (
        "{file} has {sizeBytes} bytes and expands to more than {mostBytes}; at most 1 GiB plus {ratio} times its size "
        "are read. Export it uncompressed."
    ),
    "file_archived": (
        "{file} is in the archive tier, where nobody can read it. Change its access tier to hot, cool or cold, and "
        "wait until that is done, which takes up to 15 hours; or export the segment again. {then}"
    ),
    "file_too_large": (
        "Expected {file} to be small, at most {mostBytes} bytes; it has {sizeBytes}. Export the segment again, or "
        "correct the file."
    ),
    # Records of the service
    "record_unreadable": (
        "A stored {record} does not fit this release (at: {where}). It was left unchanged; deploy the release that "
        "wrote it, or a newer one."
    ),
    "ledger_unreadable": (
        "A ledger holds {found}, which this release does not expect. It was left unchanged; deploy the release that "
        "wrote it, or a newer one."
    ),
    "working_copy_missing": (
        "The run's working copy is gone (it is deleted after at most a day). Start the export again."
    ),
    "working_copy_altered": (
        "The run's working copy differs from what was planned, so it is not sent. Find out who can write to the "
        "container `working`, then start the export again."
    ),
}
"""What ends a run, is a problem of a preview, or is answered to a caller."""

_WAITS: Mapping[str, str] = {
    # The export
    "few_are_tried": (
        "Expected that no run of the export is in progress; {run} is, and it is for a few people only. {tryAgain}"
    ),
    # The account in ActiveCampaign
    "imports_repeated": (
        "ActiveCampaign ({host}) ended imports without completing them. Their contacts are sent again after 1, 5 and "
        "30 minutes."
    ),
    "imports_repeated@ended": (
        "ActiveCampaign ({host}) ended imports without completing them, again and again. Start the export again later."
    ),
    "activecampaign_refuses": (
        "ActiveCampaign ({host}) refused a whole request, not its contacts ({outcome}), which may pass. {tryAgain}"
    ),
    "throttled": "ActiveCampaign wants fewer requests to the account {host}. {tryAgain}",
    "others_first": "The next turns of the account {host} are taken by other requests. {tryAgain}",
    "throttled@ended": (
        "ActiveCampaign wanted fewer requests to the account {host} for as long as the run could wait. Find out what "
        "else uses up the account's rate limit, then start the export again."
    ),
    "activecampaign_unavailable": (
        "Expected an answer from ActiveCampaign ({host}) for {asked}; no useful answer came ({reason}). {tryAgain}"
    ),
    "activecampaign_unavailable.lost": (
        "ActiveCampaign ({host}) gave no answer that tells whether it has a bulk import ({reason}). {tryAgain}"
    ),
    "activecampaign_unavailable.refused": ("ActiveCampaign ({host}) refused the whole request ({reason}). {tryAgain}"),
    "credentials_refused": (
        "Expected an answer from ActiveCampaign ({host}) for {asked}; the API key was refused. Store a working key, of "
        "a user who may do this, as the secret's new version. {then}"
    ),
    # The segments
    "refresh_in_flight": (
        "{file} was modified within the last {quietS:g} seconds, so its segment may not be complete yet. {tryAgain}"
    ),
    "refresh_in_flight.missing": (
        "{model} lists {files} files, of which {missing} are missing (first: '{first}'). The segment is being written, "
        "or its export has failed. {tryAgain}"
    ),
    "refresh_in_flight.newer": (
        "{newest} is newer than what model.json lists ({listed}). The segment is being written, or its export has "
        "failed. {tryAgain}"
    ),
    "refresh_in_flight.job": (
        "A job is writing below {folder}: it has left {file} and not ended. If no job is running, remove that file. "
        "{tryAgain}"
    ),
    "refresh_in_flight.no_marker": (
        "Expected {marker} to mark the segment as complete; there is none. It is being written, or 'When the segment "
        "is complete' (completeWhen) of the export names another file. {tryAgain}"
    ),
    "refresh_in_flight.old_marker": (
        "Expected {marker} to mark the segment as complete; {newest} is newer. It is being written, or 'When the "
        "segment is complete' (completeWhen) of the export names another file. {tryAgain}"
    ),
    "source_changing": "The segment's files were replaced while they were being read. {tryAgain}",
    # Azure
    "identity_unavailable": (
        "Azure gave the app no token for its managed identity, so neither storage nor Key Vault could be asked. "
        "{tryAgain}"
    ),
    "identity_unavailable@ended": (
        "Azure gave the app no token for its managed identity, for as long as the run could wait, so neither storage "
        "nor Key Vault could be asked. Look at the status of Azure, and check that the identity is assigned to the app "
        "and that AZURE_CLIENT_ID is its client id. Then start the export again."
    ),
    "identity_missing": (
        "Azure knows no managed identity of the app, so neither storage nor Key Vault could be asked. Check that the "
        "identity is assigned to the app, and that AZURE_CLIENT_ID is its client id. {then}"
    ),
    "storage_unavailable": (
        "The storage account {account} did not answer as expected (status {status}, {found}). {tryAgain}"
    ),
    "storage_unavailable@ended": (
        "The storage account {account} did not answer as expected (status {status}, {found}), for as long as the run "
        "could wait. Check the account, its containers and its network, and the status of Azure. Then start the export "
        "again."
    ),
    "storage_role_missing": (
        "The storage account {account} knows the app's identity and refuses it what it asks for: a role is missing. "
        "Assign it (the template does; it takes up to ten minutes to work). {then}"
    ),
    "storage_firewall": (
        "The storage account {account} knows the app and does not let its network in. Let the app's subnet in, in the "
        "networking of the account. {then}"
    ),
    "storage_archived": (
        "A blob of the app's own storage account {account} is in the archive tier, where nobody can read it. Change "
        "its access tier to hot, which takes up to 15 hours, and find out which lifecycle rule has moved it. {then}"
    ),
    "storage_container_missing": (
        "The storage account {account} has no container of the name that the app uses. Deploy the template again, or "
        "correct SEGMENT_CONTAINER if it is the account of the segments. {then}"
    ),
    "key_vault_unavailable": (
        "Key Vault ({account}) did not answer for the secret '{secret}' (status {status}). {tryAgain}"
    ),
    "key_vault_forbidden": (
        "Key Vault ({account}) refused access to the secret '{secret}': the app's identity lacks its role on the "
        "vault. Assign it (the template does; it takes up to ten minutes to work). {then}"
    ),
    "key_vault_firewall": (
        "The firewall of Key Vault ({account}) does not let the app in, so the secret '{secret}' could not be used. "
        "Let the app's subnet in, in the networking of the vault. {then}"
    ),
    "secret_not_found": (
        "Key Vault ({account}) has no secret named '{secret}'. Save the connection with its API key, or create the "
        "secret. {then}"
    ),
    "secret_disabled": (
        "Expected the secret '{secret}' in Key Vault ({account}) to be enabled; it is disabled. Enable it, or store a "
        "new key. {then}"
    ),
    "secret_deleted": (
        "The secret '{secret}' was deleted, and Key Vault keeps a deleted secret and its name for up to 90 days. "
        "Recover it (az keyvault secret recover --name {secret} --vault-name {vault}), then store the key again if "
        "it has changed; or save the connection with the name of another secret. {then}"
    ),
    "queue_unavailable": (
        "The queue {queue} of the storage account {account} did not accept a message (status {status}). The sweep "
        "sends it again; if this keeps happening, check the storage account and the app's roles."
    ),
    # Records of the service
    "storage_contention": "Other workers changed the record first, {times} times in a row. {tryAgain}",
    "storage_contention.start": "Too many requests to start the export {export} at once. {tryAgain}",
    "storage_contention.budget": ("Too many workers updated the rate budget of {host} at the same time. {tryAgain}"),
    "newer_release": (
        "Expected a {record} of schema version {known} or lower, found {version}: a newer release wrote it. It was "
        "left unchanged; an instance of that release continues with it. If none is running, deploy it."
    ),
    "newer_release.reason": (
        "Expected a known reject reason, found '{reason}': a newer release wrote it. An instance of that release "
        "continues with the run. If none is running, deploy it."
    ),
    "defect": "This is a defect of the service. Please report it ({place}).",
    "defect.uploading": "Uploading failed with an unexpected error ({place}). Please report it. {tryAgain}",
    "defect.planning": (
        "Planning failed {times} times with an unexpected error ({place}). {nothingSent} Please report it."
    ),
}
"""What a run waits for; what ends it if that takes too long; and what a caller is told meanwhile."""

_ENDS: Mapping[str, str] = {
    "contacts_refused": (
        "Expected ActiveCampaign ({host}) to take contacts; it refused a request of many and then three of its "
        "contacts alone ({faults}), while the key works, and list {listId} and the matched fields are there. Nothing "
        "more was sent. Look at the contacts that the reject report names as refused_by_activecampaign."
    ),
    "account_full": (
        "Expected room for contacts in the account {host}; it has {accountContacts} of at most {contactLimit}, and "
        "most of an import failed. Nothing more was sent. Raise the limit of the account's plan, or remove contacts; "
        "then start the export again."
    ),
    "list_gone": (
        "Expected list {listId} in the account {host}; it was deleted after the run had begun, so nobody is on it. "
        "Choose another list for the export, or make the list anew, then start the export again."
    ),
    "field_gone": (
        "Expected the custom field {field} (id {fieldId}) in the account {host}; it was deleted after the run had "
        "begun, so its values are lost. Take it out of the data matching or make it anew, then start the export "
        "again."
    ),
    "destination_not_seen": (
        "Expected to see list {listId} and the matched fields in the account {host} after the last confirmation; it "
        "could not be asked for hours. Look whether they are there, and whether the connection's key works."
    ),
    "segment_unchanged": (
        "Expected segments that differ from those that the run {run} sent; they are unchanged. To send them again, "
        "start the export on demand, or turn off 'Skip a scheduled run if nothing has changed' (skipUnchanged)."
    ),
    "superseded": (
        "The segments were refreshed again before this run was planned. The schedule starts one for the newer refresh."
    ),
    "previous_run_active": (
        "The run {run} of this export was still in progress. The next request or occurrence starts one."
    ),
    "planning_died": (
        "Planning began {times} times, and was cut off each time: most often, the process ran out of memory or time. "
        "Nothing was sent. Split the segment, or give the app more memory (instanceMemoryMB), then start the export "
        "again. If it happens again, please report it."
    ),
    "run_too_long": (
        "Expected all contacts to be sent within {hours:.0f} hours, because the working copy with their data is "
        "deleted after a day; some are left. Resume the run, or start the export again. If this keeps happening, check "
        "whether other exports or integrations are using up the rate limit of the account {host}."
    ),
    "nobody_arrived": (
        "Expected people to arrive on the list; of {contacts} contacts, not one is confirmed, most often as "
        "{reason} ({count}). The reject report names all of them. Look there and at the list in ActiveCampaign, "
        "then start the export again."
    ),
    "tally_does_not_add_up": (
        "The rows of this run do not add up, which is a defect of the service. Please report it with the run id."
    ),
    "manifest_missing": "The manifest of the run {run} is gone. Start the export again.",
    "rejects_missing": "The reject report of the run {run} is gone.",
}
"""What only a run can end with."""

_NO_REPORT: Mapping[str, str] = {
    "deleted": "The report has been deleted: it holds addresses, so it is kept for only {days} days.",
    "early": "There is no report yet: the run has not read its segments. Try again once its status is running.",
    "ended": "There is no report. Nothing was sent: the run ended before any contact was sent ({status}).",
}
_ANSWERS: Mapping[str, str] = {
    # The caller
    "not_signed_in": "Expected a signed-in user; the platform reported none. Sign in again.",
    "sign_in_unavailable": (
        "Expected App Service authentication to be on, because SIGN_IN is entra; it is off. Turn it on, or set SIGN_IN "
        "to key."
    ),
    "no_role": "Expected one of the app roles Viewer, Contributor, Admin; you have none. Ask an administrator.",
    "role_missing": "Expected the role {role}; yours is {yours}. Ask an administrator.",
    "role_missing.unmasked": (
        "Expected the role Admin, because {switch}=true shows personal data; yours is {yours}. Without it, examples "
        "are masked."
    ),
    "cross_site_request.contentType": (
        "Expected Content-Type: application/json, because a browser's session came along: anything else could be the "
        "form of another site."
    ),
    "cross_site_request.header": (
        "Expected the header {header}, because a browser's session came along. A script sends it with any value, or a "
        "token instead of the session's cookie."
    ),
    "cross_site_request.origin": (
        "Expected that a browser with a session asks from a page of {origins}, as Origin and Sec-Fetch-Site say; it "
        "asked from elsewhere. If people reach the app under that address, add it to CONSOLE_ORIGINS."
    ),
    "connection_not_shared": (
        "Only administrators may use the export's connection. Ask one of them to do this, or to share the connection."
    ),
    # The request
    "console_not_built": (
        "The page was not built into this deployment. Build the package with make package, or run make setup here. The "
        "API works without it."
    ),
    "no_such_path": "There is nothing at this path. GET /api/openapi.json lists all paths.",
    "no_such_day": "Expected a day such as 2026-11-23.",
    "method_not_allowed": "Expected one of {allowed} here.",
    "body_too_large": "Expected at most {mostBytes} bytes, found {sizeBytes}.",
    "wrong_content_type": "Expected a body in UTF-8 with Content-Type: application/json.",
    "malformed_body": "Expected a JSON object.",
    "malformed_body.syntax": "Expected JSON. {found}.",
    "invalid_id": "Expected an id of lower-case letters, digits and single hyphens, at most 63.",
    "changed_meanwhile": (
        "Expected the version in If-Match, found version {version}, changed by {by}. Read it again, then change it."
    ),
    "changed_meanwhile.gone": "Expected the version in If-Match, found nothing. It may have been removed.",
    "changed_meanwhile.now": "Someone else has changed it in the meantime. Read it again, then change it.",
    "exists_already": "Expected nothing here, found version {version}.",
    "exists_already.export": "An export '{export}' already exists. Choose another id.",
    "if_match_missing": (
        "Version {version} exists. Expected If-Match with the ETag that you have read, so that no change is lost, or "
        "If-Match: * to replace any version."
    ),
    # Connections and exports
    "no_such_connection": "There is no connection with this id that you may use. GET /connections lists them.",
    "connection_missing": (
        "Expected connectionId; GET /connections lists those that you may use. To define the export without one, "
        "repeat with ?validate=false."
    ),
    "connection_missing.preview": "Expected connectionId; GET /connections lists those that you may use.",
    "connection_in_use": (
        "Exports use this connection. Give them another, remove them, or repeat with ?detach=true: they then keep "
        "their definition but lose the connection, and their runs are canceled."
    ),
    "consent_missing": (
        "Expected consent: true. With it you agree that personal data of customers leaves your compliance boundary for "
        "ActiveCampaign; a connection cannot exist without it. An earlier consent is valid for its host only."
    ),
    "api_key_missing": (
        "Expected apiKey (it goes to Key Vault) or the secretName of another secret, because the connection or its "
        "host is new."
    ),
    "keys_not_stored": (
        "Expected the secretName of a secret in Key Vault ({vault}) in place of apiKey: this app was set up to store "
        "no keys (STORE_API_KEYS). Let somebody who may write there store the key under a name that begins with "
        "{prefixes}."
    ),
    "secret_refused": (
        "Expected a secretName that begins with {prefixes}, because its value is sent to the host. Store the key under "
        "such a name."
    ),
    "secret_in_use": (
        "Expected a secret that no other connection uses; '{connection}' uses this one. Store the key under another "
        "name."
    ),
    "export_not_found": "There is no export with this id. GET /exports lists them.",
    # Runs
    "run_not_found": "There is no run with this id. GET /exports/{{id}}/runs lists an export's runs.",
    "run_is_over": "The run is over ({status}); there is nothing to cancel.",
    "run_is_going": "The run is still in progress; if it is waiting, it continues on its own.",
    "nothing_to_resume": "Every contact of the run has an outcome. Start the export instead.",
    "run_is_going.approval": (
        "Expected that no run of the export is in progress; {run} is. Only the newest run can be approved."
    ),
    "run_is_going.few": (
        "Expected that no run of the export is in progress; {run} is. A run for a few people does not join it: wait "
        "for its end, or cancel it."
    ),
    "run_is_going.canceling": (
        "The run {run} is being canceled and sends nobody more, so nobody joins it. Start the export when it is over: "
        "most often within two minutes."
    ),
    "not_resumable.few": (
        "Expected a run for everybody; this one was for a few people, and is not resumed. Ask for those people again, "
        "or start the export."
    ),
    "newer_run": "Expected the export's newest run, which is {run}. Resume that one, or start the export.",
    "newer_run.approval": (
        "Expected the export's newest run, which is {run}. If that one is held, approve it; else start the export "
        "again, if it still has to be sent."
    ),
    "membership_changed": (
        "Expected an export of the people, and to the list, that it had when the run was held; its segments, e-mail "
        "column, 'Consent column' (consentColumn), list or account have changed since. Start the export: that is held "
        "anew if it has to be."
    ),
    "run_not_held": "Expected a run that is held; this one is {status}, so there is nothing to approve.",
    "approval_differs": ("Expected exactly what holds the run: {held}. Look at it, then send that."),
    "rejects_changed": (
        "Expected the report as it was when its first page was read; outcomes have come since. Begin with its first "
        "page again."
    ),
    **{f"rejects_not_found.{case}": text for case, text in _NO_REPORT.items()},
    **{f"values_not_found.{case}": text for case, text in _NO_REPORT.items()},
    "values_not_found.fit": "All values fit their fields.",
    "rejects_too_large": (
        "Expected a report of at most {mostBytes} bytes; it is larger. Repeat with Accept-Encoding: gzip (curl "
        "--compressed), or read it from the container `rejects`."
    ),
    # What is asked of segments and accounts
    "host_refused": (
        "Expected the API host of an ActiveCampaign account ({hosts}); found {notAHost}. Copy the URL from "
        "ActiveCampaign: Settings, Developer."
    ),
    "idempotency_key_reused": (
        "Expected the request that this Idempotency-Key first came with, found another. Use a new key for a new "
        "request."
    ),
    "reading_busy": "Segments are being read for other callers. {tryAgain}",
    "reading_too_slow": (
        "Expected to read the segments within {deadlineS:.0f} s, because an answer must come in time; it takes longer. "
        "Start a run: it has no such limit."
    ),
    "run_not_planned": (
        "Expected a run that has read its segments; this one has not, so nobody can be found in it. If it is still "
        "planning, try again later."
    ),
    "run_not_planned.ended": (
        "Expected a run that has sent something; this one ended before that ({status}), so nobody arrived by it. Look "
        "in another run."
    ),
    "segment_without_columns": (
        "Expected columns in the segment {segment}, found none: its files are empty, or its table has no attributes. "
        "Export it from its source again. To save the export all the same, repeat with ?validate=false."
    ),
    "mapping_fits_no_row": (
        "Expected addresses in the column {column} of the segment {segment}; none of the first {rows} rows has one "
        "({reasons}). Choose another column for 'Email' in the data matching (dataMatching.email), or correct the "
        "segment. To save the export all the same, repeat with ?validate=false."
    ),
    "mapping_fits_no_row.encoding": (
        "Expected addresses in the column {column} of the segment {segment}; none of the first {rows} rows has one "
        "({reasons}). The file looks like {encoding}: set 'Encoding' (encoding) of the export."
    ),
    "unusable_settings": ("{count} unusable app setting(s): {settings}. See docs/reference/settings.md."),
}
"""What only a caller is told."""

_NOTES: Mapping[str, str] = {
    # What only the answer to a call adds
    "columns_listed": "Its columns are: {columns}.",
    "columns_listed.more": "Its columns are: {columns} and {more} more.",
    # Fields and what goes into them
    "field_not_related": (
        "Expected the custom field {field} to be related to list {listId}; it is not, so ActiveCampaign does not "
        "show its values for people who are on no other list. Add the list to the field in ActiveCampaign "
        "(Contacts, Manage fields)."
    ),
    "field_type_unknown": (
        "The custom field {field} has a type that is not known here ({type}): its values are sent as they are. Look "
        "at some of them in ActiveCampaign."
    ),
    "field_options_unknown": (
        "ActiveCampaign names no options of the custom field {field} ({type}): its values are sent as they are. "
        "Look at some of them in ActiveCampaign."
    ),
    "options_changed": (
        "{people} people have a value of the column {column} that was an option of the field {field} at an earlier "
        "run and is none any more: it was renamed or removed in ActiveCampaign. Name the option as before, or "
        "correct the values; until then, they are left out."
    ),
    # Why a value does not fit
    "not_a_date": "The value is no date with a year of four digits.",
    "date_order_unknown": "The date does not tell its day from its month: say which comes first with dateOrder.",
    "placeholder_date": "The date is one that programs write where there is none.",
    "not_an_option": "The value is none of the field's options.",
    "option_gone": (
        "The value was an option of the field at an earlier run; it was renamed or removed in ActiveCampaign since."
    ),
    "option_ambiguous": (
        "The field has several options that differ from the value only in case; write it as one of them."
    ),
    "yes_unknown": "The value says yes or no: say which values mean yes with yes.",
    "not_a_list": "The value is no list in the form that separator states.",
    "separator_in_value": "The value holds ||, which ActiveCampaign reads as a separator.",
    "not_a_number": "The value is no number.",
    "decimal_mark_unknown": (
        "A mark in the number may stand before decimals or between thousands: say which with decimalMark."
    ),
    "damaged_phone": "A spreadsheet has calculated with the phone number, so its digits are lost.",
    # Where a person stands
    "person_confirmed": "On list {listId}, confirmed at {at}: row {row} of {file}.",
    "person_open": "The run {run} is in progress, and has no answer for row {row} of {file} yet.",
    "person_set_aside": "Not sent: row {row} of {file} was set aside ({reason}).",
    "person_refused": "Not on the list: ActiveCampaign did not take row {row} of {file} ({reason}).",
    "person_unconfirmed": "It is not known that row {row} of {file} arrived ({reason}).",
    "person_not_in_segment": (
        "Not in the segments: none of the {rowsRead} rows that the run {run} read has this address. Check the spelling."
    ),
    "person_not_in_segment.unreadable": (
        "Not in the segments, as far as they can be read: of the {rowsRead} rows that the run {run} read, none has "
        "this address, and {unreadable} cannot be read. Check the spelling."
    ),
    "person_confirmed_if_there": (
        "The files have changed since the run {run}, and its reject report does not name this address: if the segments "
        "had it, it was confirmed."
    ),
    "person_unknown": (
        "Nobody can tell any more: the files have changed since the run {run}, and its reject report was deleted or "
        "does not name everybody. The next run knows."
    ),
    "person_no_run": "The export has not run yet.",
    "person_nothing_sent": "Not sent by this export: its newest run {run} read no segments ({status}).",
    "person_not_looked": (
        "Not looked at: the time for one answer was over. POST /runs/{{id}}/lookup looks at the run of one export."
    ),
    "person_not_looked.failed": "Not looked at: something that is needed does not work ({problem}).",
    "person_hidden": "Only administrators may use the export's connection, and see whom it reaches.",
}
"""What was noticed; it reads the same before a run and after it."""

_WARNINGS: Mapping[str, str] = {
    # The files of a segment
    "files_not_read.otherFormat": (
        "Files of {segment} that are not read: {files}, of another format, by its name (first: {first}). If they "
        "belong to it, store them unpacked, as CSV UTF-8 or Parquet; if not, name them in 'Files to leave out' "
        "(ignore) of the export."
    ),
    "files_not_read.subfolder": (
        "Files of {segment} that are not read: {files}, in a subfolder, which is a segment of its own (first: "
        "{first}). If they belong to it, name that folder among the segments of the export, too; if not, name them in "
        "'Files to leave out' (ignore) of the export."
    ),
    "files_not_read.unlisted": (
        "Files of {segment} that are not read: {files}, not listed by model.json (first: {first}). If they belong to "
        "it, export the segment again; if not, name them in 'Files to leave out' (ignore) of the export."
    ),
    "files_left_out": "Files of {segment} that are left out: {files}, {why} (first: {first}).",
    "newest_is_smaller": (
        "{newest} is the newest and less than half as large as {before} before it. If it holds only changes, set "
        "'Which files' (files) of the export to all."
    ),
    "newest_is_smaller.empty": (
        "An empty file is the newest and less than half as large as {before} before it. If it holds only changes, set "
        "'Which files' (files) of the export to all."
    ),
    "files_not_utf8": (
        "Files that are not UTF-8: {files} (first: {first}). They look like {encoding}: set 'Encoding' (encoding) of "
        "the export."
    ),
    "rows_not_decoded": (
        "{unreadable} of {rows} rows of {file} are not {encoding}: set 'Encoding' (encoding) of the export."
    ),
    "rows_not_decoded.likely": (
        "{unreadable} of {rows} rows of {file} are not {encoding}; it looks like {likely}: set 'Encoding' (encoding) "
        "of the export."
    ),
    "files_of_other_container": (
        "{model} lists files of the container {other}; those of the same names in {container} are read."
    ),
    "header_not_announced": "{file} begins with the column names although model.json does not say so.",
    "refresh_old": (
        "The segment {segment} was last refreshed {days} days ago. Customer Insights does not refresh static segments, "
        "and deactivates unused segments."
    ),
    # What a look after the end contradicts
    "confirmed_not_on_list": (
        "Of {asked} of the {confirmed} confirmed people who were looked up after the end, {missing} are not on list "
        "{listId} of the account {host}; {notThere} of them are no contacts at all. ActiveCampaign completed their "
        "imports without naming them. Compare the account's contacts with the limit of its plan, and look for what "
        "removes contacts; then run the export for a few people (only), which shows where each of them is, before it "
        "is started again."
    ),
    "confirmed_get_no_mail": (
        "Of {asked} confirmed people who were looked up after the end, {closed} get no mail of list {listId} of the "
        "account {host}: {unsubscribed} have unsubscribed, {bounced} bounced, {unconfirmed} wait for their opt-in. "
        "Hardly all of them left after the run: ActiveCampaign may have passed over people who had left before. "
        "Nobody is subscribed again by an export. Look at some of them in ActiveCampaign."
    ),
    "list_smaller_than_confirmed": (
        "Expected {confirmed} or more active contacts on list {listId} of the account {host}, since so many are "
        "confirmed; after the end, it had {active}. Compare the account's contacts with the limit of its plan, and "
        "look for what removes contacts; then run the export for a few people (only), which shows where each of them "
        "is, before it is started again."
    ),
    # The data matching
    "column_in_other_case": "The column {column} was found as {found}.",
    "winner_not_comparable": (
        "{rows} of {rowsSharing} rows that share their address with others hold neither a date as ISO 8601 writes it "
        "nor a number in {column}; they lose against rows that do."
    ),
    # Values, and the fields that they go into
    "values_do_not_fit": (
        "{unfit} of {values} values of the column {column} do not fit the field {field} ({type}) ({reasons}). They are "
        "left out, and the people are sent."
    ),
    "values_do_not_fit.member": (
        "{unfit} of {values} values of the column {column} do not fit {member} ({reasons}). They are left out, and "
        "the people are sent."
    ),
    "column_fits_seldom": (
        "Of {values} values in the first rows of the column {column}, {unfit} do not fit {field} ({reasons}). "
        "Preview the export to see which."
    ),
    "values_change": (
        "So far, the values of the column {column} were sent as they are. From the next run on, they are written as "
        "the field {field} ({type}) takes them, and those that do not fit are left out."
    ),
    # What was cleaned
    "no_value": "Contacts with a text that means no value, such as NULL, N/A or #REF!: {contacts}. It was left out.",
    "trimmed": "Contacts with blanks around a value: {contacts}. They were dropped.",
    "line_breaks": "Contacts with line breaks of another system: {contacts}. They became ordinary ones.",
    "control_characters": "Contacts with control characters: {contacts}. They were dropped.",
    "invisible": "Contacts with characters of no width: {contacts}. They were dropped.",
    "address_cleaned": (
        "Contacts whose address came with more than the address, such as mailto: or a name: {contacts}. It was dropped."
    ),
    "punycode": (
        "Contacts whose address has a domain beyond ASCII: {contacts}. It was sent in its ASCII form (punycode)."
    ),
    "whole_number": "Contacts whose phone number ends with .0, as of a calculation: {contacts}. That was dropped.",
    # When it runs
    "refresh_not_exported": (
        "Saving runs nothing, nor does the end of a pause. The refresh of {refreshed} was there already, and is not "
        "exported by the schedule: run the export now if it should be."
    ),
    "refresh_not_exported.of_export": (
        "The end of a pause, or of a hold, runs nothing. The refresh of {refreshed} was there already, and is not "
        "exported by the schedule of '{export}': run that export now if it should be."
    ),
    "waits_no_connection": "It has no connection. Choose one in the export.",
    "waits_connection_missing": "Its connection {connection} does not exist. Choose another in the export.",
    "waits_on_demand": "It has no schedule: it runs when somebody starts it.",
    "waits_paused": "{by} has paused it, on {since}. Unpause it, or run it now.",
    "waits_connection_paused": (
        "{by} has paused its connection {connection}, on {since}. Unpause that, or run the export now."
    ),
    "waits_on_hold": (
        "A contributor saved it last, and its connection {connection} is not shared with contributors any more. An "
        "administrator has to save or unpause it, or share the connection again."
    ),
    "waits_run": "It is running: {run}.",
    "waits_repair": (
        "Some people have no outcome yet, for a cause outside. They are sent again on {at}: attempt {attempt} of "
        "{most}."
    ),
    "waits_approval": "The run {run} is held until somebody approves it. The next refresh or time starts another one.",
    "waits_after_cancel": "{by} has canceled the newest run. The next refresh or time starts one, or you do.",
    "waits_gave_up": (
        "After {attempts} attempts, some people still have no outcome. The next refresh or time starts again, or you "
        "do."
    ),
    "waits_after_failure": (
        "The newest run failed, and somebody has to do what it says: {run}. Then the next refresh or time starts one, "
        "or you do."
    ),
    "waits_time": "It runs next on {at}.",
    "waits_seen": (
        "The refresh of {refreshed} was there when the export was saved, or its pause ended, so it counts as seen. It "
        "runs with the next refresh; run it now if this one should be exported."
    ),
    "waits_refresh": "It runs with the next refresh of its segments, which are looked at every few minutes.",
}
"""What a person should know and what stops nothing."""

_SHOWN: tuple[tuple[Mapping[str, str], frozenset[Situation]], ...] = (
    (_STOPS, frozenset({_S.PREVIEW, _S.ENDED, _S.ANSWERED})),
    (_WAITS, frozenset({_S.WAITING, _S.ENDED, _S.ANSWERED})),
    (_ENDS, frozenset({_S.ENDED})),
    (_ANSWERS, frozenset({_S.ANSWERED})),
    (_NOTES, frozenset(Situation)),
    (_WARNINGS, frozenset(Situation)),
)
SENTENCES: Mapping[str, str] = {key: text for texts, _ in _SHOWN for key, text in texts.items()}
"""By code, or by code and case with a dot between them. A text with the name of a situation behind an @ stands there
instead."""
SITUATIONS: Mapping[str, frozenset[Situation]] = {
    key: situations for texts, situations in _SHOWN for key in texts if "@" not in key
}
"""In which situations each sentence can be read."""
WARNINGS = frozenset(key.partition(".")[0] for key in _WARNINGS) | {
    "field_not_related",
    "field_options_unknown",
    "field_type_unknown",
    "files_ambiguous",
    "when_empty_does_not_fit",
    "yes_without_option",
}
"""The codes of all warnings; those that are named here can be problems, too."""


def sentence(code: str, parameters: Parameters, situation: Situation = Situation.ENDED) -> str:
    """Return the sentence of a code; the parameter `case` says which one, where there are several.

    Raises `KeyError` for an unknown code or case, or a missing parameter.
    """
    key = f"{code}.{parameters['case']}" if "case" in parameters else code
    text = SENTENCES.get(f"{key}@{situation}") or SENTENCES[key]
    for name, phrases in PHRASES.items():
        text = text.replace(f"{{{name}}}", phrases[situation])
    for name, words in WORDS.items():
        if word := words.get(str(parameters.get(name))):
            text = text.replace(f"{{{name}}}", word)
    return text.format(**parameters)
