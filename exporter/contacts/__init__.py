"""A row becomes a contact, or the reason why it cannot.

matching     the data matching: which columns fill which members of a contact
suggestion   which columns look like those members
facts        what columns hold: how much, how many addresses, how many distinct values, masked examples
texts        what is cleaned in every text, and which texts mean no value
values       how a value comes to fit its field, and why it does not
addresses    what is cleaned in e-mail addresses, and which ones ActiveCampaign would refuse
rules        the rules, for one row
fitting      how whole columns of values come to fit, with Arrow
blocks       the same rules for whole blocks of rows, with Arrow
distinct     one contact per address, for a million addresses in little memory
ranks        dates and numbers in a column, compared
people       what all rows with one address say together: consent, which row counts, what it gets from the others
"""
