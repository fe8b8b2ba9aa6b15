"""The files where segments land become rows.

files       the port: files, read only
segments    which files a segment consists of now
model_json  how a `model.json` describes them
readers     rows out of a file, block by block
names       which names of columns are usual, and which first row is a header
rows        columns and rows, as values
formats     CSV, Parquet
"""
