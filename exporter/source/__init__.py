"""The files where segments land become rows.

files       the port: files, read only
segments    which files a segment consists of now
model_json  how a `model.json` describes them
readers     rows out of a file, block by block
heads       what the beginning of a file tells: format, encoding, delimiter, names
text        the text of a file as UTF-8, decompressed and decoded
names       which names of columns are usual, and which first row is a header
rows        columns and rows, as values
formats     CSV, Parquet
"""
