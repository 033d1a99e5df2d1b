"""Paths of the API, and the control path of the double."""

import batches
import instance
import results
import uploads
from documents import parse_object
from faults import CONTROL_PATH, FaultError
from server import BadRequest, refusal, reply

#: Paths without an id.
FIXED = {
    "/file": {"POST": uploads.upload},
    "/file/batch": {"POST": batches.open_batch},
    "/file/rules": {"GET": instance.rules},
    "/login": {"POST": instance.login},
    "/logout": {"POST": instance.logout},
    "/version": {"GET": instance.version},
    "/readyz": {"GET": instance.readyz},
    "/stat/nodes": {"GET": instance.stat_nodes},
    "/admin/license": {"GET": instance.license_state},
    "/admin/license/activation": {"POST": instance.activate},
    "/admin/license/backup": {"GET": instance.backup_state, "POST": instance.register_backup,
                              "DELETE": instance.remove_backup},
    "/admin/license/backup/nomination": {"POST": instance.nominate},
}

#: Paths with one id, as their parts around it.
WITH_ID = {
    (("file", "batch"), ()): {"GET": batches.status},
    (("file", "batch"), ("close",)): {"POST": batches.close},
    (("file", "batch"), ("close", "callback")): {"POST": batches.close_later},
    (("file", "batch"), ("certificate",)): {"GET": batches.certificate},
    (("file", "converted"), ()): {"GET": results.converted},
    (("file", "webhook"), ()): {"GET": results.webhook},
    (("hash",), ()): {"GET": results.by_hash},
    (("file",), ()): {"GET": results.fetch},
    (("file",), ("cancel",)): {"POST": results.cancel},
}


class Router:
    """Finds what answers a request."""

    def __init__(self, node):
        """Takes the node that the requests are about."""
        self.node = node
        self.faults = node.faults
        self.with_id = dict(WITH_ID)
        if node.options.batch_cancel != "file":
            self.with_id[(("file", "batch"), ("cancel",))] = {"POST": batches.cancel}

    async def answer(self, request):
        """Answers a request; a body that the answer does not need is dropped."""
        if request.path == CONTROL_PATH:
            return await self.control(request)
        if request.chunked:
            return refusal(411, "Missing Content-Length header.")
        refused = await self.refuse(request)
        if refused is not None:
            return refused
        methods, key = self.find(request.path)
        if methods is None:
            return refusal(404, "Not found")
        handler = methods.get(request.method)
        if handler is None:
            return refusal(405, "Access denied")
        if key is None:
            response = await handler(self.node, request)
        else:
            response = await self.with_key(handler, request, key)
        if handler is not uploads.upload and request.left:
            await request.body()
        return response

    async def with_key(self, handler, request, key):
        """Answers a request for an id."""
        old = handler is results.cancel and self.node.options.batch_cancel != "batch"
        if old and key in self.node.batches:
            handler = batches.cancel
        return await handler(self.node, request, key)

    async def refuse(self, request):
        """Returns the refusal of a fault, after the body of the request."""
        fault = self.faults.find("busy", request)
        upload = request.method == "POST" and request.path == "/file"
        if fault is not None and (fault.path is not None or upload):
            self.faults.take("busy", request)
            answer = refusal(503, "Server is too busy. Try again later.")
        else:
            fault = self.faults.take("refuse", request)
            if fault is None:
                return None
            answer = refusal(fault.value["status"], fault.value.get("err", "Refused"))
        if self.node.options.refusals == "late":
            async for _chunk in request.chunks():
                pass
        return answer

    def find(self, path):
        """Returns the methods of a path and the id in it; None for unknown paths."""
        methods = FIXED.get(path)
        if methods is not None:
            return methods, None
        parts = path.split("/")[1:]
        # The longer prefix is tried first: /file/batch/ID is not the file "batch".
        for length in (2, 1):
            if len(parts) > length:
                route = (tuple(parts[:length]), tuple(parts[length + 1:]))
                if parts[length] and route in self.with_id:
                    return self.with_id[route], parts[length]
        return None, None

    async def control(self, request):
        """Answers requests to the control path."""
        if request.method == "PUT":
            document = parse_object(await request.body())
            try:
                if document is None:
                    raise FaultError("the body is not a JSON object")
                self.set_state(document)
            except FaultError as error:
                return refusal(400, str(error))
        elif request.method != "GET":
            raise BadRequest(405)
        return reply(200, self.describe())

    def set_state(self, document):
        """Sets faults, and the state of the node."""
        role, ready = document.get("role"), document.get("ready")
        if role is not None and role not in ("active", "backup", "unlicensed"):
            raise FaultError("role is not one of active, backup, unlicensed")
        if ready is not None and not isinstance(ready, bool):
            raise FaultError("ready is not true or false")
        self.faults.apply(document)
        self.node.role = self.node.role if role is None else role
        self.node.ready = self.node.ready if ready is None else ready

    def describe(self):
        """Returns faults, counters and state as JSON."""
        node = self.node
        return {"name": node.options.name, "faults": self.faults.describe(),
                "counters": dict(self.faults.counters),
                "state": {"role": node.role, "ready": node.ready,
                          "in_progress": node.in_progress, "analyses": len(node.analyses),
                          "batches": len(node.batches)}}
