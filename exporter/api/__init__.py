"""The HTTP interface: what callers may do, and what they get.

routes        every operation in one table, and how a request gets to its handler
operations    what an operation is
openapi       the OpenAPI document
http          requests, answers and problems as values
inputs        bodies, queries and headers become models
access        who is calling, and what they may do
resources     what connections and exports have in common: ids, ETags, pages
connections, exports, runs, segments, preview, lookup, trail, health
              the handlers, one module per group of operations
"""
