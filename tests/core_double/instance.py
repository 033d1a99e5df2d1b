"""The instance itself: login, version, rules, health, node status, licence and hot backup."""

import time

from access import DENIED, log_in, refuse
from analyses import new_id
from documents import parse_object
from reports import DEFINITIONS, ENGINES
from server import Response, refusal, reply

REGISTERED = "The backup MetaDefender Core instance is now registered as a backup one."
REMOVED = "This MetaDefender Core instance is no longer registered as a backup one."
NOMINATED = "This MetaDefender Core instance is now fully activated and allowed to process files."


async def login(node, request):
    """Answers `POST /login`."""
    document = parse_object(await request.body()) or {}
    expected = (node.options.user, node.options.password)
    if (document.get("user"), document.get("password")) != expected:
        return refusal(int(node.options.login_refusal), "Failed to login")
    key = log_in(node)
    cookie = [("Set-Cookie", f"session_id_ometascan={key}; Path=/; HttpOnly; SameSite=Lax")]
    return reply(200, {"oms-csrf-token": new_id(), "session_id": key}, cookie)


async def logout(node, request):
    """Answers `POST /logout`."""
    denied = refuse(node, request, True)
    if denied is not None:
        return denied
    if node.sessions.pop(request.headers["apikey"], None) is None:
        return refusal(400, "Logout error")
    return reply(200, {"response": "Logout success"})


async def version(node, request):
    """Answers `GET /version`."""
    denied = refuse(node, request, False)
    if denied is not None:
        return denied
    return reply(200, {"product_id": "MSCL", "version": node.options.product_version})


async def rules(node, _request):
    """Answers `GET /file/rules`."""
    size = node.options.max_file_size
    return reply(200, [{"max_file_size": size, "name": name} for name in node.options.rule])


async def readyz(node, request):
    """Answers `GET /readyz`."""
    options = node.options
    threshold, used = options.queue_threshold, node.in_progress
    queue = 100 * used <= threshold * options.queue_size
    standby = node.role == "backup" and options.backup_readyz == "503"
    licensed = node.role != "unlicensed"
    healthy = node.ready and queue and licensed and not standby
    always = options.readyz_body == "always"
    if not always and request.query().get("verbose", "").lower() not in ("true", "1"):
        return Response(200 if healthy else 503)
    return reply(200 if healthy else 503, {
        "database": {"status": True},
        "license": {"status": "ok" if licensed else "invalid"},
        "scan_queue": {"max_number_in_queue": options.queue_size, "number_in_queue": used,
                       "threshold": threshold, "status": queue},
        "number_active_av_engines": {"threshold": 1, "status": node.ready and licensed},
        "engines": [{"engine_id": engine.lower(), "required": True,
                     "status": node.ready and licensed} for engine in ENGINES]})


async def stat_nodes(node, request):
    """Answers `GET /stat/nodes`."""
    denied = refuse(node, request, True)
    if denied is not None:
        return denied
    used, size = node.in_progress, node.options.queue_size
    engines = [{"active": True, "db_ver": "25050", "def_time": DEFINITIONS, "eng_name": engine,
                "eng_ver": "3.0-43", "engine_type": "av", "id": f"{engine.lower()}_1_linux"}
               for engine in ENGINES]
    status = {
        "address": "", "available_mem": 2825, "cpu_cores": 8, "engines": engines,
        "free_disk_space": 173993443328, "id": ":69", "issues": [], "load": 14, "os": "Linux",
        "scan_queue": used, "total_scan_queue": size,
        "scan_queue_details": {"available_slots": max(0, size - used), "total_scan_queue": size},
        "total_disk_space": 500000878592, "total_mem": 40100,
        "uptime": int(time.time() - node.started), "version": node.options.product_version}
    document = {"external_nodes_allowed": False, "max_node_count": 1, "statuses": [status]}
    return reply(200, [document] if node.options.stat_nodes == "array" else document)


async def license_state(node, request):
    """Answers `GET /admin/license`."""
    denied = refuse(node, request, True)
    if denied is not None:
        return denied
    licensed = node.role != "unlicensed"
    return reply(200, {
        "days_left": 365 if licensed else 0, "deployment": node.options.deployment_id,
        "expiration": "12/31/2030", "licensed_engines": "*" if licensed else "",
        "licensed_to": "Test", "max_node_count": "1", "online_activated": node.online,
        "product_id": "MSCL-4-unlimited", "product_name": "MetaDefender Core 5 Linux"})


async def activate(node, request):
    """Answers `POST /admin/license/activation`."""
    denied = refuse(node, request, True)
    if denied is not None:
        return denied
    # Documented: a registered backup must be nominated, or unregistered first.
    if node.role == "backup" or not (parse_object(await request.body()) or {}).get("activationKey"):
        return refusal(400, "Failed to activate license")
    node.role = "active"
    return reply(200, {"success": True})


async def backup_state(node, request):
    """Answers `GET /admin/license/backup`."""
    denied = refuse(node, request, True)
    if denied is not None:
        return denied
    return reply(200, {"is_backup": node.role == "backup"})


async def register_backup(node, request):
    """Answers `POST /admin/license/backup`."""
    denied = refuse(node, request, True)
    if denied is not None:
        return denied
    headers, body = request.headers, await request.body()
    online = bool(headers.get("activation-key") and headers.get("active-deployment-id"))
    own = headers.get("active-deployment-id") == node.options.deployment_id
    # Documented: an active instance cannot be registered as a backup.
    if node.role == "active" or own or not (online or body):
        return refusal(400, DENIED)
    node.role, node.online = "backup", online
    return reply(200, {"success": REGISTERED})


async def remove_backup(node, request):
    """Answers `DELETE /admin/license/backup`."""
    denied = refuse(node, request, True)
    if denied is not None:
        return denied
    if node.role != "backup":
        return refusal(400, "Failed to remove backup license")
    node.role = "unlicensed"
    return reply(200, {"success": REMOVED})


async def nominate(node, request):
    """Answers `POST /admin/license/backup/nomination`."""
    denied = refuse(node, request, True)
    if denied is not None:
        return denied
    # Nomination works online only, not for backups that were registered offline.
    if node.role != "backup" or not node.online:
        return refusal(400, DENIED)
    node.role = "active"
    return reply(200, {"success": NOMINATED})
