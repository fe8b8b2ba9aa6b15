"""File formats: CSV row by row (csv_records) and in blocks (csv_blocks), Parquet, and columns of text as bytes."""
