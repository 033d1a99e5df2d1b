//! `[notifications.NAME]`: where events are sent.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;
use toml::de::DeValue;

use super::kind_section::KindTables;
use super::section::Section;
use super::value::{Unaccepted, as_str, one_of};
use super::{http_headers, program, secret_files, tls_client};
use crate::events::{EventKind, Notification, Recipient, SIGNATURE, SOURCE, Secret, Webhook};

/// The default of `events`: nodes that are down, and the selection tiers that follow.
const DEFAULT_EVENTS: [EventKind; 3] = [EventKind::Health, EventKind::Tier, EventKind::Nomination];

/// A reader returns `None` if a recipient cannot be made of the keys, which it reports.
const TABLES: KindTables<Option<Recipient>> = KindTables {
    key: "notifications",
    title: "[notifications.NAME]",
    object: "notification",
    kinds: &[
        ("webhook", |section| webhook(section).map(|webhook| Recipient::Webhook(Box::new(webhook)))),
        ("exec", |section| Some(Recipient::Program(program::read(section)))),
    ],
    max_timeout: Duration::from_secs(60),
    default_timeout: Duration::from_secs(5),
};

/// Reads all notifications.
pub(super) fn read(root: &Section<'_>) -> Vec<Notification> {
    let mut notifications = Vec::new();
    for table in TABLES.read(root) {
        let recipient = table.read_kind().flatten();
        let retry_for = table.section.duration("retry_for", Duration::from_millis(50)..=Duration::from_secs(86_400));
        let retry_for = retry_for.map_or(Duration::from_secs(600), |retry_for| retry_for.value);
        let (name, timeout, kinds) = (table.name.to_owned(), table.timeout, event_kinds(&table.section));
        notifications.extend(recipient.map(|to| Notification { name, to, kinds, timeout, retry_for }));
        table.finish();
    }
    notifications
}

/// `events`: the kinds of events to send.
fn event_kinds(section: &Section<'_>) -> Vec<EventKind> {
    let words = EventKind::ALL.map(|kind| (kind.name(), kind));
    match section.list("events", "a list such as [\"health\", \"nomination\"]", one_of(&words)) {
        Some(list) if list.value.is_empty() => {
            section.report.error(
                list.span,
                "`events` is empty: no event would be sent",
                "leave it out for the default",
            );
            Vec::new()
        }
        Some(list) => list.value.into_iter().map(|kind| kind.value).collect(),
        None => DEFAULT_EVENTS.to_vec(),
    }
}

/// Reads the keys of a webhook.
fn webhook(section: &Section<'_>) -> Option<Webhook> {
    let hint = "where events go, for example \"https://hooks.example/evenkeel\"";
    let url = section.required("url", section.read("url", url), hint);
    let over_tls = url.as_ref().is_some_and(|url| url.value.scheme() == "https");
    let tls = tls_client::read(section, over_tls, "a `url` with https://");
    let headers = http_headers::read(section);
    for own in [CONTENT_TYPE.as_str(), SIGNATURE, SOURCE] {
        if headers.contains_key(own) {
            let message = format!("the header {own} is set by evenkeel");
            section.report.error(section.span.clone(), message, "leave it out");
        }
    }
    let secret = section.path("secret_file").and_then(|file| {
        let secret = secret_files::read(section, &file)?.trim().to_owned();
        if secret.is_empty() {
            section.report.file_error(&file, "the file is empty", "accepted: the key of the signatures");
        }
        Some(Secret::new(secret))
    });
    Some(Webhook { url: url?.value, headers, secret, tls })
}

/// Parses an HTTP or HTTPS URL.
fn url(value: &DeValue<'_>) -> Result<Url, Unaccepted> {
    let text = as_str(value)?;
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| Unaccepted {
        message: format!("cannot be \"{}\"", text.escape_debug()),
        hint: "accepted: a URL with http:// or https://".to_owned(),
    })
}
