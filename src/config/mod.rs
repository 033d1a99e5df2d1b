//! The configuration: one TOML file, and the files that it names.
//!
//! [`load()`] reads and checks all of them. It returns a [`LoadedConfig`], whose values need no
//! further checks, or every mistake at once, each with its place. `serve`, `check`, `demo` and a
//! reload use this one loader.
//!
//! In reading order:
//!
//! | modules | what they provide |
//! |---|---|
//! | `load`, `loaded_config`, `origin`, `disk` | parse the file and call the sections; the result; where files come from |
//! | `server`, `server_tls`, `listen`, `admin` | `[server]`, `[server.tls]`, addresses, `[admin]` |
//! | `zones`, `names`, `named_tables` | `[zones."…"]` and `[names."…"]` |
//! | `pools`, `pool_host`, `nodes` | `[pools.NAME]` |
//! | `monitors`, `monitor_kinds`, `actions`, `notifications`, `kind_section` | sections whose keys depend on their `kind` |
//! | `http_request`, `http_headers`, `response_conditions`, `tls_client`, `secret_files`, `program`, `pattern`, `port` | keys that several sections have |
//! | `section`, `value`, `duration`, `object_name`, `report` | one table; one value; the problems that were found |

mod actions;
mod admin;
mod disk;
mod duration;
mod http_headers;
mod http_request;
mod kind_section;
mod listen;
mod load;
mod loaded_config;
mod monitor_kinds;
mod monitors;
mod named_tables;
mod names;
mod nodes;
mod notifications;
mod object_name;
mod origin;
mod pattern;
mod pool_host;
mod pools;
mod port;
mod program;
mod report;
mod response_conditions;
mod secret_files;
mod section;
mod server;
mod server_cookies;
mod server_rate_limit;
mod server_tls;
mod tls_client;
mod value;
mod zones;

pub use admin::{Admin, DEFAULT_SOCKET};
pub use listen::{Listen, overlap};
pub use load::{load, load_source};
pub use loaded_config::LoadedConfig;
pub use origin::{DEFAULT_PATH, Origin};
pub use report::KnownKeys;
pub use server::{Server, TcpLimits};
pub use server_cookies::Cookies;
pub use server_rate_limit::ResponseRateLimit;
pub use server_tls::Tls;
