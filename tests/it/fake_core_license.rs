//! License, hot backup and logins of the fake Core node, with curl as client.

use serde_json::{Value, json};

use crate::support::fake_core_process::FakeCoreProcess;

const BACKUP: &str = "/admin/license/backup";
const NOMINATION: &str = "/admin/license/backup/nomination";
const ACTIVATION: &str = "/admin/license/activation";

/// Registers a node as a hot backup; returns status and body.
fn register(node: &FakeCoreProcess) -> (u16, Value) {
    node.request(BACKUP, &["-X", "POST", "-H", "activation-key: key", "-H", "active-deployment-id: MSCL1"])
}

fn activate(node: &FakeCoreProcess) -> u16 {
    node.request(ACTIVATION, &["-d", "{\"activationKey\": \"key\"}"]).0
}

fn post(node: &FakeCoreProcess, path: &str) -> u16 {
    node.request(path, &["-X", "POST"]).0
}

/// Status of an upload, of `/readyz`, and `is_backup`.
fn state(node: &FakeCoreProcess) -> (u16, u16, Value) {
    let is_backup = node.request(BACKUP, &[]).1["is_backup"].take();
    (node.request("/file", &["-d", "x"]).0, node.request("/readyz", &[]).0, is_backup)
}

const ACTIVE: (u16, u16, Value) = (200, 200, Value::Bool(false));
const BACKUP_STATE: (u16, u16, Value) = (500, 200, Value::Bool(true));
const UNLICENSED: (u16, u16, Value) = (500, 503, Value::Bool(false));

#[test]
fn an_active_node_must_be_unregistered_before_it_becomes_a_hot_backup() {
    let node = FakeCoreProcess::start(&[]);
    assert_eq!(state(&node), ACTIVE);
    assert_eq!(register(&node).0, 400, "an active node cannot be registered");
    let refused = node.request(BACKUP, &["-X", "DELETE"]);
    assert_eq!(refused, (400, json!({ "err": "Failed to remove backup license" })));
    assert_eq!(state(&node), ACTIVE);
    // As the vendor does with the former active node after a nomination.
    node.set_faults(&json!({ "unregistered": true }));
    assert_eq!(state(&node), UNLICENSED);
    assert_eq!(node.request("/file", &["-d", "x"]).1["err"], "License is expired");
    assert_eq!(node.request("/readyz", &[]).1["license"]["status"], "invalid");
    assert_eq!(node.request("/_fake", &[]).1["unregistered"], true);
    assert_eq!(post(&node, BACKUP), 400, "the headers are missing");
    let registered = "The backup MetaDefender Core instance is now registered as a backup one.";
    assert_eq!(register(&node), (200, json!({ "success": registered })));
    assert_eq!(state(&node), BACKUP_STATE);
    assert_eq!(post(&node, NOMINATION), 200);
    assert_eq!(state(&node), ACTIVE);
    assert_eq!(post(&node, NOMINATION), 400);
}

#[test]
fn a_hot_backup_is_activated_only_after_it_was_unregistered() {
    let node = FakeCoreProcess::start(&["--backup"]);
    assert_eq!(state(&node), BACKUP_STATE);
    assert_eq!(activate(&node), 400);
    let removed = "This MetaDefender Core instance is no longer registered as a backup one.";
    assert_eq!(node.request(BACKUP, &["-X", "DELETE"]), (200, json!({ "success": removed })));
    assert_eq!(state(&node), UNLICENSED);
    assert_eq!(post(&node, NOMINATION), 400);
    assert_eq!(node.request("/admin/license", &[]).1["days_left"], 0);
    assert_eq!(post(&node, ACTIVATION), 400, "the key is missing");
    assert_eq!(activate(&node), 200);
    assert_eq!(state(&node), ACTIVE);
}

#[test]
fn a_backup_that_was_registered_offline_cannot_be_nominated() {
    let node = FakeCoreProcess::start(&["--faults", "{\"unregistered\": true}"]);
    assert_eq!(node.request(BACKUP, &["--data-binary", "license.yml"]).0, 200);
    assert_eq!(state(&node), BACKUP_STATE);
    assert_eq!(post(&node, NOMINATION), 400);
    node.set_faults(&json!({ "unregistered": false }));
    assert_eq!(state(&node), BACKUP_STATE, "the backup keeps its license");
}

#[test]
fn the_session_of_a_login_is_accepted_as_api_key() {
    let node = FakeCoreProcess::start(&["--apikey", "k"]);
    let wrong = node.request("/login", &["-d", "{\"user\": \"admin\", \"password\": \"x\"}"]);
    assert_eq!(wrong, (403, json!({ "err": "Failed to login" })));
    let login = node.request("/login", &["-d", "{\"user\": \"admin\", \"password\": \"admin\"}"]).1;
    assert!(login["oms-csrf-token"].is_string(), "{login}");
    let header = format!("apikey: {}", login["session_id"].as_str().expect("the identifier is text"));
    assert_eq!(node.request("/version", &["-H", &header]).0, 200);
    assert_eq!(node.request("/logout", &["-X", "POST", "-H", &header]).1["response"], "Logout success");
    assert_eq!(node.request("/version", &["-H", &header]).0, 403);
    assert_eq!(node.request("/logout", &["-X", "POST", "-H", "apikey: k"]).0, 400);
}

#[test]
fn the_status_of_nodes_has_the_documented_shape() {
    let node = FakeCoreProcess::start(&["--faults", "{\"scan_ms\": 60000, \"queue\": 10}"]);
    node.submit("x", &[]);
    let status = &node.request("/stat/nodes", &[]).1["statuses"][0];
    assert_eq!((&status["scan_queue"], &status["total_scan_queue"]), (&json!(1), &json!(10)));
    assert_eq!(status["scan_queue_details"], json!({ "available_slots": 9, "total_scan_queue": 10 }));
    assert_eq!(status["engines"][1]["eng_name"], "ClamAV");
}
