"""Everything that is known of ActiveCampaign: its requests and answers as values (wire), and HTTPS to it (client)."""
