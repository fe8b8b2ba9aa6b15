"""The HTTP API: what callers may do, and what they get back.

routes        every operation in one table, and how a request reaches its handler
operations    what defines an operation
openapi       the OpenAPI document
http          requests, answers and problems as values
inputs        parse bodies, queries and headers into models
access        who is calling, and what they may do
cross_site    whether a browser's session is used from the app's own pages
door          whether the app believes what a caller from outside claims to be
resources     what connections and exports have in common: ids, ETags, pages
glance        a run at a glance, as lists show it
few           the answer about the few people whom a run was for
connections, exports, schedules, runs, reports, segments, preview, lookup, trail, me, health
              the handlers, one module per group of operations
console       the files of the page, which anyone may read; it calls the operations
"""
