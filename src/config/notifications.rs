//! `[notifications.NAME]`: who is told of events.

use std::time::Duration;

use reqwest::Url;
use reqwest::header::CONTENT_TYPE;

use super::Origin;
use super::checks::{self, Files, tls};
use super::requests::headers;
use super::secret;
use super::section::{Placed, Section, Unaccepted, as_str, check_word, one_of};
use crate::events::{EventKind, Notification, Recipient, SIGNATURE, SOURCE, Secret, Webhook};

/// What most want to know: who went, who is answered instead, who stepped in.
const USUAL: [EventKind; 3] = [EventKind::Health, EventKind::Tier, EventKind::Nomination];

/// The words of `kind`.
#[derive(Clone, Copy)]
enum KindWord {
    Webhook,
    Exec,
}

pub(super) fn read(root: &Section<'_>, origin: &Origin) -> Vec<Notification> {
    let mut notifications = Vec::new();
    for (name, section) in root.named("notifications", "[notifications.NAME]") {
        check_word(section.reading, "notification", &name);
        let kind = section.read("kind", one_of(&[("webhook", KindWord::Webhook), ("exec", KindWord::Exec)]));
        let kind = section.required("kind", kind, "accepted: \"webhook\", \"exec\"");
        let second = Duration::from_secs(1);
        let period = |key, longest, default| {
            let period = section.duration(key, second / 20..=longest);
            period.map_or(default, |period| period.value)
        };
        let files = Files { section: &section, origin };
        let to = kind.map(|kind| match kind.value {
            KindWord::Webhook => webhook(&files).map(|webhook| Recipient::Webhook(Box::new(webhook))),
            KindWord::Exec => Some(Recipient::Program(checks::program(&section))),
        });
        let (timeout, retry_for) =
            (period("timeout", 60 * second, 5 * second), period("retry_for", 86_400 * second, 600 * second));
        let kinds = kinds(&section);
        // Without a kind nobody knows which other keys are meant.
        if let Some(to) = to {
            let name = name.value.to_owned();
            notifications.extend(to.map(|to| Notification { name, to, kinds, timeout, retry_for }));
            section.finish();
        }
    }
    notifications
}

fn kinds(section: &Section<'_>) -> Vec<EventKind> {
    match section.list(
        "events",
        "a list such as [\"health\", \"nomination\"]",
        one_of(&EventKind::ALL.map(|kind| (kind.name(), kind))),
    ) {
        Some(list) if list.value.is_empty() => {
            section.reading.error(list.span, "`events` is empty: nobody would be told of anything", "leave it out");
            Vec::new()
        }
        Some(list) => list.value.into_iter().map(|kind| kind.value).collect(),
        None => USUAL.to_vec(),
    }
}

fn webhook(files: &Files<'_, '_>) -> Option<Webhook> {
    let section = files.section;
    let url = section.read("url", |value| {
        let text = as_str(value)?;
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let message = || format!("cannot be \"{}\"", text.escape_debug());
        url.ok_or_else(|| Unaccepted {
            message: message(),
            hint: "accepted: a URL with http:// or https://".to_owned(),
        })
    });
    let url = section.required("url", url, "where events go, for example \"https://hooks.example/evenkeel\"");
    let over_tls = url.as_ref().is_some_and(|url| url.value.scheme() == "https");
    let tls = tls(files, over_tls, "a `url` with https://");
    let headers = headers(files);
    for own in [CONTENT_TYPE.as_str(), SIGNATURE, SOURCE] {
        if headers.contains_key(own) {
            let message = format!("the header {own} is the event's own");
            section.reading.error(section.span.clone(), message, "leave it out");
        }
    }
    let secret = files.path("secret_file").and_then(|file| {
        let secret = secret::read(files, &file)?.trim().to_owned();
        if secret.is_empty() {
            files.problem(&file, "holds no secret", "accepted: the key of the signatures");
        }
        Some(Secret::new(secret))
    });
    let Placed { value: url, .. } = url?;
    Some(Webhook { url, headers, secret, tls })
}
