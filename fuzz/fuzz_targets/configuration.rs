//! Any bytes as a configuration file.
//!
//! A configuration loads, or every error names a place inside its file. A configuration that loads
//! can be served: every pool decides, and every shared name has a response.
#![no_main]

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use evenkeel::config::{self, LoadedConfig, Origin};
use evenkeel_core::diagnostic::Source;
use evenkeel_core::health::Health;
use evenkeel_core::respond::Transport;
use evenkeel_fuzz::{Pair, STREAM, check_both, check_place, check_response, question};
use libfuzzer_sys::{Corpus, fuzz_target};

/// Path of the input in diagnostics.
const ROOT: &str = "evenkeel.toml";

/// Most shared names of a configuration that are queried.
const MAX_NAMES: usize = 16;

/// Types that are queried: A, AAAA, TXT, ANY.
const QTYPES: [u16; 4] = [1, 28, 16, 255];

/// The directory with the files that a configuration can name: below this package, because paths in
/// a configuration are relative to it.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("files");
        if !directory.exists() {
            let made = directory.with_extension(std::process::id().to_string());
            make_files(&made).unwrap_or_else(|error| panic!("{}: {error}", made.display()));
            // If another process was faster, its files are used.
            let _ = fs::rename(&made, &directory);
        }
        directory
    })
}

/// The zone, the secrets and the certificate that the seeds name.
fn make_files(directory: &Path) -> io::Result<()> {
    let certified = rcgen::generate_simple_self_signed(["core.lb.example".to_owned()]).map_err(io::Error::other)?;
    let files = [
        ("lb.zone", include_str!("../../zones/lb.example.zone").to_owned()),
        ("reverse.zone", include_str!("../../zones/reverse.zone").to_owned()),
        ("bad.zone", "@ SOA ns1\nx A 1.2.3\n".to_owned()),
        ("cert.pem", certified.cert.pem()),
        ("key.pem", certified.signing_key.serialize_pem()),
        ("headers", "apikey: 0123456789abcdef\n".to_owned()),
        ("credentials", "probe:secret\n".to_owned()),
    ];
    fs::create_dir(directory)?;
    for (name, text) in files {
        let path = directory.join(name);
        fs::write(&path, text)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Returns true if the input may name a file that does not end, or that waits for a writer.
fn may_name_device(text: &[u8]) -> bool {
    [&b"/dev"[..], b"/proc", b"/sys"].iter().any(|path| text.windows(path.len()).any(|found| found == *path))
}

/// Serves a configuration with health that depends on the input only.
fn serve(loaded: LoadedConfig, text: &[u8]) {
    assert!(loaded.summary().contains("pool"));
    let names: Vec<Vec<u8>> =
        loaded.zones.shared_names().map(|(_, name, _)| name.as_wire().to_vec()).take(MAX_NAMES).collect();
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let seed = hasher.finish();
    let mut rng = fastrand::Rng::with_seed(seed);
    let counters = Pair::counters(loaded.pools.iter().map(|config| &*config.pool));
    let mut draws = rng.fork();
    let health = |_: &_, _| [Health::Up, Health::Up, Health::Down, Health::Unknown][draws.usize(..4)].into();
    let snapshot = loaded.into_snapshot(&counters[0], health, &mut rng);
    let mut pair = Pair::new(counters);
    for name in &names {
        for qtype in QTYPES {
            let packet = question(name, qtype, true);
            let [udp, stream] = [Transport::Udp, STREAM].map(|transport| {
                let response = pair.respond(&packet, transport, &snapshot, seed);
                let response = response.unwrap_or_else(|difference| panic!("{difference}"));
                check_response(&packet, transport, &response.expect("a query gets a response"))
            });
            check_both(&udp, &stream);
        }
    }
    pair.compare_counts().unwrap_or_else(|difference| panic!("{difference}"));
}

fuzz_target!(|text: &[u8]| -> Corpus {
    if may_name_device(text) {
        return Corpus::Reject;
    }
    let origin = Origin::File(directory().join(ROOT));
    let text_of = |path: &str| if path == ROOT { Some(text.to_vec()) } else { fs::read(path).ok() };
    match config::load_source(&Source::from_text(ROOT, text), &origin) {
        Err(problems) => {
            assert!(problems.has_errors());
            problems.iter().for_each(|problem| check_place(problem, text_of));
        }
        Ok(loaded) => {
            assert!(!loaded.warnings.has_errors());
            loaded.warnings.iter().for_each(|warning| check_place(warning, text_of));
            serve(loaded, text);
        }
    }
    Corpus::Keep
});
