"""The files where segments land become rows.

files       the port: files, read only
segments    which segments there are, and which files each of them is now
folders     what a folder holds: data, what belongs to it, what is not read
model_json  how a `model.json` describes them
heads       what the beginning of a file tells: its format, its delimiter, its first row
readers     rows out of a file, block by block
text        the text of a file: unpacked, decoded
names       which names of columns are usual, and which first row is a header
rows        columns and rows, as values
formats     CSV, Parquet
"""
