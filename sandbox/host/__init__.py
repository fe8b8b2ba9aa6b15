"""A local Functions host around Microsoft's own Python worker library.

`python -m sandbox.host --app FOLDER [--port N]` indexes `FOLDER/function_app.py` through `azure-functions-runtime`, the
library that executes Python 3.13 apps in Azure (https://github.com/Azure/azure-functions-python-worker), and runs its
functions. App settings are the process's environment variables. It prints `{"ready": true, "url": ...}` on stdout, logs
to stderr, and exits with 3 and the reason when the app cannot be indexed.

Modelled, each after the public source of the original:

- HTTP triggers: route prefix, templates with constraints and catch-alls, most specific first, methods, function and
  master keys.
- Timer triggers: six-field NCRONTAB, `%SETTING%`, past-due runs after a stop, the schedule status that functions see.
- Storage queue triggers: base64, `batchSize`, `newBatchThreshold`, `visibilityTimeout`, `maxDequeueCount`, the poison
  queue.
- Storage queue output bindings: a JSON array becomes several messages.
- `POST /admin/functions/<name>` runs a timer or queue function now. `AzureWebJobs.<name>.Disabled` switches one off.

Not modelled: the lease that lets one of many instances own a timer, scaling, the key store (keys are given), host-level
retry policies (an app that declares one is refused), function timeouts, the 230-second limit of an HTTP answer,
daylight saving (everything is UTC), log levels of host.json, other bindings.
"""
