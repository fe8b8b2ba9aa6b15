"""The HTTP API: what callers may do, and what they get back.

routes        every operation in one table, and how a request reaches its handler
operations    what defines an operation
openapi       the OpenAPI document
http          requests, answers and problems as values
inputs        parse bodies, queries and headers into models
access        who is calling, and what they may do
resources     what connections and exports have in common: ids, ETags, pages
connections, exports, runs, segments, preview, lookup, trail, health
              the handlers, one module per group of operations
"""
